"""MarketData over what is kept: bars from the store, prices from the board; the venue is asked for what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

from trading.adapters.candle_store import CandleStore, CandleStoreError
from trading.core import timeframes
from trading.core.candles import Candles, joined
from trading.core.feed import Board, BoardUnavailable
from trading.core.ports import MarketData
from trading.core.types import Market, Ticker

ALIVE = timedelta(seconds=10)
"""A stream that has heard nothing of the venue for so long counts as down, and prices are asked for again."""
GRACE = timedelta(seconds=10)
"""So long after a bar's close the stream is left to bring it; then the venue is asked."""
MARKETS_AGE = timedelta(hours=1)
MARKETS_TOLERANCE = timedelta(minutes=30)
"""Rules that the stream is about to renew serve so much longer, so that not two processes ask for them."""

logger = logging.getLogger(__name__)


class KeptMarket:
    """The MarketData port; `source` makes the venue's own, and is called only when the venue has to be asked."""

    def __init__(
        self,
        *,
        source: Callable[[], MarketData],
        store: CandleStore,
        board: Board,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._make = source
        self._store = store
        self._board = board
        self._markets: Mapping[str, Market] = {}
        self._markets_at: datetime | None = None
        self._clock = clock

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        """Return the last `limit` bars that have closed by `now`; what the venue is asked for is kept."""
        span = timeframes.length(timeframe)
        stop = timeframes.bar_open(now, timeframe)
        start = stop - limit * span
        # One bar more, so that asking for the newest alone finds what it follows.
        kept = self._kept(symbol, timeframe, start - span, stop)
        if kept is not None:
            reaches_back = kept.opened_at(0) <= start or self._store.begins_at(symbol, timeframe) == kept.opened_at(0)
            missing = (stop - kept.closed_at(len(kept) - 1)) // span
            if reaches_back and (missing == 0 or self._is_coming(missing, stop, now)):
                return kept.tail(limit)
            if reaches_back:
                return self._continued(kept, missing, now).tail(limit)
        found = self._source.candles(symbol, timeframe, now=now, limit=limit)
        self._keep(found)
        if 0 < len(found) < limit and found.closed_at(len(found) - 1) == stop:
            self._store.mark_beginning(symbol, timeframe, found.opened_at(0))
        return found

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return the board's prices while the stream is up, else the venue's; each at the venue's own time."""
        told = self._told(symbols, now)
        # A symbol that the stream has no price of yet is one without a price: the stream asks for those itself.
        return self._source.tickers(symbols, now=now) if told is None else told

    def pushed(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return the board's prices; none while the stream is down."""
        return self._told(symbols, now) or {}

    def markets(self) -> Mapping[str, Market]:
        """Return the rules of everything that trades, an hour old or little more."""
        now = self._clock()
        if self._markets_at is None or now - self._markets_at > MARKETS_AGE:
            self._markets_at, self._markets = self._fresh_markets(now)
        return self._markets

    @cached_property
    def _source(self) -> MarketData:
        return self._make()

    def _told(self, symbols: Sequence[str], now: datetime) -> Mapping[str, Ticker] | None:
        """Return the board's prices; None where nobody keeps them up to date."""
        try:
            shown = self._board.read(symbols)
        except BoardUnavailable as error:
            logger.debug("prices are not shared now: %s", error)
            return None
        return shown.tickers if _is_alive(shown.alive_at, now) else None

    def _fresh_markets(self, now: datetime) -> tuple[datetime, Mapping[str, Market]]:
        try:
            if kept := self._board.markets(since=now - MARKETS_AGE - MARKETS_TOLERANCE):
                # Read again soon where they are old already.
                return max(kept[0], now - MARKETS_AGE + timedelta(minutes=1)), kept[1]
        except BoardUnavailable as error:
            logger.debug("the rules of the markets are asked of the venue: %s", error)
        asked = self._source.markets()
        try:
            self._board.keep_markets(asked, at=now)
        except BoardUnavailable as error:
            logger.debug("the rules of the markets are not shared: %s", error)
        return now, asked

    def _is_coming(self, missing: int, stop: datetime, now: datetime) -> bool:
        """Return whether the one bar that is missing closed just now, while the stream is up."""
        if missing > 1 or now - stop > GRACE:
            return False
        try:
            return _is_alive(self._board.read([]).alive_at, now)
        except BoardUnavailable:
            return False

    def _continued(self, kept: Candles, missing: int, now: datetime) -> Candles:
        fresh = self._source.candles(kept.symbol, kept.timeframe, now=now, limit=missing)
        self._keep(fresh)
        if not len(fresh) or fresh.opened_at(0) != kept.closed_at(len(kept) - 1):
            return kept
        return joined(kept, fresh)

    def _kept(self, symbol: str, timeframe: str, start: datetime, stop: datetime) -> Candles | None:
        try:
            kept = self._store.read_last_run(symbol, timeframe, start=start, end=stop)
        except CandleStoreError as error:
            logger.warning("the venue is asked instead of the store: %s", error)
            return None
        return kept if len(kept) else None

    def _keep(self, candles: Candles) -> None:
        try:
            self._store.write(candles, corrects=True)
        except CandleStoreError as error:
            logger.warning("bars are not kept: %s", error)


def _is_alive(alive_at: datetime | None, now: datetime) -> bool:
    return alive_at is not None and abs(now - alive_at) <= ALIVE
