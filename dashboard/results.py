"""The sums of all closed trades of a span, however many: days that change no more were added up once, the others are now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboard import tallies
from dashboard.models import Tally
from dashboard.sums import Sums
from trading import selectors
from trading.models import Trade

NAME = "results"
"""Of the tallies: each is of one day, on which at least one trade closed."""
DAY = timedelta(days=1)


def sums(*, since: datetime | None, now: datetime) -> Sums:
    """Return the sums of what closed from `since` on (None: ever)."""
    _settle(now)
    found, begin = Sums(), since
    kept = Tally.objects.filter(name=NAME).order_by("first")
    if since is not None:
        midnight = _midnight(since.astimezone(UTC).date() + DAY)
        found.add(Sums.of(selectors.closed(since=since, until=midnight)))
        kept, begin = kept.filter(first__gte=midnight.toordinal()), midnight
    for day, counts in kept.values_list("first", "counts"):
        found.add(Sums.from_json(counts))
        begin = _midnight(date.fromordinal(day) + DAY)
    found.add(Sums.of(selectors.closed(since=begin, until=None)))
    return found


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
