"""Who could consent hears that somebody waits for it; who asked hears the answer."""

from __future__ import annotations

from datetime import datetime

from notifications import rendering
from notifications.models import Severity
from notifications.services import push
from trading.models import Consent, Event
from trading.services import consenting

KIND = "consent"


def tell(event: Event, *, now: datetime) -> None:
    """Say that a request waits, while somebody can still answer it, or what became of it."""
    row = Consent.objects.select_related("asked_by").filter(pk=event.payload.get("consent")).first()
    if row is None:
        return
    if "answer" in event.payload:
        _push(event, "Your request was answered", [event.text], lambda user: user.pk == row.asked_by_id, now)
    elif not row.answer and now < row.expires_at:
        lines = [event.text, f"Why: {row.reason}", "Consent or refuse on the page Consents."]
        _push(event, "Somebody asks for your consent", lines, lambda user: consenting.may_answer(row, user), now)


def _push(event: Event, title: str, lines: list[str], whom: push.Whom, now: datetime) -> None:
    told = rendering.text(*lines)
    key = f"event:{event.pk}"
    push.everywhere(KIND, key=key, title=title, lines=told, now=now, severity=Severity.WARNING, whom=whom)
