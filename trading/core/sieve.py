"""What is believed of the prices that a stream tells, and which levels a price crosses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading.core.types import Ticker

AHEAD = timedelta(seconds=10)
"""A price dated further ahead than this is no price: clocks differ by less."""
FAR = 0.20
"""A price so far (fraction) from the one before it is believed when others say the same."""
NEAR = 0.05
WITNESSES = 3
FORGOTTEN = timedelta(minutes=10)
"""After so long the price before says nothing any more about the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What one open position waits for: `sign` +1 is long; NaN is never reached. Prices in quote per base."""

    trade: int
    sign: int
    stop: float
    target: float

    def is_crossed(self, price: float) -> bool:
        return self.sign * (price - self.stop) <= 0 or self.sign * (price - self.target) >= 0


class Sieve:
    """Remembers the last believed price of each symbol, and of each far one how many have said the same."""

    def __init__(self) -> None:
        self._believed: dict[str, Ticker] = {}
        self._doubted: dict[str, tuple[Ticker, int]] = {}

    def objection(self, ticker: Ticker, *, now: datetime) -> str:
        """Return why a price is not believed, or nothing: then it is the symbol's price from now on."""
        if not math.isfinite(ticker.price) or ticker.price <= 0:
            return "a price that is no number above zero"
        if ticker.at - now > AHEAD:
            return "a price from the future"
        before = self._believed.get(ticker.symbol)
        if before is not None and ticker.at < before.at:
            return "a price older than the one before"
        is_far = before is not None and ticker.at - before.at < FORGOTTEN and _distance(ticker, before) > FAR
        if is_far and self._count(ticker) < WITNESSES:
            return "a price far from the one before, said once"
        self._doubted.pop(ticker.symbol, None)
        self._believed[ticker.symbol] = ticker
        return ""

    def believed(self, symbol: str) -> Ticker | None:
        return self._believed.get(symbol)

    def keep_only(self, symbols: Iterable[str]) -> None:
        kept = set(symbols)
        self._believed = {symbol: seen for symbol, seen in self._believed.items() if symbol in kept}
        self._doubted = {symbol: seen for symbol, seen in self._doubted.items() if symbol in kept}

    def _count(self, ticker: Ticker) -> int:
        """Return how many prices have said about this; the same message twice is one."""
        doubted, count = self._doubted.get(ticker.symbol, (None, 0))
        if doubted is None or _distance(ticker, doubted) > NEAR:
            count = 1
        elif ticker.at > doubted.at:
            count += 1
        self._doubted[ticker.symbol] = (ticker, count)
        return count


def _distance(ticker: Ticker, other: Ticker) -> float:
    return abs(ticker.price / other.price - 1.0)
