"""Log-ins, log-outs and what was refused at the door, as entries of the audit; people hear of what may be a thief's work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from dashboard import lockout
from trading import events
from trading.models import AuditEntry, AuditOutcome
from trading.services import audit

ACCESS = "access"
"""The journal's kind of what concerns ways in."""
KNOWN = timedelta(days=90)
"""An address that an account last came from longer ago is a new one."""


def tell(text: str, *, now: datetime) -> None:
    """Write into the journal that a way in was used or changed, and so have people hear of it."""
    events.emit(ACCESS, at=now, text=text)


@receiver(user_logged_in)
def came(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    name, now, address = user.get_username(), timezone.now(), str(request.META.get("REMOTE_ADDR") or "")
    earlier = AuditEntry.objects.filter(actor=name, act="login", address=address, at__gt=now - KNOWN)
    with transaction.atomic():
        if address and not earlier.exists():
            tell(f"{name} logged in from {address}, for the first time in {KNOWN.days} days", now=now)
        audit.record("login", actor=name, at=now, text="Logged in")


@receiver(user_logged_out)
def went(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit.record("logout", actor=user.get_username(), at=timezone.now(), text="Logged out")


@receiver(user_login_failed)
def refused(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Write down each password that was looked at and wrong; what a lock refuses was written down with the lock."""
    if getattr(request, "axes_locked_out", False):
        return
    name = lockout.known(str(credentials.get("username") or ""))
    who = "" if name else " of a name that is unknown"
    audit.record(
        "login_failed",
        actor=name,
        at=timezone.now(),
        text=f"Refused a log-in{who}",
        outcome=AuditOutcome.REFUSED,
    )
