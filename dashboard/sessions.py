"""Sessions end: after a while without a request, after a working day, and when somebody says so.

The times stand in the session itself, so a request costs no query for them; the rows are what people see of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from dashboard import push
from dashboard.models import SessionRecord

BEGUN, SEEN, PROVED = "begun_at", "seen_at", "proved_at"
NOTE_EVERY = timedelta(minutes=1)
"""A session is written at most so often: each request would else write to the database."""


def is_over(session: SessionBase | Mapping[str, Any], *, now: datetime) -> bool:
    """Return whether a session has lasted too long or has not been used for too long; one without times has."""
    begun, seen = _moment(session, BEGUN), _moment(session, SEEN)
    if begun is None or seen is None:
        return True
    idle, whole = timedelta(minutes=settings.SESSION_IDLE_MINUTES), timedelta(hours=settings.SESSION_HOURS)
    return not (now - seen < idle and now - begun < whole)


def note_use(session: SessionBase, *, now: datetime) -> None:
    """Write down that the session is used, once a minute."""
    seen = _moment(session, SEEN)
    if seen is None or now - seen >= NOTE_EVERY:
        session[SEEN] = now.isoformat()
        SessionRecord.objects.filter(session_key=session.session_key or "").update(seen_at=now)


def prove(session: SessionBase, *, now: datetime) -> None:
    """Write down that whoever sits there has just proved to be who they say."""
    session[PROVED] = now.isoformat()


def proved_at(session: SessionBase) -> datetime | None:
    return _moment(session, PROVED)


def end(rows: Any) -> int:
    """End the sessions of these records and return how many there were."""
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    SessionRecord.objects.filter(session_key__in=keys).delete()
    if keys:
        close_sockets()
    return len(keys)


def close_sockets() -> None:
    """Have every socket look, after commit, whether its session still holds."""
    transaction.on_commit(lambda: push.announce(push.SESSION_ENDED, timezone.now()), robust=True)


def end_others(user: User, *, but: str | None) -> int:
    """End every session of an account except one."""
    return end(SessionRecord.objects.filter(user=user).exclude(session_key=but or ""))


def prune(*, now: datetime) -> int:
    """Delete what is over, sessions and records alike, and return how many records there were."""
    Session.objects.filter(expire_date__lt=now).delete()
    return end(SessionRecord.objects.filter(begun_at__lt=now - timedelta(hours=settings.SESSION_HOURS)))


@receiver(user_logged_in)
def begin(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Give a new session its times and its record."""
    now = timezone.now()
    for name in (BEGUN, SEEN, PROVED):
        request.session[name] = now.isoformat()
    if not request.session.session_key:
        request.session.save()
    SessionRecord.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "address": str(request.META.get("REMOTE_ADDR") or "")[:45],
            "agent": str(request.META.get("HTTP_USER_AGENT") or "")[:200],
            "begun_at": now,
            "seen_at": now,
        },
    )


@receiver(user_logged_out)
def forget(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    # Django drops the session itself right after this.
    SessionRecord.objects.filter(session_key=request.session.session_key or "").delete()
    # Not on commit: the session itself goes right after this, outside of any transaction.
    request.session_ended = True  # type: ignore[attr-defined]


def renew(request: HttpRequest, *, was: str | None) -> None:
    """Have the record follow a session whose key was changed."""
    SessionRecord.objects.filter(session_key=was or "").update(session_key=request.session.session_key)


def _moment(session: SessionBase | Mapping[str, Any], name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(session[name])
    except (KeyError, TypeError, ValueError):
        return None
