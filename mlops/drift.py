"""Watches the champions: whether they are asked about another market than they learned from, and how right they are of late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from mlops import challenging, features, influence, outcomes, psi, registry
from mlops.models import DriftReport, ModelKind, ModelVersion
from mlops.outcomes import Judged
from trading import events
from trading.core.candles import Floats
from trading.models import Advice

ASKED, LEAST_ASKED = 500, 100
"""Newest questions that are compared with the training; with fewer there is nothing to compare."""
JUDGED, LEAST_JUDGED = 200, 50
MOST_MISCALIBRATED = 0.10
"""Between the mean probability and the share that won."""
PERIOD, KEEP = timedelta(hours=6), timedelta(days=180)
_PREDICTOR = registry.SOURCES[ModelKind.PREDICTOR]


def watch(*, now: datetime) -> None:
    """Report on each champion, take influence back where it was not deserved, and let challengers answer and win."""
    for kind in ModelKind:
        held = registry.champion(kind)
        if held is not None:
            judged = outcomes.judged(held, most=JUDGED)
            if kind == ModelKind.REGIME:
                registry.set_influence(held, _earned(held, judged), now=now)
            if _is_due(held, now):
                report(held, judged, now=now)
        challenging.answer(kind, now=now)
        challenging.judge(kind, now=now)
    DriftReport.objects.filter(at__lt=now - KEEP).delete()


def report(version: ModelVersion, judged: list[Judged], *, now: datetime) -> DriftReport:
    """Write how far a version's market has moved and how right it was; the first alert after none goes to people."""
    rows = _asked()
    columns = _columns(version.kind)
    moved: dict[str, float | None] = dict.fromkeys(columns)
    if len(rows) >= LEAST_ASKED:
        places = features.columns_of(columns)
        moved |= psi.indices(version.profile, rows[:, places], columns)
    known = {name: value for name, value in moved.items() if value is not None}
    calibration = accuracy = None
    if len(judged) >= LEAST_JUDGED:
        calibration = float(np.mean([each.confidence for each in judged]) - np.mean([each.won for each in judged]))
    newest = judged[: influence.WATCHED]
    if len(newest) == influence.WATCHED:
        accuracy = sum(each.is_right for each in newest) / len(newest)
    before = DriftReport.objects.filter(version=version).order_by("-at", "-pk").first()
    made = DriftReport.objects.create(
        version=version,
        at=now,
        asked=len(rows),
        features={name: None if value is None else round(value, 4) for name, value in moved.items()},
        worst=max(known.values(), default=None),
        judged=len(judged),
        calibration=calibration,
        accuracy=accuracy,
        alerts=_alerts(version, known, calibration, accuracy),
    )
    if made.alerts and not (before and before.alerts):
        text = f"The model {version}: {'; '.join(made.alerts)}"
        events.emit("model_alert", at=now, text=text, payload={"model": version.pk, "report": made.pk})
    return made


def _earned(version: ModelVersion, judged: list[Judged]) -> influence.Influence:
    return influence.earned(
        samples=version.samples,
        accuracy=version.metrics.get("balanced_accuracy", 0.0),
        recent=[each.is_right for each in judged],
    )


def _is_due(version: ModelVersion, now: datetime) -> bool:
    return not DriftReport.objects.filter(version=version, at__gt=now - PERIOD).exists()


def _asked() -> Floats:
    """Return the features of the newest questions."""
    values = Advice.objects.filter(source=_PREDICTOR, features__isnull=False).order_by("-at")
    rows = [features.from_json(each or {}) for each in values.values_list("features", flat=True)[:ASKED]]
    known = [row for row in rows if row is not None]
    return np.stack(known) if known else np.empty((0, len(features.NAMES)))


def _columns(kind: str) -> tuple[str, ...]:
    return features.NAMES if kind == ModelKind.PREDICTOR else features.MARKET


def _alerts(
    version: ModelVersion, moved: dict[str, Any], calibration: float | None, accuracy: float | None
) -> list[str]:
    far = sorted((name for name, value in moved.items() if value >= psi.MOVED), key=lambda name: -moved[name])
    said = []
    if far:
        said.append(f"the market has moved away from its training in {', '.join(far[:5])}")
    # Only a predictor promises probabilities; the classifier's are against what is usual.
    is_off = calibration is not None and abs(calibration) > MOST_MISCALIBRATED
    if calibration is not None and is_off and version.kind == ModelKind.PREDICTOR:
        said.append(f"it promises {calibration:+.0%} more wins than there were")
    if accuracy is not None and accuracy < influence.LEAST_ACCURACY:
        said.append(f"only {accuracy:.0%} of its last {influence.WATCHED} answers were right")
    return said
