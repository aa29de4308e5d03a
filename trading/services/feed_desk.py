"""What a feed asks of the database: what is watched, where levels lie; and what it leaves there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import close_old_connections

from trading import events
from trading.core import quality as judging
from trading.core.candles import Candles
from trading.core.quality import Quality, State
from trading.core.sieve import Level
from trading.core.types import Ticker
from trading.models import ACTIVE, Trade
from trading.services import hot_sql, levels, parameters, quality, watching

PRICES = "prices"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a feed listens to: the watched pairs and all symbols with an open trade, and the levels of the latter."""

    symbols: tuple[str, ...] = ()
    timeframe: str = "15m"
    levels: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

    @property
    def held(self) -> frozenset[str]:
        return frozenset(self.levels)


class FeedDesk:
    """The Desk of one venue; a database that does not answer costs what was to be noted, never the feed."""

    def __init__(
        self,
        *,
        venue: str,
        clock: Callable[[], datetime],
        tick: Callable[[str], None],
        supervise: Callable[[list[str]], None],
        meter: Callable[[], None] = lambda: None,
    ) -> None:
        self._venue, self._clock, self._tick, self._supervise, self._meter = venue, clock, tick, supervise, meter

    def watched(self) -> Watched | None:
        """Return what to listen to now; None where the database does not say."""
        close_old_connections()
        try:
            params = watching.applied(parameters.in_force(now=self._clock())[1])
            held = set(Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True))
            return Watched(
                symbols=(*params.pairs, *sorted(held - set(params.pairs))),
                timeframe=params.timeframe,
                levels=levels.of_open_trades(),
            )
        except DatabaseError as error:
            logger.warning("what is watched stays as it was: %s", error)
            return None

    def hint(self, reason: str) -> None:
        logger.debug("a tick now: %s", reason)
        self._tick(reason)

    def crossed(self, symbols: list[str]) -> None:
        """Have the positions in these symbols followed at once: a price has reached a level of theirs."""
        logger.debug("supervise now: %s", symbols)
        self._supervise(symbols)

    def push(self, tickers: list[Ticker]) -> None:
        """Show new prices of what is held on the pages."""
        rows: list[dict[str, hot_sql.Value]] = [
            {"symbol": ticker.symbol, "price": ticker.price, "at": ticker.at} for ticker in tickers
        ]
        try:
            hot_sql.upsert("trading_lastprice", rows, key=["symbol"])
        except DatabaseError as error:
            logger.warning("prices are not shown: %s", error)
            return
        events.announce(PRICES, at=self._clock())

    def count(self) -> None:
        """Write down what this process has asked of the venue, which no task does for it."""
        self._meter()

    def note_dropped(self, counts: dict[tuple[str, str], int], timeframe: str) -> None:
        logger.warning("the stream told what is not believed: %s", _listed(counts))
        try:
            quality.note_dropped(counts, venue=self._venue, timeframe=timeframe, now=self._clock())
        except DatabaseError as error:
            logger.warning("what was dropped is not noted: %s", error)

    def note_series(self, candles: Candles | None, symbol: str, timeframe: str, *, is_listed: bool) -> None:
        """Judge what is kept of a series and note it; a symbol that is not listed any more is refused."""
        judged = judging.judge(candles) if candles is not None else Quality(state=State.REFUSED, reason="no bars")
        if not is_listed:
            judged = Quality(state=State.REFUSED, reason="the venue does not list it: it was renamed or taken off")
        try:
            quality.note(judged, venue=self._venue, symbol=symbol, timeframe=timeframe, now=self._clock())
        except DatabaseError as error:
            logger.warning("the quality of %s is not noted: %s", symbol, error)


def _listed(counts: Mapping[tuple[str, str], int]) -> str:
    rows = sorted(counts.items(), key=lambda item: -item[1])[:5]
    return "; ".join(f"{count} x {reason}{f' of {symbol}' if symbol else ''}" for (symbol, reason), count in rows)
