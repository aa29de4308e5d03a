"""What somebody was not allowed to do goes into the audit, with a limit: who tries a thousand times writes no thousand rows."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone

from dashboard import limits
from trading.models import AuditOutcome
from trading.services import audit

MOST_A_MINUTE = 20


def record(request: HttpRequest, *, why: str, actor: str = "") -> None:
    """Write one refusal of somebody who is logged in; strangers are sent to the log-in and leave no row."""
    user = getattr(request, "user", None)
    name = actor or (user.get_username() if user is not None and user.is_authenticated else "")
    now = timezone.now()
    if not name or not limits.take(f"denials:{name}"[:80], limit=MOST_A_MINUTE, now=now):
        return
    audit.record(
        "denied",
        actor=name,
        at=now,
        about=f"{request.method} {request.path}",
        text=why or "This needs a permission that the account has not.",
        outcome=AuditOutcome.REFUSED,
    )
