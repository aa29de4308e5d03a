"""Log-ins, log-outs and what was refused at the door, as entries of the audit."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from dashboard import lockout
from trading.models import AuditOutcome
from trading.services import audit


@receiver(user_logged_in)
def came(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    audit.record("login", actor=user.get_username(), at=timezone.now(), text="Logged in")


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
