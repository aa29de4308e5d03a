"""The ML report as its page shows it: models on record, how far they can be relied on, what they look at, trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import formats, reliability
from dashboard.figures import Figure
from dashboard.formats import NOTHING
from dashboard.reliability import Dot, Ramp
from mlops.models import DriftReport, ModelKind, ModelStatus, ModelVersion, Scorecard, TrainingRun
from mlops.selectors import Models
from trading.models import RunStatus

SOURCES = {ModelKind.PREDICTOR.value: "predictor", ModelKind.REGIME.value: "regime_model"}
SAMPLE_WORDS = {"backtest": "of backtests", "shadow": "of refused setups", "live": "of trades"}
TOP = 12
"""So many features are shown."""
MOVED, FAR = 0.1, 0.25
"""Population stability index from which a feature has moved, and moved far (the usual levels of credit scoring)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One feature as a bar of percent."""

    name: str
    text: str
    width: float
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    version: ModelVersion
    tone: str
    auc: str
    brier: str
    accuracy: str
    influence: str
    can_promote: bool
    can_retire: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCard:
    """One kind of model; what has no data is empty."""

    kind: str
    title: str
    champion: ModelVersion | None
    rows: Sequence[VersionRow]
    can_roll_back: bool
    dots: Sequence[Dot]
    line: str
    judged: int
    importance: Sequence[Share]
    drift: DriftReport | None
    drifted: Sequence[Share]
    ramp: Ramp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    run: TrainingRun
    tone: str
    is_going: bool
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    figures: Sequence[Figure]
    cards: Sequence[KindCard]
    runs: Sequence[RunRow]


def sheet(
    models: Sequence[Models], kept: Scorecard | None, *, samples: Mapping[str, int], runs: Sequence[TrainingRun]
) -> Sheet:
    sources: Mapping[str, Any] = kept.figures["sources"] if kept else {}
    return Sheet(
        figures=[*(_figure(each) for each in models), *_counts(models, samples)],
        cards=[_card(each, sources.get(SOURCES[each.kind])) for each in models],
        runs=[_run(run) for run in runs],
    )


def _figure(models: Models) -> Figure:
    label = "Predictor" if models.kind == ModelKind.PREDICTOR else "Regime model"
    held = models.champion
    if held is None:
        refused = next((row for row in models.versions if row.status == ModelStatus.REFUSED), None)
        return Figure(
            key=models.kind,
            label=label,
            value="none",
            note="the last one was refused" if refused else "none was trained",
            hint=refused.reason if refused else "Train one below.",
        )
    return Figure(
        key=models.kind,
        label=f"{label} {held.number}",
        value=f"{held.influence:.0%}",
        note="influence" if held.influence else held.influence_reason or "no influence",
        hint=held.influence_reason,
    )


def _counts(models: Sequence[Models], samples: Mapping[str, int]) -> list[Figure]:
    alerts = [text for each in models if each.drift for text in each.drift.alerts]
    worst = [each.drift.worst for each in models if each.drift and each.drift.worst is not None]
    parts = ", ".join(f"{count:,} {SAMPLE_WORDS.get(name, name)}" for name, count in sorted(samples.items()))
    return [
        Figure(
            key="samples", label="Samples", value=f"{sum(samples.values()):,}", note=parts or "none yet", hint=parts
        ),
        Figure(
            key="drift",
            label="Largest drift",
            value=f"{max(worst):.2f}" if worst else NOTHING,
            tone="loss" if worst and max(worst) >= FAR else "",
            note=f"{len(alerts)} alerts" if alerts else "stability index, below 0.25",
            hint="; ".join(alerts) or "How far what is asked has moved from what the models were trained on.",
        ),
    ]


def _card(models: Models, score: Mapping[str, Any] | None) -> KindCard:
    held = models.champion
    found = reliability.dots(score["reliability"]) if score else []
    return KindCard(
        kind=models.kind,
        title="Predictor" if models.kind == ModelKind.PREDICTOR else "Regime model",
        champion=held,
        rows=[_version(row) for row in models.versions],
        can_roll_back=any(row.status == ModelStatus.RETIRED and row.promoted_at for row in models.versions),
        dots=found,
        line=reliability.path(found),
        judged=score["total"] if score else 0,
        importance=_importance(held.importance if held else {}),
        drift=models.drift,
        drifted=_drifted(models.drift.features if models.drift else {}),
        ramp=reliability.ramp(samples=held.samples, influence=held.influence, reason=held.influence_reason)
        if held and models.kind == ModelKind.REGIME
        else None,
    )


def _version(row: ModelVersion) -> VersionRow:
    figures: Mapping[str, Any] = row.metrics
    low, high = figures.get("auc_low"), figures.get("auc_high")
    auc = _number(figures.get("auc"))
    return VersionRow(
        version=row,
        tone={ModelStatus.CHAMPION: "gain", ModelStatus.REFUSED: "loss"}.get(ModelStatus(row.status), "muted"),
        auc=f"{auc} ({low:.2f} to {high:.2f})" if low is not None and high is not None else auc,
        brier=f"{_number(figures.get('brier'))} of {_number(figures.get('brier_base'))}"
        if "brier" in figures
        else NOTHING,
        accuracy=reliability.share(figures.get("balanced_accuracy", figures.get("accuracy"))),
        influence=f"{row.influence:.0%}",
        can_promote=row.status in (ModelStatus.CANDIDATE, ModelStatus.RETIRED),
        can_retire=row.status in (ModelStatus.CANDIDATE, ModelStatus.CHAMPION),
    )


def _importance(shares: Mapping[str, Any]) -> list[Share]:
    ranked = sorted(((float(value), name) for name, value in shares.items() if value), reverse=True)[:TOP]
    most = ranked[0][0] if ranked else 1.0
    return [
        Share(name=formats.words(name), text=f"{value:.1%}", width=round(100 * value / most, 1))
        for value, name in ranked
    ]


def _drifted(features: Mapping[str, Any]) -> list[Share]:
    ranked = sorted(((float(value), name) for name, value in features.items() if value is not None), reverse=True)[:TOP]
    return [
        Share(
            name=formats.words(name),
            text=f"{'✕ ' if value >= FAR else ''}{value:.3f}",
            width=round(min(100.0, 100 * value / (2 * FAR)), 1),
            tone="over" if value >= FAR else "near" if value >= MOVED else "",
        )
        for value, name in ranked
    ]


def _run(run: TrainingRun) -> RunRow:
    is_going = run.status in (RunStatus.QUEUED, RunStatus.RUNNING)
    last = run.log[-1]["text"] if run.log else ""
    return RunRow(
        run=run,
        tone={RunStatus.DONE: "gain", RunStatus.FAILED: "loss"}.get(RunStatus(run.status), "muted"),
        is_going=is_going,
        said=run.error or last or (str(run.version.reason) if run.version else ""),
    )


def _number(value: float | None) -> str:
    return f"{value:.3f}" if value is not None else NOTHING
