"""From samples to a version: train, measure out of sample, refuse or keep as a candidate, and promote by rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from mlops import features, files, formats, loading, psi, registry, training, validation
from mlops.dataset import Dataset
from mlops.files import ModelUnusable
from mlops.models import ModelKind, ModelStatus, ModelVersion
from mlops.registry import Origin
from mlops.training import NothingLearned, OutOfSample, Progress
from mlops.validation import Evaluation

LEAST_COMPARED = 100
"""Samples that the champion has not seen, on which a candidate has to be better."""
_LEAST_PASSED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How one kind of model is made."""

    settings: dict[str, Any]
    out_of_sample: Callable[[Dataset, Progress], OutOfSample]
    objections: Callable[[Evaluation], list[str]]
    fit: Callable[[Dataset], tuple[str, bytes, dict[str, Any]]]
    """Returns the file's suffix and content, and further columns of the version."""


def make(
    kind: str, data: Dataset, *, venue: str, timeframe: str, by: str, threads: int, progress: Progress, now: datetime
) -> ModelVersion:
    """Train one version of a kind and return it: refused, a candidate, or the champion where the rule says so."""
    recipe = _predictor(threads) if kind == ModelKind.PREDICTOR else _regime()
    origin = Origin(
        venue=venue,
        timeframe=timeframe,
        samples=len(data),
        trained_until=data.trained_until,
        data_hash=data.hash(),
        schema_hash=features.schema_hash(),
        code_version=settings.CODE_VERSION,
        settings=recipe.settings,
        by=by,
    )
    if reason := validation.too_few(data.won):
        return registry.record(kind, origin, status=ModelStatus.REFUSED, reason=reason, now=now)
    try:
        said = recipe.out_of_sample(data, progress)
    except NothingLearned as error:
        return registry.record(kind, origin, status=ModelStatus.REFUSED, reason=str(error), now=now)
    won = data.won[said.places]
    found = validation.evaluate(won, said.probability, said.base)
    columns: dict[str, Any] = {"metrics": _metrics(data, said, found)}
    if against := recipe.objections(found):
        reason = "; ".join(against)
        return registry.record(kind, origin, status=ModelStatus.REFUSED, reason=reason, now=now, columns=columns)
    suffix, content, more = recipe.fit(data)
    path, sha256 = files.write(kind, suffix, content)
    columns |= {"path": path, "sha256": sha256, "profile": psi.profile(data.x, features.NAMES), **more}
    made = registry.record(
        kind,
        origin,
        status=ModelStatus.CANDIDATE,
        reason=f"it passed the gate: {_figures(found)}",
        now=now,
        columns=columns,
    )
    return _by_rule(made, data, said, now)


def _by_rule(made: ModelVersion, data: Dataset, said: OutOfSample, now: datetime) -> ModelVersion:
    """Promote a candidate where there is no champion, or where it is surely better on what neither has seen."""
    held = registry.champion(made.kind)
    if held is None:
        return registry.promote(made, by=registry.RULE, reason="there was no champion", now=now)
    if held.timeframe != made.timeframe or not loading.fits(held.venue, made.venue):
        return registry.promote(made, by=registry.RULE, reason=f"{held} is for another market", now=now)
    try:
        champion = loading.load(held)
    except ModelUnusable as error:
        return registry.promote(made, by=registry.RULE, reason=str(error), now=now)
    since = held.trained_until.timestamp() * 1000 if held.trained_until else 0.0
    fresh = data.began[said.places] > since
    if fresh.sum() < LEAST_COMPARED:
        return made
    places = said.places[fresh]
    better, low = validation.gain(data.won[places], said.probability[fresh], champion.probability(data.x[places]))
    if low > 0.0:
        reason = f"Brier score lower than {held}'s by {better:.4f} on {len(places)} samples that neither had seen"
        return registry.promote(made, by=registry.RULE, reason=reason, now=now)
    return made


def _predictor(threads: int) -> _Recipe:
    from mlops.boosting import device

    how = training.Settings(threads=threads, device=device())

    def fit(data: Dataset) -> tuple[str, bytes, dict[str, Any]]:
        trained = training.fit(data, how)
        numbers = {"slope": trained.calibration.slope, "intercept": trained.calibration.intercept}
        content = formats.predictor_bytes(trained)
        return files.UBJ, content, {"importance": training.importance(trained.booster), "calibration": numbers}

    return _Recipe(
        settings=how.as_json(),
        out_of_sample=lambda data, progress: training.out_of_sample(data, how, progress),
        objections=validation.objections,
        fit=fit,
    )


def _regime() -> _Recipe:
    from mlops import regime_training

    how = regime_training.Settings()

    def fit(data: Dataset) -> tuple[str, bytes, dict[str, Any]]:
        return files.SKOPS, formats.regime_bytes(regime_training.fit(data, how)), {}

    return _Recipe(
        settings=how.as_json(),
        out_of_sample=lambda data, progress: regime_training.out_of_sample(data, how, progress),
        objections=regime_training.objections,
        fit=fit,
    )


def _metrics(data: Dataset, said: OutOfSample, found: Evaluation) -> dict[str, Any]:
    made: dict[str, Any] = {**found.as_json(), "folds": validation.FOLDS, "sources": data.sources, "passed": None}
    passed = data.passed[said.places]
    won = data.won[said.places][passed]
    # What is asked later has passed every filter: worth knowing apart where there is enough of it.
    if min(int(won.sum()), int((~won).sum())) >= _LEAST_PASSED // 2:
        apart = validation.evaluate(won, said.probability[passed], said.base[passed])
        made["passed"] = apart.as_json()
    return made


def _figures(found: Evaluation) -> str:
    return (
        f"AUC {found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f}), Brier {found.brier:.4f} against "
        f"{found.brier_base:.4f}, accuracy {found.balanced_accuracy:.1%}"
    )


def describe(version: ModelVersion) -> dict[str, Any]:
    """Return a version as JSON values."""
    return {
        "kind": version.kind,
        "number": version.number,
        "status": version.status,
        "reason": version.reason,
        "samples": version.samples,
        "venue": version.venue,
        "timeframe": version.timeframe,
        "trained_until": version.trained_until.isoformat() if version.trained_until else None,
        "data_hash": version.data_hash,
        "schema_hash": version.schema_hash,
        "code_version": version.code_version,
        "settings": version.settings,
        "metrics": version.metrics,
        "importance": version.importance,
        "calibration": version.calibration,
        "file": version.path or None,
        "sha256": version.sha256 or None,
        "influence": version.influence,
    }
