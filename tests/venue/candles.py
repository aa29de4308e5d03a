"""Candles: made up for the past, and built from the prices that were set since."""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left, bisect_right
from decimal import Decimal

from tests.venue.values import Market

Candle = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]

SPANS_MS = {
    "1s": 1_000, "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000,
    "60m": 3_600_000, "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000, "12h": 43_200_000,
    "1d": 86_400_000, "3d": 259_200_000, "1w": 604_800_000,
}  # fmt: skip


class Tape:
    """The prices of one symbol over time."""

    def __init__(self, market: Market, opening: Decimal, started_at: int) -> None:
        self._market, self._opening, self._started_at = market, opening, started_at
        self._times: list[int] = []
        self._prices: list[Decimal] = []
        self.given: dict[str, dict[int, Candle]] = {}

    def add(self, at: int, price: Decimal) -> None:
        self._times.append(max(at, self._times[-1] if self._times else 0))
        self._prices.append(price)

    def candles(self, timeframe: str, *, first: int, last: int) -> list[Candle]:
        """Return the candles that open in [first, last], oldest first; given ones replace built ones."""
        span = SPANS_MS[timeframe]
        given = self.given.get(timeframe, {})
        opens = range(-(-first // span) * span, last + 1, span)
        return [given.get(at) or self.candle(at, span) for at in opens]

    def candle(self, at: int, span: int) -> Candle:
        low, high = bisect_left(self._times, at), bisect_left(self._times, at + span)
        path = [self.price(at), *self._prices[low:high]]
        if not high:
            path = [self.price(at + span * i // 4) for i in range(5)]
        volume = Decimal(100 + zlib.crc32(f"{self._market.symbol}{at}".encode()) % 900)
        return at, path[0], max(path), min(path), path[-1], volume

    def price(self, at: int) -> Decimal:
        """Return the price at a moment: the newest set by then, else a wave that ends at the opening price."""
        index = bisect_right(self._times, at)
        if index:
            return self._prices[index - 1]
        minutes = max(0, self._started_at - at) / 60_000
        wave = 0.02 * math.sin(minutes / 90) + 0.005 * math.sin(minutes / 7)
        return (self._opening * Decimal(str(round(1 + wave, 8)))).quantize(self._market.tick)
