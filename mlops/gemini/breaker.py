"""The breaker in a row: after some failures in a row Gemini is left alone, then one question at a time tries it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from mlops.models import GeminiState
from trading import events

FAILURES = 3
"""So many in a row open it; a refused key or an empty quota opens it at once."""
PAUSE, LONGEST_PAUSE = timedelta(seconds=60), timedelta(minutes=15)
TRIAL = timedelta(seconds=20)
"""For so long the one question that tries has it for itself."""


def state() -> GeminiState:
    return GeminiState.objects.get_or_create(pk=1)[0]


def refusal(*, now: datetime) -> str:
    """Return why nobody may ask now, or nothing. Whoever gets nothing while it was open is the one that tries."""
    row = state()
    if row.open_until is None:
        return ""
    if row.open_until > now:
        return f"Gemini is left alone until {row.open_until:%H:%M:%S} UTC after {row.failures_in_row} failures"
    tries = GeminiState.objects.filter(pk=1, open_until=row.open_until).update(open_until=now + TRIAL)
    return "" if tries else "another question tries whether Gemini answers again"


def failed(reason: str, *, now: datetime, is_quota: bool) -> None:
    with transaction.atomic():
        GeminiState.objects.filter(pk=1).update(
            failures_in_row=F("failures_in_row") + 1, last_error=reason[:200], last_error_at=now
        )
        row = GeminiState.objects.get(pk=1)
        if row.failures_in_row < FAILURES and not is_quota and row.open_until is None:
            return
        until = now + min(PAUSE * 2 ** min(max(row.failures_in_row - FAILURES, 0), 8), LONGEST_PAUSE)
        is_news = GeminiState.objects.filter(pk=1, open_until__isnull=True).update(open_until=until)
        if is_news:
            events.emit("ai_down", at=now, text=f"Gemini is left alone for a while: {reason}")
        else:
            GeminiState.objects.filter(pk=1).update(open_until=until)


def answered(*, now: datetime) -> None:
    with transaction.atomic():
        was_open = GeminiState.objects.filter(pk=1, open_until__isnull=False).update(open_until=None)
        GeminiState.objects.filter(pk=1).update(failures_in_row=0, answered_at=now)
        if was_open:
            events.emit("ai_back", at=now, text="Gemini answers again")
