"""How much worse than the market a simulated market order fills."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Slippage:
    """A constant fraction of the price; with a seed, each fill draws its own from 0 to twice that.

    The draw depends on seed, symbol and moment alone, so the order of fills does not matter and live,
    replay and backtest draw the same.
    """

    fraction: float
    seed: int | None = None

    def of(self, symbol: str, at: datetime) -> float:
        """Return the slippage of a fill, a fraction of the price."""
        if self.seed is None:
            return self.fraction
        digest = hashlib.blake2b(f"{self.seed}|{symbol}|{at.isoformat()}".encode(), digest_size=8).digest()
        return 2.0 * self.fraction * int.from_bytes(digest) / 2.0**64
