"""What a venue tells about a pair besides its bars: shown and recorded, never a reason to fail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The state of one pair; NaN for whatever the venue does not tell."""

    volume: float = math.nan
    """Quote, of the last 24 hours."""
    spread: float = math.nan
    """Between best bid and ask, a fraction of their middle."""
    imbalance: float = math.nan
    """Of the quantities at best bid and ask: +1 is bids alone, -1 is asks alone."""
    funding_rate: float = math.nan
    """What longs pay shorts at the next settlement, a fraction of the notional."""
    open_interest: float = math.nan
    """Base; contracts that are open."""
    source: str = ""

    def as_json(self) -> dict[str, float | str | None]:
        """Return what is known of it, for the record."""
        named = {
            "spread": self.spread,
            "imbalance": self.imbalance,
            "funding_rate": self.funding_rate,
            "open_interest": self.open_interest,
        }
        known: dict[str, float | str | None] = {name: value for name, value in named.items() if math.isfinite(value)}
        return {**known, "source": self.source} if known else {}


class Books(Protocol):
    """Where they come from; it raises nothing: what cannot be had is left out."""

    def read(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Book]: ...


def imbalance(bid: float, ask: float) -> float:
    """Return how much more is bid than asked, -1 to 1; NaN where neither is known or there is nothing."""
    total = bid + ask
    return (bid - ask) / total if total > 0 else math.nan


def spread(bid: float, ask: float) -> float:
    """Return ask less bid over their middle; NaN for prices that are none or crossed."""
    return 2.0 * (ask - bid) / (ask + bid) if 0 < bid <= ask else math.nan
