"""Watches the AI: whether its answers say anything at all, and whether they come true as often as it promises.

The rules that stand in without a key are left alone: they are no model, and their confidence is no probability.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import QuerySet

from mlops import outcomes
from trading import events
from trading.core.advising import AI
from trading.models import Advice, Event

KIND = "model_alert"
SILENCE = timedelta(days=1)
"""People are told at most so often."""
SAME = 30
"""So many answers in a row that are all alike tell nothing of the setups."""
JUDGED, LEAST_JUDGED = 200, 50
MOST_OFF, SURE = 0.10, 2.0
"""Between the mean probability and the share that won: a share of one, and standard errors."""


def watch(*, now: datetime) -> None:
    """Tell people where the AI always says the same, or promises otherwise than it came."""
    recent = Event.objects.filter(kind=KIND, at__gt=now - SILENCE, payload__source=AI)
    if not asked().exists() or recent.exists():
        return
    said = [text for text in (_sameness(), _promises()) if text]
    if said:
        events.emit(KIND, at=now, text=f"The AI {'; and it '.join(said)}", payload={"source": AI})


def asked() -> QuerySet[Advice]:
    """Return what a model with a prompt answered, newest first."""
    given = Advice.objects.filter(source=AI, approve__isnull=False, confidence__isnull=False)
    return given.exclude(prompt="").order_by("-at", "-pk")


def _sameness() -> str:
    answers = list(asked().values_list("approve", flat=True)[:SAME])
    if len(answers) < SAME or len(set(answers)) > 1:
        return ""
    return (
        f"said {'yes' if answers[0] else 'no'} to all of its last {SAME} questions, so its answers carry no information"
    )


def _promises() -> str:
    given = asked().values_list("signal_id", "approve", "confidence")[:JUDGED]
    # Its confidence is of its answer: a no with 0.9 promises a win with 0.1.
    promised = {pk: sure if approve else 1.0 - sure for pk, approve, sure in given if sure is not None}
    ended = outcomes.of_signals(list(promised))
    if len(ended) < LEAST_JUDGED:
        return ""
    won = sum(is_won for is_won, _ in ended.values()) / len(ended)
    off = sum(promised[pk] for pk in ended) / len(ended) - won
    if abs(off) <= max(MOST_OFF, SURE * math.sqrt(won * (1.0 - won) / len(ended))):
        return ""
    return f"promised {off:+.0%} more wins than there were of {len(ended)} setups"
