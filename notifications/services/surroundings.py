"""What surrounds trading and must not go on unnoticed: disk, backups, clocks, log-ins, the venue's pauses, models that err."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.module_loading import import_string
from redis import Redis
from redis.exceptions import RedisError

from notifications import formats
from notifications.ports import Reporter
from trading import selectors
from trading.models import AuditEntry

Found = Mapping[str, str]
GUESSING = timedelta(minutes=10)
LIVES_AGAIN = timedelta(minutes=10)
"""A process that has not ended again for so long has settled."""
REFUSED = ("login_failed", "login_locked")


def disk(limit: float, now: datetime) -> Found:
    usage = shutil.disk_usage(settings.JULABA_DATA_DIR)
    left = usage.free / usage.total
    if left >= limit:
        return {}
    return {
        "": f"{formats.percent(left)} of the disk are left ({usage.free // 2**20} MB): make room, or trading stops."
    }


def backup_old(limit: float, now: datetime) -> Found:
    keeping = selectors.keeping()
    since = keeping.backup_at or keeping.began_at
    if since is None or now - since <= timedelta(hours=limit):
        return {}
    what = "The last backup was made" if keeping.backup_at else "There is no backup, and trading began"
    return {"": f"{what} {formats.span(now - since)} ago: read the journal for why, then run manage.py backup."}


def clock(limit: float, now: datetime) -> Found | None:
    """Compare with the clock of Redis, which may run on another machine; how long the answer took is in its favour."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            before = datetime.now(tz=UTC)
            seconds, micros = client.time()
            after = datetime.now(tz=UTC)
    except (RedisError, OSError):
        return None
    theirs = datetime.fromtimestamp(int(seconds), tz=UTC) + timedelta(microseconds=int(micros))
    offset = max(theirs - after, before - theirs, timedelta(0))
    if offset <= timedelta(seconds=limit):
        return {}
    return {
        "": f"The clocks of this machine and of Redis differ by {formats.span(offset)}: let both follow a time server."
    }


def process(limit: float, now: datetime) -> Found:
    """Return what the supervisor has started again: each of its notes is as old as what it tells of."""
    found = {}
    for note in sorted((settings.JULABA_DATA_DIR / "run" / "ended").glob("*")):
        at = datetime.fromtimestamp(note.stat().st_mtime, tz=UTC)
        if now - at <= LIVES_AGAIN:
            found[note.name] = (
                f"{note.name} ended by itself at {at:%H:%M:%S} UTC (exit code {note.read_text().strip()}) "
                "and was started again: look at its lines in the log."
            )
    return found


def logins(limit: float, now: datetime) -> Found:
    refused = AuditEntry.objects.filter(act__in=REFUSED, at__gt=now - GUESSING).count()
    if refused < max(1, limit):
        return {}
    return {
        "": f"{refused} log-ins were refused within {formats.span(GUESSING)}: the page Audit shows for whom and from where."
    }


def venue_pause(limit: float, now: datetime) -> Found:
    return {
        pause.venue: f"{pause.venue} is asked nothing until {pause.until:%H:%M:%S} UTC, as it wants: exits wait for it too."
        for pause in reversed(selectors.pauses(now=now))
        if pause.until - now > timedelta(seconds=limit)
    }


def ml_accuracy(limit: float, now: datetime) -> Found:
    asker: Reporter = import_string(settings.REPORTER)()
    return {
        name: f"{name}: {formats.percent(share)} of its last 20 answers were right, {formats.percent(limit)} are wanted."
        for name, share in asker.accuracy().items()
        if share < limit
    }


ASKED: Mapping[str, Callable[[float, datetime], Found | None]] = {
    "disk": disk,
    "backup_old": backup_old,
    "clock": clock,
    "logins": logins,
    "process": process,
    "venue_pause": venue_pause,
    "ml_accuracy": ml_accuracy,
}
