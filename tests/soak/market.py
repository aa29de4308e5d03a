"""The simulated market with its clock sixty times as fast: an hour of it passes in each minute of a soak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from trading.adapters import simulated_market
from trading.core import timeframes
from trading.core.candles import Candles, resample
from trading.core.quality import Sifted
from trading.core.types import Ticker
from trading.research import simulate

SPEED, BASE, SOURCE = 60, "1m", "1h"
"""A bar of BASE is one of SOURCE, which lasts SPEED times as long."""
ORIGIN = datetime(2025, 1, 1, tzinfo=UTC)
"""When the fast market begins, where the slow one does; every day since is sixty of its days."""
_ORIGIN_MS, _EPOCH_MS = timeframes.to_ms(ORIGIN), timeframes.to_ms(simulate.EPOCH)


class SimulatedMarket(simulated_market.SimulatedMarket):
    """The MarketData port; `manage.py up` knows the simulated one by this name, and replays its past."""

    def __init__(self, *, seed: int) -> None:
        super().__init__(seed=seed)
        self._fast_seed = seed

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        stop = timeframes.bar_open(now, timeframe)
        return self._between(symbol, timeframe, stop - limit * timeframes.length(timeframe), stop)

    def history(self, symbol: str, timeframe: str, *, start: datetime, stop: datetime, now: datetime) -> Sifted:
        found = self._between(symbol, timeframe, start, min(stop, timeframes.bar_open(now, timeframe)))
        return Sifted(runs=(found,) if len(found) else (), dropped={})

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        found = super().tickers(symbols, now=_inside(now))
        return {symbol: replace(ticker, at=_outside(ticker.at)) for symbol, ticker in found.items()}

    def _between(self, symbol: str, timeframe: str, start: datetime, stop: datetime) -> Candles:
        found = simulate.candles(
            seed=self._fast_seed, symbol=symbol, timeframe=SOURCE, start=_inside(start), stop=_inside(stop)
        )
        opened = _ORIGIN_MS + (found.opened - _EPOCH_MS) // SPEED
        return resample(replace(found, timeframe=BASE, opened=opened), timeframe)


def _inside(moment: datetime) -> datetime:
    """Return which moment of the slow market belongs to one of ours."""
    return simulate.EPOCH + (moment - ORIGIN) * SPEED


def _outside(moment: datetime) -> datetime:
    return ORIGIN + timedelta(milliseconds=(timeframes.to_ms(moment) - _EPOCH_MS) // SPEED)
