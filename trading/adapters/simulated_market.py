"""MarketData without a network: the seeded market of trading.research.simulate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.quality import Sifted
from trading.core.types import Market, Ticker
from trading.research import simulate


class SimulatedMarket:
    """The MarketData port over one seed; the same seed is the same market, in every process."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        """Return up to `limit` bars that have closed by `now`, fewer near simulate.EPOCH and none of before.

        Raises UnknownSymbol, UnknownTimeframe, and ValueError where `now` is before simulate.EPOCH.
        """
        span = timeframes.length(timeframe)
        stop = timeframes.bar_open(now, timeframe)
        start = stop - min(limit, (stop - simulate.EPOCH) // span) * span
        return simulate.candles(seed=self._seed, symbol=symbol, timeframe=timeframe, start=start, stop=stop)

    def history(self, symbol: str, timeframe: str, *, start: datetime, stop: datetime, now: datetime) -> Sifted:
        """Return the bars that opened in [start, stop) and have closed by `now`."""
        last = min(stop, timeframes.bar_open(now, timeframe))
        found = simulate.candles(
            seed=self._seed, symbol=symbol, timeframe=timeframe, start=max(start, simulate.EPOCH), stop=last
        )
        return Sifted(runs=(found,) if len(found) else (), dropped={})

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return the price at `now` of each symbol that is listed, stamped with the 5-second step's time."""
        return {
            symbol: simulate.ticker(seed=self._seed, symbol=symbol, at=now)
            for symbol in symbols
            if symbol in simulate.MARKETS
        }

    def markets(self) -> Mapping[str, Market]:
        return simulate.MARKETS
