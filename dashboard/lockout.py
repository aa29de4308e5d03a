"""Who guesses passwords is locked out: by account and address together, by account, and by address, each longer than before.

A try is counted before the password is looked at, so many at once get no more than their number. A name that is unknown is
counted like one that is known, and what is said is the same.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.base import AxesHandler
from axes.helpers import get_client_username
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.models import LoginLock
from trading.models import AuditOutcome
from trading.services import audit

FIRST_LOCK, LONGEST_LOCK = timedelta(minutes=5), timedelta(hours=24)
FORGET = timedelta(hours=24)
"""Tries that are older count no more."""
REFUSED = "Name and password do not fit together, or there were too many tries. Wait a while before you try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One thing that is counted: `limit` tries, then nothing is looked at for a while."""

    key: str
    limit: int


class LoginForm(AuthenticationForm):
    """Says the same whether the name is unknown, the password wrong or the account closed."""

    error_messages = {"invalid_login": REFUSED, "inactive": REFUSED}


class Handler(AxesHandler):  # type: ignore[misc]  # axes has no types
    """django-axes asks it before each log-in and tells it what came of it."""

    def is_allowed(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        name, address = _who(request, credentials)
        return claim(name, address, now=request.axes_attempt_time)  # type: ignore[attr-defined]

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        keys = [bound.key for bound in bounds(*_who(request, credentials))]
        return max(LoginLock.objects.filter(key__in=keys).values_list("failures", flat=True), default=0)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        clear(user.get_username(), _address(request))

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """Lift locks for manage.py axes_reset; an address and an account together lift all three."""
        rows = LoginLock.objects.all()
        if ip_address or username:
            rows = rows.filter(key__in=[bound.key for bound in bounds(username or "", ip_address or "")])
        count, _ = rows.delete()
        return count


def bounds(name: str, address: str) -> tuple[Bound, ...]:
    """Return what one try counts against."""
    # Letters in one case: else each way to write a name would have tries of its own.
    name = name.casefold()
    return (
        Bound(key=_key("both", name, address), limit=5),
        Bound(key=_key("account", name), limit=20),
        Bound(key=_key("address", address), limit=50),
    )


def claim(name: str, address: str, *, now: datetime) -> bool:
    """Count a try and return whether it may be made; the last one of a limit locks those that follow."""
    with transaction.atomic():
        counted = [(bound, _row(bound, now)) for bound in bounds(name, address)]
        if any(row.locked_until is not None and row.locked_until > now for _, row in counted):
            # Who is locked out counts no further: else one address could lock an account for all the others.
            return False
        locked = [bound for bound, row in counted if _count(row, bound.limit, now)]
        if locked:
            _tell(name, address, [row for bound, row in counted if bound in locked], now)
    return True


def clear(name: str, address: str) -> None:
    """Forget the tries of whoever has just shown the right password."""
    both, account, shared = bounds(name, address)
    LoginLock.objects.filter(key__in=[both.key, account.key]).delete()
    # Others share the address: who knows one password must not clear what was counted for the rest.
    LoginLock.objects.filter(key=shared.key, failures__gt=0).update(failures=F("failures") - 1, locked_until=None)


def response(request: HttpRequest, original: HttpResponse | None, credentials: Any) -> HttpResponse:
    """Answer a locked log-in as a failed one, with the same words."""
    context = {"form": LoginForm(request), "refused": REFUSED, "next": request.POST.get("next", "")}
    return render(request, "dashboard/login.html", context, status=429)


def prune(*, now: datetime) -> int:
    """Delete what counts no more, and return how many rows there were."""
    over = Q(locked_until__isnull=True) | Q(locked_until__lt=now)
    count, _ = LoginLock.objects.filter(over, at__lt=now - FORGET).delete()
    return count


def _row(bound: Bound, now: datetime) -> LoginLock:
    row, _ = LoginLock.objects.select_for_update().get_or_create(key=bound.key, defaults={"at": now})
    return row


def _count(row: LoginLock, limit: int, now: datetime) -> bool:
    """Write one more try down, and return whether it was the last one for a while."""
    if row.failures >= limit or now - row.at > FORGET:
        # A lock that is over begins a new count, and the next lock lasts longer.
        row.failures = 0
    if now - row.at > FORGET:
        row.locks = 0
    row.failures += 1
    row.at = now
    is_last = row.failures >= limit
    if is_last:
        row.locked_until = now + min(LONGEST_LOCK, FIRST_LOCK * 2 ** min(row.locks, 12))
        row.locks += 1
    row.save(update_fields=["failures", "locks", "locked_until", "at"])
    return is_last


def _tell(name: str, address: str, rows: list[LoginLock], now: datetime) -> None:
    until = max(row.locked_until for row in rows if row.locked_until)
    text = f"Locked out for {math.ceil((until - now).total_seconds() / 60)} minutes after too many tries"
    audit.record("login_locked", actor=known(name), at=now, about=address, text=text, outcome=AuditOutcome.REFUSED)


def known(name: str) -> str:
    """Return the name where there is such an account: people type passwords into the field of the name."""
    users = get_user_model().objects
    return name if name and users.filter(username=name).exists() else ""


def _who(request: HttpRequest, credentials: dict[str, Any] | None) -> tuple[str, str]:
    return str(get_client_username(request, credentials) or "")[:150], _address(request)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
