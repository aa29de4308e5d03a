"""Spread, imbalance and funding of the simulated market: a function of seed, symbol and time, and labelled as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zlib import crc32

import numpy as np

from trading.core import timeframes
from trading.core.book import Book
from trading.research import simulate

SOURCE = "simulated"
_EVERY_MS = 300_000
_FUNDING_MS = 8 * 3_600_000


class SimulatedBooks:
    """The Books port over one seed; values change every five minutes, funding every eight hours."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def read(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Book]:
        moment = timeframes.to_ms(now)
        return {symbol: self._book(symbol, moment) for symbol in symbols if symbol in simulate.MARKETS}

    def _book(self, symbol: str, moment: int) -> Book:
        name = crc32(symbol.encode())
        fast = np.random.default_rng([self._seed, name, moment // _EVERY_MS])
        slow = np.random.default_rng([self._seed, name, moment // _FUNDING_MS, 1])
        return Book(
            spread=float(fast.uniform(0.0001, 0.0008)),
            imbalance=float(np.clip(fast.normal(0.0, 0.35), -1.0, 1.0)),
            funding_rate=float(slow.normal(0.0001, 0.0001)),
            open_interest=float(np.exp(slow.normal(12.0, 0.5))),
            source=SOURCE,
        )
