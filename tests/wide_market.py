"""A market of two thousand pairs that needs no network: a random walk each, the same in every process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zlib import crc32

import numpy as np

from trading.adapters import simulated_market
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.types import Market, Ticker
from trading.research import simulate

PAIRS = 2000


class SimulatedMarket(simulated_market.SimulatedMarket):
    """The MarketData port over PAIRS symbols."""

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        span, rng = timeframes.milliseconds(timeframe), np.random.default_rng(crc32(symbol.encode()))
        last = timeframes.to_ms(timeframes.bar_open(now, timeframe))
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, limit)))
        opened = np.r_[100.0, close[:-1]]
        shadows = np.exp(np.abs(rng.normal(0.0, 0.002, (2, limit))))
        return Candles(
            symbol=symbol,
            timeframe=timeframe,
            opened=last - span * np.arange(limit, 0, -1, dtype=np.int64),
            open=opened,
            high=np.maximum(opened, close) * shadows[0],
            low=np.minimum(opened, close) / shadows[1],
            close=close,
            volume=rng.lognormal(3.0, 0.7, limit) * 1e4,
        )

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return {}

    def markets(self) -> Mapping[str, Market]:
        pattern = simulate.MARKETS["BTC/USDT"]
        names = ["BTC/USDT", *(f"P{number:04d}/USDT" for number in range(1, PAIRS))]
        return {name: replace(pattern, symbol=name) for name in names}
