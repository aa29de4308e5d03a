"""What there is to follow and to count; light, for it is asked each minute by a process that mostly has nothing to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from mlops.models import Scorecard, ShadowOutcome, ShadowState
from trading.models import Signal, SignalStatus, Trade, TradeStatus

OVERLAP = timedelta(days=1)
"""A signal may be refused so long after a later one: it waited for advice."""
REFRESH = timedelta(minutes=5)
"""Figures are not written anew before."""


def unseen() -> QuerySet[Signal]:
    """Return the refused signals that have no row; only those near the newest row are looked at, for older ones have."""
    newest = ShadowOutcome.objects.order_by("-pk").values_list("signal__decided_at", flat=True).first()
    refused = Signal.objects.filter(status=SignalStatus.REFUSED, shadow=None)
    return refused.filter(decided_at__gte=newest - OVERLAP) if newest else refused


def due(now: datetime) -> QuerySet[ShadowOutcome]:
    """Return the open rows whose next bar has closed."""
    return ShadowOutcome.objects.filter(state=ShadowState.OPEN, due_at__lte=now)


def is_due(*, now: datetime) -> bool:
    return due(now).exists() or unseen().exists()


def ended() -> int:
    """Return how many outcomes there are."""
    shadows = ShadowOutcome.objects.filter(state=ShadowState.CLOSED).count()
    return shadows + Trade.objects.filter(status=TradeStatus.CLOSED).count()


def is_stale(*, now: datetime) -> bool:
    """Return whether anything ended since the figures were written, and they are old enough to be written anew."""
    newest = Scorecard.objects.filter(days=0).first()
    if newest is None:
        return ended() > 0
    return not timedelta(0) <= now - newest.at < REFRESH and bool(newest.figures.get("ended") != ended())
