"""Candles for charts, as far as the web process has them: the simulated market, and what is kept on disk.

The numeric libraries are imported when the first chart is asked for, so other pages do without them. A real venue is
never asked from here: what is not kept is not drawn.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from trading.core import timeframes

if TYPE_CHECKING:
    from trading.core.candles import Candles

MOST_BARS = 600
MARGIN = 0.15
"""Of the trade's length, shown before and after it."""
FEWEST_BARS = 12
"""Shown before and after at least."""

Bar = tuple[int, float, float, float, float]
"""Seconds since 1970 of the open, then open, high, low and close in quote."""

logger = logging.getLogger(__name__)


def around(symbol: str, timeframe: str, *, begin: datetime, end: datetime, now: datetime) -> list[Bar]:
    """Return the closed bars around a span, oldest first, at most MOST_BARS of the newest; empty where none is kept."""
    try:
        length = timeframes.length(timeframe)
    except timeframes.UnknownTimeframe:
        return []
    margin = max(FEWEST_BARS * length, (end - begin) * MARGIN)
    stop = min(end + margin, now)
    start = max(begin - margin, stop - MOST_BARS * length)
    found = _read(symbol, timeframe, start=start, stop=stop, length=length)
    if found is None:
        return []
    columns = zip(found.opened, found.open, found.high, found.low, found.close, strict=True)
    return [(int(at) // 1000, float(o), float(h), float(low), float(c)) for at, o, h, low, c in columns]


def before(symbol: str, timeframe: str, *, stop: datetime, count: int) -> Candles | None:
    """Return at most `count` bars that have closed by `stop`, and follow each other without a gap; None without any.

    Raises UnknownTimeframe.
    """
    length = timeframes.length(timeframe)
    found = _read(symbol, timeframe, start=stop - (count + 1) * length, stop=stop, length=length)
    return found.tail(count) if found is not None and len(found) else None


def _read(symbol: str, timeframe: str, *, start: datetime, stop: datetime, length: timedelta) -> Candles | None:
    if settings.EXCHANGE == "simulated":
        from trading.core.ports import UnknownSymbol
        from trading.research import simulate

        first, last = timeframes.bar_open(start, timeframe), timeframes.bar_open(stop, timeframe)
        try:
            return simulate.candles(
                seed=settings.SIMULATION_SEED,
                symbol=symbol,
                timeframe=timeframe,
                start=max(first, simulate.EPOCH),
                stop=last,
            )
        except (UnknownSymbol, ValueError):
            return None
    from trading import market_wiring
    from trading.adapters.candle_store import CandleStoreError
    from trading.core.candles import CandleError

    try:
        # The bar that opens less than a bar before `stop` has not closed by then.
        return market_wiring.candle_store().read_last_run(
            symbol, timeframe, start=start, end=stop - length + timedelta(milliseconds=1)
        )
    except (CandleStoreError, CandleError) as error:
        logger.info("%s %s has no candles to draw: %s", symbol, timeframe, error)
        return None
