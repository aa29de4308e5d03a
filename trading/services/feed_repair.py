"""What a feed asks the venue for by REST: bars that the stream did not bring, quiet symbols, and the markets' rules."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from trading.adapters.candle_store import CandleStore
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.feed import Board, Past
from trading.core.ports import UnknownSymbol
from trading.core.types import Ticker
from trading.services import candle_keeping
from trading.services.feed_desk import Watched

KEPT_BARS = 1000
"""At the start so many bars are made sure of: one request for each series that lacks them."""
LATE = timedelta(seconds=5)
"""So long after its close the stream may bring a bar; then it is asked for."""
QUIET = timedelta(minutes=4)
"""A symbol without a newer price for so long is asked for, together with all that are quiet for half as long: so no
price grows older than this, whenever symbols fall quiet, at no more than thirty questions an hour."""
START = timedelta(seconds=4)
MARKETS_EVERY = timedelta(hours=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=30)

logger = logging.getLogger(__name__)


class Judge(Protocol):
    def note_series(self, candles: Candles | None, symbol: str, timeframe: str, *, is_listed: bool) -> None: ...


class Repair:
    """Remembers how far each series is kept, so that the store is not read each second."""

    def __init__(
        self, *, past: Past, store: CandleStore, board: Board, desk: Judge, clock: Callable[[], datetime]
    ) -> None:
        self._past, self._store, self._board, self._desk, self._clock = past, store, board, desk, clock
        self._kept: dict[tuple[str, str], datetime] = {}
        self._again: dict[str, tuple[datetime, timedelta]] = {}
        self._began_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._markets_at: datetime | None = None

    def has_kept(self, candles: Candles) -> None:
        """Note that these bars are stored; a gap before them is found by the next look at the series."""
        key, last = (candles.symbol, candles.timeframe), candles.opened_at(len(candles) - 1)
        known = self._kept.get(key)
        if known is not None and candles.opened_at(0) <= known + timeframes.length(candles.timeframe):
            self._kept[key] = max(known, last)
            self._again.pop(candles.symbol, None)

    def keep_only(self, symbols: Iterable[str]) -> None:
        wanted = set(symbols)
        self._kept = {key: at for key, at in self._kept.items() if key[0] in wanted}
        self._again = {symbol: when for symbol, when in self._again.items() if symbol in wanted}

    def overdue(self, watched: Watched) -> list[str]:
        """Return the symbols whose newest closed bar should be kept by now and is not, or of which nothing is known."""
        if not watched.symbols:
            return []
        now = self._clock()
        due = timeframes.last_closed(now - LATE, watched.timeframe)
        return [
            symbol
            for symbol in watched.symbols
            if self._kept.get((symbol, watched.timeframe), due - timedelta(days=1)) < due
            and (symbol not in self._again or now >= self._again[symbol][0])
        ]

    def fill(self, symbol: str, watched: Watched) -> int:
        """Ask for what is missing of the newest KEPT_BARS, judge the series, and return how many bars were new."""
        now, frame = self._clock(), watched.timeframe
        # What can be done about it will be known before this is asked again, and less and less often.
        pause = min(2 * self._again[symbol][1], LONGEST_PAUSE) if symbol in self._again else FIRST_PAUSE
        self._again[symbol] = (now + pause, pause)
        stop = timeframes.bar_open(now, frame)
        start = stop - KEPT_BARS * timeframes.length(frame)
        new = 0
        try:
            for tally in candle_keeping.fill(
                past=self._past,
                store=self._store,
                symbol=symbol,
                timeframe=frame,
                start=start,
                stop=stop,
                clock=self._clock,
            ):
                new = tally.new
        except UnknownSymbol as error:
            logger.warning("%s is not kept: %s", symbol, error)
            self._again[symbol] = (now + LONGEST_PAUSE, LONGEST_PAUSE)
            self._desk.note_series(None, symbol, frame, is_listed=False)
            return 0
        kept = self._store.read_last_run(symbol, frame, start=start, end=stop)
        if len(kept):
            self._kept[symbol, frame] = kept.opened_at(len(kept) - 1)
            if kept.opened_at(len(kept) - 1) >= timeframes.last_closed(now, frame):
                self._again.pop(symbol, None)  # the stream may have brought it meanwhile
        self._desk.note_series(kept, symbol, frame, is_listed=True)
        return new

    def quiet(self, seen: Mapping[str, Ticker | None]) -> Sequence[Ticker]:
        """Return the venue's prices where the stream has told none for long; one question for all of them."""
        now = self._clock()
        self._began_at = self._began_at or now
        if now - self._began_at < START or (self._asked_at is not None and now - self._asked_at < QUIET / 2):
            return ()
        ages = {symbol: now - ticker.at if ticker else QUIET for symbol, ticker in seen.items()}
        if max(ages.values(), default=timedelta(0)) < QUIET:
            return ()
        self._asked_at = now
        silent = [symbol for symbol, age in ages.items() if age >= QUIET / 2]
        return list(self._past.tickers(silent, now=now).values())

    def renew_markets(self, watched: Watched) -> None:
        """Share the markets' rules once an hour, so that no other process has to ask for them."""
        now = self._clock()
        if not watched.symbols or (self._markets_at is not None and now - self._markets_at < MARKETS_EVERY):
            return
        self._board.keep_markets(self._past.markets(), at=now)
        self._markets_at = now
