"""What pages, API and messages read of scorecards, bypasses, shadows and models: plain queries, nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count

from mlops.models import (
    Bypass,
    DriftReport,
    ModelKind,
    ModelStatus,
    ModelVersion,
    Sample,
    Scorecard,
    ShadowOutcome,
    ShadowState,
    TrainingRun,
)
from trading.models import Advice, Signal, TradeStatus

SPANS = {"7d": 7, "30d": 30, "90d": 90, "all": 0}
"""The spans of the reports, in days; 0 is everything."""
ADVISERS = {"ai": "AI", "predictor": "Predictor", "regime_model": "Regime model"}
"""Sources whose word can be taken away, as people call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """What became of a setup: `is_real` where it was traded; R and quote after costs, None while nothing is known."""

    is_real: bool
    won: bool | None
    r: float | None
    pnl: Decimal | None
    text: str
    """In words, such as: would have won 1.80 R."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadows:
    """How many refused setups are followed, have ended, and could not have been traded."""

    open: int
    closed: int
    void: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Everything about the models of one kind, the newest first."""

    kind: str
    title: str
    champion: ModelVersion | None
    versions: list[ModelVersion]
    drift: DriftReport | None
    """The champion's newest."""


def scorecard(days: int) -> Scorecard | None:
    return Scorecard.objects.filter(days=days).first()


def bypasses(*, limit: int = 10) -> list[Bypass]:
    """Return the newest bypasses, those that stand first."""
    rows = list(Bypass.objects.order_by("-began_at", "-pk")[:limit])
    standing = [row for row in Bypass.objects.filter(ended_at=None).order_by("-began_at") if row not in rows]
    return sorted([*standing, *rows], key=lambda row: row.ended_at is not None)


def shadows() -> Shadows:
    counts = {row["state"]: row["count"] for row in ShadowOutcome.objects.values("state").annotate(count=Count("pk"))}
    return Shadows(
        open=counts.get(ShadowState.OPEN, 0),
        closed=counts.get(ShadowState.CLOSED, 0),
        void=counts.get(ShadowState.VOID, 0),
    )


def advices(source: str, *, limit: int) -> list[Advice]:
    """Return the newest answers of an adviser with their signals, and those with what became of them."""
    rows = Advice.objects.filter(source=source).order_by("-at", "-pk")
    return list(rows.select_related("signal", "signal__trade", "signal__shadow")[:limit])


def became(signal: Signal) -> Became | None:
    """Return what became of a signal; None where it was neither traded nor followed."""
    trade = getattr(signal, "trade", None)
    if trade is not None:
        if trade.status != TradeStatus.CLOSED or not trade.quantity:
            return Became(is_real=True, won=None, r=None, pnl=None, text=f"trade {trade.get_status_display()}")
        risked = abs(float(trade.entry_price) - trade.first_stop) * float(trade.quantity)
        r = float(trade.pnl) / risked if risked > 0 else None
        return _ended(is_real=True, pnl=trade.pnl, r=r)
    shadow: ShadowOutcome | None = getattr(signal, "shadow", None)
    if shadow is None:
        return None
    if shadow.state == ShadowState.CLOSED and shadow.pnl is not None:
        return _ended(is_real=False, pnl=shadow.pnl, r=shadow.r)
    text = "being followed" if shadow.state == ShadowState.OPEN else f"not tradable: {shadow.reason}"
    return Became(is_real=False, won=None, r=None, pnl=None, text=text)


def models() -> list[Models]:
    """Return the models of each kind."""
    return [_models(kind) for kind in ModelKind]


def trainings(*, limit: int = 10) -> list[TrainingRun]:
    return list(TrainingRun.objects.select_related("version").order_by("-requested_at", "-pk")[:limit])


def samples() -> dict[str, int]:
    """Return how many samples there are by where they come from."""
    rows = Sample.objects.values("source").annotate(count=Count("pk"))
    return {row["source"]: row["count"] for row in rows}


def last_opinions() -> dict[str, Advice]:
    """Return the newest opinion of the regime model by symbol, of the last thousand that it gave."""
    found: dict[str, Advice] = {}
    for row in Advice.objects.filter(source="regime_model").order_by("-at").select_related("signal")[:1000]:
        found.setdefault(row.signal.symbol, row)
    return found


def _ended(*, is_real: bool, pnl: Decimal, r: float | None) -> Became:
    won = pnl > 0
    verb = ("won" if won else "lost") if is_real else ("would have won" if won else "would have lost")
    size = f"{abs(r):.2f} R" if r is not None else f"{abs(pnl):.2f}"
    return Became(is_real=is_real, won=won, r=r, pnl=pnl, text=f"{verb} {size}")


def _models(kind: ModelKind) -> Models:
    versions = list(ModelVersion.objects.filter(kind=kind).order_by("-number")[:20])
    champion = next((each for each in versions if each.status == ModelStatus.CHAMPION), None)
    champion = champion or ModelVersion.objects.filter(kind=kind, status=ModelStatus.CHAMPION).first()
    drift = DriftReport.objects.filter(version=champion).order_by("-at").first() if champion else None
    return Models(kind=kind, title=str(kind.label), champion=champion, versions=versions, drift=drift)
