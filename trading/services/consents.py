"""Asking for another person's consent, where SECOND_PERSON says that one is needed; services/consenting.py gives it.

Whatever loosens asks here before it does anything, so every way to it does: pages, API, administration, messages, shell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from trading import events
from trading.core.params import SPECS
from trading.models import Consent, ConsentAct, ConsentAnswer
from trading.services import audit

EVENT = "consent"
LIFE = timedelta(hours=1)
ON_THE_PAGES = "another person has to consent to this: ask for it on the pages, with an account of your own"


def is_on() -> bool:
    return bool(settings.SECOND_PERSON)


def touches_risk(changes: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether changes of parameters are of how much money can be lost."""
    return any(SPECS[change["name"]].risk for change in changes)


def missing(
    act: ConsentAct,
    *,
    about: str,
    text: str,
    arguments: Mapping[str, Any],
    reason: str,
    by: str,
    now: datetime,
    consent: Consent | None,
) -> str:
    """Return in a sentence what has to come first, having asked for it; empty where the act may be done.

    `consent` is the one that was given to this very act. Call it outside of any transaction that a refusal undoes.
    """
    if not is_on() or (consent and (consent.act, consent.about, consent.answer) == (act, about, ConsentAnswer.GIVEN)):
        return ""
    asker = User.objects.filter(username=by, is_active=True).first()
    if asker is None:
        return ON_THE_PAGES
    waiting = Consent.objects.filter(act=act, about=about, asked_by=asker, answer="", expires_at__gt=now).first()
    row = waiting or _ask(asker, now, act=act, about=about, text=text, arguments=dict(arguments), reason=reason[:500])
    return (
        f"another person has until {row.expires_at:%H:%M} UTC to consent to it on the page Consents, request {row.pk}"
    )


def _ask(asker: User, now: datetime, **columns: Any) -> Consent:
    name = asker.get_username()
    with transaction.atomic():
        row = Consent.objects.create(asked_by=asker, asked_at=now, expires_at=now + LIFE, **columns)
        said = f"{name} asks for consent until {row.expires_at:%H:%M} UTC, request {row.pk}: {row.text}"
        events.emit(EVENT, at=now, text=said, payload={"consent": row.pk})
        audit.record(
            "consent_asked",
            actor=name,
            at=now,
            about=f"consent {row.pk}",
            text=f"{row.text} {row.reason}",
            details={"act": row.act, "about": row.about, **row.arguments},
        )
    return row
