"""Decisions as a list and as JSON."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.listings.trades import SIDE, SYMBOL
from dashboard.told import Json
from mlops.selectors import became
from trading.models import Signal, SignalStatus, SignalVerdict


def _rows() -> QuerySet[Signal]:
    verdicts = Prefetch("verdicts", queryset=SignalVerdict.objects.order_by("position"))
    return Signal.objects.select_related("trade", "shadow").prefetch_related(verdicts)


def as_json(signal: Signal) -> dict[str, Json]:
    trade = getattr(signal, "trade", None)
    return told.fields(
        id=signal.pk,
        symbol=signal.symbol,
        timeframe=signal.timeframe,
        bar_at=signal.bar_at,
        decided_at=signal.decided_at,
        strategy=signal.strategy,
        side=signal.side,
        status=signal.status,
        refused_by=signal.refused_by,
        reason=signal.reason,
        price=signal.price,
        atr=signal.atr,
        regime=signal.regime,
        score=signal.score,
        indicators=signal.indicators,
        revision=signal.revision_id,
        code_version=signal.code_version,
        trade=trade.pk if trade else None,
        became=_became(signal),
        verdicts=[
            told.fields(
                name=verdict.name,
                passed=verdict.passed,
                value=verdict.value,
                limit=verdict.limit,
                reason=verdict.reason,
            )
            for verdict in signal.verdicts.all()
        ],
    )


def _became(signal: Signal) -> dict[str, Json] | None:
    """Return what became of it: as a trade, or as the one that a refused setup would have been."""
    found = became(signal)
    if found is None:
        return None
    return told.fields(is_real=found.is_real, won=found.won, r=found.r, pnl=found.pnl, text=found.text)


SIGNALS = Listing(
    name="signals",
    rows=_rows,
    filters=(
        SYMBOL,
        SIDE,
        query.choice("status", "Outcome", "status", SignalStatus.choices, is_indexed=True),
        query.beginning("refused_by", "Refused by", "refused_by"),
        query.beginning("strategy", "Entry", "strategy"),
        query.since("decided_at"),
        query.until("decided_at"),
    ),
    sorts={
        "id": Sort(column="pk"),
        "decided": Sort(column="decided_at"),
        "symbol": Sort(column="symbol"),
        "score": Sort(column="score", is_nullable=True),
    },
    told=as_json,
    default_sort="-decided",
)
