"""Fills the candle store from a venue: only what is missing, a page at a time, each page kept before the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from trading.adapters.candle_store import CandleStore
from trading.core import timeframes
from trading.core.feed import Past

PAGE_BARS = 1000

Span = tuple[datetime, datetime]
"""From the open time of the first bar up to but without that of the last."""


@dataclass(slots=True)
class Tally:
    """What a fetch has come to: bars that were new, pages asked for, rows that were not believed, by reason."""

    new: int = 0
    pages: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def plus(self, other: Tally) -> Tally:
        reasons = {*self.dropped, *other.dropped}
        dropped = {reason: self.dropped.get(reason, 0) + other.dropped.get(reason, 0) for reason in sorted(reasons)}
        return Tally(new=self.new + other.new, pages=self.pages + other.pages, dropped=dropped)


def missing(store: CandleStore, symbol: str, timeframe: str, *, start: datetime, stop: datetime) -> list[Span]:
    """Return the spans of closed bars in [start, stop) that are not stored, oldest first."""
    span = timeframes.milliseconds(timeframe)
    first = -(-timeframes.to_ms(start) // span) * span
    last = timeframes.to_ms(stop) // span * span
    begins = store.begins_at(symbol, timeframe)
    if begins is not None:
        first = max(first, timeframes.to_ms(begins))
    if first >= last:
        return []
    opened = store.opened(symbol, timeframe, start=timeframes.from_ms(first), end=timeframes.from_ms(last))
    edges = np.concatenate([[first - span], opened, [last]])
    rows = np.flatnonzero(np.diff(edges) > span)
    return [(timeframes.from_ms(edges[row] + span), timeframes.from_ms(edges[row + 1])) for row in rows]


def fill(
    *,
    past: Past,
    store: CandleStore,
    symbol: str,
    timeframe: str,
    start: datetime,
    stop: datetime,
    clock: Callable[[], datetime],
    page_bars: int = PAGE_BARS,
) -> Iterator[Tally]:
    """Fetch what is missing of [start, stop) and yield after each page, which is kept by then.

    Whoever stops in between, or is stopped, goes on by asking again. Raises MarketDataUnavailable, UnknownSymbol and
    CandleStoreError.
    """
    tally = Tally()
    for begin, end in missing(store, symbol, timeframe, start=start, stop=stop):
        at = begin
        while at < end:
            until = min(end, at + page_bars * timeframes.length(timeframe))
            found = past.history(symbol, timeframe, start=at, stop=until, now=clock())
            for run in found.runs:
                # The venue's own answer counts, should anything else be stored.
                tally.new += store.write(run, corrects=True)
            for reason, count in found.dropped.items():
                tally.dropped[reason] = tally.dropped.get(reason, 0) + count
            tally.pages += 1
            # A venue's page may be shorter than ours; where it has no bar at all, go on behind the page.
            reached = found.runs[-1].closed_at(len(found.runs[-1]) - 1) if found.runs else until
            at = max(reached, at + timeframes.length(timeframe))
            yield tally


def forget(store: CandleStore, *, keep: timedelta, now: datetime) -> int:
    """Remove the months that ended more than `keep` ago from every series, and return how many; zero keeps all."""
    if not keep:
        return 0
    return sum(store.forget_before(each.symbol, each.timeframe, now - keep) for each in store.series())
