"""The sums of all closed trades of a span, however many: days that change no more were added up once, the others are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from dashboard import tallies
from dashboard.models import Tally
from dashboard.sums import Sums
from trading import selectors
from trading.models import Trade
from trading.selectors import Summary

NAME = "results"
"""Of the tallies: each is of one day, on which at least one trade closed."""
DAY = timedelta(days=1)


class Adder:
    """Tells other apps what the pages tell: see selectors.Adder."""

    def summary(self, *, since: datetime | None, now: datetime) -> Summary | None:
        return sums(since=since, now=now).summary()

    def periods(
        self, begin: Callable[[date], date], *, since: datetime, now: datetime
    ) -> Sequence[tuple[date, Summary]]:
        found: dict[date, Sums] = defaultdict(Sums)
        for day, made in days(since=since, now=now):
            found[begin(day)].add(made)
        return [(first, told) for first, each in found.items() if (told := each.summary()) is not None]


def sums(*, since: datetime | None, now: datetime) -> Sums:
    """Return the sums of what closed from `since` on (None: ever)."""
    found = Sums()
    for _, made in days(since=since, now=now):
        found.add(made)
    return found


def days(*, since: datetime | None, now: datetime) -> Iterator[tuple[date, Sums]]:
    """Yield each day on which something closed from `since` on (None: ever) with its sums, the oldest first."""
    _settle(now)
    begin, kept = since, Tally.objects.filter(name=NAME).order_by("first")
    if since is not None:
        midnight = _midnight(since.astimezone(UTC).date() + DAY)
        yield from _read(since, midnight)
        kept, begin = kept.filter(first__gte=midnight.toordinal()), midnight
    for ordinal, counts in kept.values_list("first", "counts"):
        day = date.fromordinal(ordinal)
        yield day, Sums.from_json(counts)
        begin = _midnight(day + DAY)
    yield from _read(begin, None)


def _read(since: datetime | None, until: datetime | None) -> Iterator[tuple[date, Sums]]:
    closed = selectors.closed(since=since, until=until)
    for day, results in groupby(closed, key=lambda result: result.closed_at.astimezone(UTC).date()):
        yield day, Sums.of(results)


def anew(first: int, last: int) -> dict[str, Any]:
    """Return the sums of whole days, given by their ordinals, as they are kept."""
    begin, end = _midnight(date.fromordinal(first)), _midnight(date.fromordinal(last) + DAY)
    return Sums.of(selectors.closed(since=begin, until=end)).as_json()


def _settle(now: datetime) -> None:
    """Keep the sums of every day that is over for so long that it changes no more."""
    for day in _days(now):
        tallies.keep(NAME, day.toordinal(), day.toordinal(), anew(day.toordinal(), day.toordinal()), now=now)


def _days(now: datetime) -> Iterator[date]:
    """Yield the settled days on which something closed and that are not kept yet, oldest first."""
    newest = Tally.objects.filter(name=NAME).order_by("-first").values_list("first", flat=True).first()
    end, closed = _midnight((now - tallies.SETTLED).astimezone(UTC).date()), Trade.objects.exclude(closed_at=None)
    begin = _midnight(date.fromordinal(newest) + DAY) if newest else None
    while True:
        further = closed.filter(closed_at__lt=end, **({"closed_at__gte": begin} if begin else {}))
        at = further.order_by("closed_at").values_list("closed_at", flat=True).first()
        if at is None:
            return
        yield at.date()
        begin = _midnight(at.date() + DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)
