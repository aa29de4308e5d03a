"""What became of signals that models were asked about: their trade, or the one that a refused one would have been."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from mlops.models import ModelVersion
from mlops.models.shadow import ShadowOutcome, ShadowState
from mlops.registry import SOURCES
from trading.models import Advice, Trade, TradeStatus

_LOOKED_AT = 2_000
"""Newest answers of which outcomes are sought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer whose outcome is known."""

    confidence: float
    approved: bool
    won: bool
    ended_at: datetime

    @property
    def is_right(self) -> bool:
        return self.approved == self.won


def of_signals(signals: Collection[int]) -> dict[int, tuple[bool, datetime]]:
    """Return by signal whether it won and when that was known; signals that have not ended are left out."""
    found: dict[int, tuple[bool, datetime]] = {}
    ended = ShadowOutcome.objects.filter(state=ShadowState.CLOSED, signal_id__in=signals, ended_at__isnull=False)
    for signal, won, ended_at in ended.values_list("signal_id", "won", "ended_at"):
        if won is not None and ended_at is not None:
            found[signal] = (won, ended_at)
    for trade in Trade.objects.filter(status=TradeStatus.CLOSED, signal_id__in=signals, closed_at__isnull=False):
        if trade.closed_at is not None:
            found[trade.signal_id] = (trade.pnl > 0, trade.closed_at)
    return found


def judged(version: ModelVersion, *, most: int) -> list[Judged]:
    """Return a version's answers whose outcome is known, the one that was known last first, at most so many."""
    asked = Advice.objects.filter(
        source=SOURCES[version.kind], model=str(version), approve__isnull=False, confidence__isnull=False
    ).order_by("-at")
    answers = {
        signal: (confidence, approve)
        for signal, confidence, approve in asked.values_list("signal_id", "confidence", "approve")[:_LOOKED_AT]
        if confidence is not None and approve is not None
    }
    made = [
        Judged(confidence=answers[signal][0], approved=answers[signal][1], won=won, ended_at=ended_at)
        for signal, (won, ended_at) in of_signals(list(answers)).items()
    ]
    return sorted(made, key=lambda each: each.ended_at, reverse=True)[:most]
