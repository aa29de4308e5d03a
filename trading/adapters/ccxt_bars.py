"""Which bars of a stream have closed: where the venue says so, it is believed, else the bar that follows says it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from trading.adapters.ccxt_codes import BINANCE
from trading.core.feed import Dropped, Update
from trading.core.quality import sift

SETTLING = timedelta(seconds=2)
"""Where no message says that a bar is final, corrections of it may come so long after the next bar began."""


class BarWatch:
    """Listens to the bars of one timeframe and puts each out once, closed; a bar that is missed is asked for by REST."""

    def __init__(self, exchange: Any, symbols: Sequence[str], timeframe: str, clock: Callable[[], datetime]) -> None:
        self._exchange, self._symbols, self._timeframe, self._clock = exchange, list(symbols), timeframe, clock
        self._finals: dict[str, set[int]] | None = None
        self._told: dict[str, int] = {}
        self._followed_at: dict[tuple[str, int], datetime] = {}
        if exchange.id in BINANCE:
            self._finals = {symbol: set() for symbol in self._symbols}
            _note_finals(exchange, timeframe, self._finals)

    @property
    def is_told(self) -> bool:
        """Return whether the venue streams bars of this timeframe."""
        has = self._exchange.has
        listed = self._timeframe in (self._exchange.timeframes or {})
        return listed and bool(has.get("watchOHLCVForSymbols") or has.get("watchOHLCV"))

    async def run(self) -> None:
        """Subscribe and listen until canceled; raises what ccxt raises."""
        exchange, frame = self._exchange, self._timeframe
        if exchange.has.get("watchOHLCVForSymbols"):
            wanted = [[symbol, frame] for symbol in self._symbols]
            while True:
                await exchange.watch_ohlcv_for_symbols(wanted)
        await asyncio.gather(*(self._watch_one(symbol) for symbol in self._symbols))

    async def _watch_one(self, symbol: str) -> None:
        while True:
            await self._exchange.watch_ohlcv(symbol, self._timeframe)

    def sweep(self, put: Callable[[Update], None]) -> None:
        """Put out what has closed and was not put out yet."""
        now = self._clock()
        for symbol in self._symbols:
            rows = (self._exchange.ohlcvs.get(symbol) or {}).get(self._timeframe) or ()
            closed = [row for row in rows if self._is_final(symbol, row, rows, now)]
            if not closed:
                continue
            self._told[symbol] = max(int(row[0]) for row in closed)
            found = sift([list(row) for row in closed], symbol=symbol, timeframe=self._timeframe, now=now + SETTLING)
            for run in found.runs:
                put(run)
            for reason in found.dropped:
                put(Dropped(symbol=symbol, reason=f"a bar: {reason}"))

    def _is_final(self, symbol: str, row: Any, rows: Iterable[Any], now: datetime) -> bool:
        """Return whether a row is a closed bar that was not put out yet."""
        if not isinstance(row[0], int) or row[0] <= self._told.get(symbol, -1):
            return False
        if self._finals is not None:
            return row[0] in self._finals[symbol]
        if not any(isinstance(other[0], int) and other[0] > row[0] for other in rows):
            return False
        key = (symbol, row[0])
        followed_at = self._followed_at.setdefault(key, now)
        if now - followed_at < SETTLING:
            return False
        del self._followed_at[key]
        return True


def _note_finals(exchange: Any, timeframe: str, finals: dict[str, set[int]]) -> None:
    """Note which bars Binance calls closed (`k.x`), which ccxt does not pass on."""
    names = {exchange.market(symbol)["id"]: symbol for symbol in finals}
    interval, handle = exchange.timeframes.get(timeframe), exchange.handle_ohlcv

    def noting(client: Any, message: Any) -> None:
        handle(client, message)
        bar = message.get("k") or {}
        symbol = names.get(bar.get("s"))
        if symbol is not None and bar.get("x") is True and bar.get("i") == interval and isinstance(bar.get("t"), int):
            known = finals[symbol]
            known.add(bar["t"])
            if len(known) > 8:
                known.discard(min(known))

    exchange.handle_ohlcv = noting
