"""When trainings are due, and the work that the queue `ml` does for them; all of it may be done twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from mlops import runs
from mlops.models import ModelKind, ModelStatus, ModelVersion, ShadowOutcome, ShadowState, TrainingRun
from mlops.runs import TrainingRefused
from trading.models import RunStatus, Trade, TradeStatus

SCHEDULE = "schedule"
"""Who asks where no person does."""


def ask(*, now: datetime) -> list[TrainingRun]:
    """Ask for each kind's training that is due: a day after the last one, or after so many new samples."""
    asked = []
    for kind in ModelKind:
        if is_due(kind, now=now):
            try:
                asked.append(runs.queue(kind, options={}, by=SCHEDULE, now=now))
            except TrainingRefused:  # one waits or runs already
                continue
    return asked


def is_due(kind: str, *, now: datetime) -> bool:
    """Return whether a kind was never trained, or not for TRAIN_HOURS, or whether TRAIN_SAMPLES have ended since."""
    last = TrainingRun.objects.filter(kind=kind).order_by("-requested_at").first()
    if last is None:
        return True
    if now - last.requested_at >= timedelta(hours=settings.TRAIN_HOURS):
        return True
    if last.status not in (RunStatus.DONE, RunStatus.FAILED):
        return False
    trades = Trade.objects.filter(status=TradeStatus.CLOSED, closed_at__gt=last.requested_at)
    refused = ShadowOutcome.objects.filter(state=ShadowState.CLOSED, ended_at__gt=last.requested_at)
    return trades.count() + refused.count() >= settings.TRAIN_SAMPLES


def is_watch_due() -> bool:
    """Return whether there is a model to watch."""
    return ModelVersion.objects.filter(status__in=(ModelStatus.CHAMPION, ModelStatus.CANDIDATE)).exists()
