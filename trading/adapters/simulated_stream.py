"""The stream of the simulated market: a price every few seconds and each bar as it closes, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

from trading.adapters.simulated_market import SimulatedMarket
from trading.core import timeframes
from trading.core.feed import StreamBroken, Update

_LOOK_S = 1.0


class SimulatedStream:
    """The Stream port over one seed; it tells every price once, at the time of its step."""

    def __init__(self, *, seed: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._market = SimulatedMarket(seed=seed)
        self._clock = clock

    @property
    def expected_gap(self) -> timedelta:
        return timedelta(seconds=5)

    async def updates(
        self, symbols: Sequence[str], timeframe: str, *, held: Callable[[], frozenset[str]]
    ) -> AsyncIterator[Update]:
        """Yield prices and closed bars from now on, for ever."""
        listed = self._market.markets()
        known = [symbol for symbol in symbols if symbol in listed]
        if not known:
            raise StreamBroken(f"the simulated market lists none of {', '.join(symbols)}")
        told: dict[str, datetime] = {}
        closed = timeframes.bar_open(self._clock(), timeframe)
        while True:
            now = self._clock()
            for symbol, ticker in self._market.tickers(known, now=now).items():
                if told.get(symbol) != ticker.at:
                    told[symbol] = ticker.at
                    yield ticker
            opened = timeframes.bar_open(now, timeframe)
            if opened > closed:
                for symbol in known:
                    found = self._market.history(symbol, timeframe, start=closed, stop=opened, now=now)
                    for run in found.runs:
                        yield run
                closed = opened
            await asyncio.sleep(_LOOK_S)
