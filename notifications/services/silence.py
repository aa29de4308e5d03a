"""Who is silent: the worker that looks and sends, beat, the worker of everything else, the stream.

A watch that is itself silent can tell nobody. So it leaves a mark, and whoever finds the mark old (manage.py watch, run
by the supervisor or a timer) looks and sends in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from notifications import formats
from notifications.models import WatchMark
from trading import selectors

Found = Mapping[str, str]
START_UP = timedelta(seconds=60)
"""A site that has just been started is given so long before its silence is an alert."""
GAP = timedelta(seconds=60)
"""Whoever has not looked for so long was not there."""
CHECKED = timedelta(seconds=180)
"""The checks of each minute belong to another queue, and so perhaps to another worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """For how long nobody has looked, sent a tick or made the checks of each minute; None where nobody ever did.

    `is_young`: the site has just been started, and old signs are of the time before.
    """

    is_guard: bool
    is_young: bool
    watch: timedelta | None
    tick: timedelta | None
    checks: timedelta | None


def signs(*, now: datetime, is_guard: bool = False) -> Signs:
    mark = WatchMark.objects.filter(pk=1).first()
    beat_at, run = selectors.keeping().beat_at, selectors.signs().invariants
    was_away = mark is not None and not is_guard and now - mark.looked_at > GAP
    return Signs(
        is_guard=is_guard,
        is_young=was_away or (mark is not None and now - mark.up_since < START_UP),
        watch=now - mark.looked_at if mark is not None else None,
        tick=now - beat_at if beat_at is not None else None,
        checks=now - run.at if run is not None else None,
    )


def note(*, now: datetime) -> None:
    """Leave the mark of having looked."""
    mark, is_new = WatchMark.objects.get_or_create(pk=1, defaults={"looked_at": now, "up_since": now - START_UP})
    if is_new:
        return
    up_since = now if now - mark.looked_at > GAP else mark.up_since
    WatchMark.objects.filter(pk=1).update(looked_at=now, up_since=up_since)


def is_silent(*, now: datetime, limit: timedelta) -> bool:
    """Return whether nobody has looked for longer than `limit`; where nobody ever has, it counts from this question on."""
    mark, _ = WatchMark.objects.get_or_create(pk=1, defaults={"looked_at": now, "up_since": now - START_UP})
    return now - mark.looked_at > limit


def _worker(signs: Signs, limit: float, now: datetime) -> Found | None:
    if signs.is_young:
        return None
    found = {}
    is_watched = signs.watch is None or not _is_long(signs.watch, limit)
    if signs.is_guard and signs.watch is not None and not is_watched and not _is_long(signs.tick, limit):
        found["notify"] = (
            f"Nobody has looked after alerts and messages for {formats.span(signs.watch)}, while trading goes on: "
            "look at the log of the worker named work."
        )
    late = max(CHECKED.total_seconds(), limit)
    if signs.checks is not None and _is_long(signs.checks, late) and is_watched:
        found["work"] = (
            f"The checks of each minute were last made {formats.span(signs.checks)} ago: "
            "look at the log of the worker that has the queue work."
        )
    return found


def _beat(signs: Signs, limit: float, now: datetime) -> Found | None:
    if signs.is_young:
        return None
    if not signs.is_guard or signs.tick is None or not _is_long(signs.tick, limit):
        return {}
    return {
        "": f"No tick was sent for {formats.span(signs.tick)}, and nobody looks after messages: look at the process "
        "named beat, at Redis and at the workers. Stops at the venue stay."
    }


def _stream(signs: Signs, limit: float, now: datetime) -> Found | None:
    if settings.EXCHANGE == "simulated":
        return {}  # its prices are asked for, there is no stream
    if signs.is_young:
        return None
    from trading import market_wiring
    from trading.core.feed import BoardUnavailable

    try:
        at = market_wiring.board().read(()).alive_at
    except BoardUnavailable:
        return None
    if at is None or now - at <= timedelta(seconds=limit):
        return {}
    return {
        "": f"The venue's stream was last heard {formats.span(now - at)} ago: prices are asked for one by one meanwhile. "
        "Look at the process named stream."
    }


def _is_long(silent: timedelta | None, limit: float) -> bool:
    return silent is not None and silent > timedelta(seconds=limit)


ASKED: Mapping[str, Callable[[Signs, float, datetime], Found | None]] = {
    "worker": _worker,
    "beat": _beat,
    "stream": _stream,
}
