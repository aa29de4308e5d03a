"""The challenger: what the newest candidate would have said of the same signals, and when that makes it the champion."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from mlops import features, loading, outcomes, registry, validation
from mlops.files import ModelUnusable
from mlops.models import ChallengerAnswer, ModelKind, ModelVersion
from trading.models import Advice

MOST_AT_ONCE = 500
LEAST_COMPARED = 100
"""Signals with a known outcome of which both have spoken; fewer prove nothing."""
PREDICTOR = registry.SOURCES[ModelKind.PREDICTOR]
"""Whose advice keeps the features of each signal."""


def answer(kind: ModelKind, *, now: datetime) -> int:
    """Keep what the challenger of a kind would have said of signals since it was made; return how many are new."""
    version = registry.challenger(kind)
    if version is None:
        return 0
    asked = Advice.objects.filter(source=PREDICTOR, features__isnull=False, at__gte=version.created_at)
    answered = ChallengerAnswer.objects.filter(version=version).values("signal_id")
    found = list(
        asked.exclude(signal_id__in=answered).order_by("at").values_list("signal_id", "features")[:MOST_AT_ONCE]
    )
    rows = [(signal, row) for signal, values in found if (row := features.from_json(values or {})) is not None]
    if not rows:
        return 0
    try:
        model = loading.load(version)
    except ModelUnusable as error:
        registry.retire(version, by=registry.RULE, reason=str(error), now=now)
        return 0
    said = model.probability(np.stack([row for _, row in rows]).astype(np.float32))
    made = [
        ChallengerAnswer(version=version, signal_id=signal, confidence=float(value), at=now)
        for (signal, _), value in zip(rows, said, strict=True)
    ]
    ChallengerAnswer.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def judge(kind: ModelKind, *, now: datetime) -> ModelVersion | None:
    """Make the challenger the champion where its answers were surely nearer to what came; return it then."""
    version, held = registry.challenger(kind), registry.champion(kind)
    if version is None or held is None:
        return None
    said = dict(ChallengerAnswer.objects.filter(version=version).values_list("signal_id", "confidence"))
    others = Advice.objects.filter(
        source=registry.SOURCES[kind], model=str(held), confidence__isnull=False, signal_id__in=said
    ).values_list("signal_id", "confidence")
    champion = {signal: confidence for signal, confidence in others if confidence is not None}
    ended = outcomes.of_signals(list(champion))
    if len(ended) < LEAST_COMPARED:
        return None
    signals = sorted(ended, key=lambda signal: ended[signal][1])
    better, low = validation.gain(
        np.array([ended[signal][0] for signal in signals]),
        np.array([said[signal] for signal in signals]),
        np.array([champion[signal] for signal in signals]),
    )
    if low <= 0.0:
        return None
    reason = f"Brier score lower than {held}'s by {better:.4f} on {len(signals)} signals that both were asked about"
    try:
        return registry.promote(version, by=registry.RULE, reason=reason, now=now)
    except registry.ModelRefused as error:
        registry.retire(version, by=registry.RULE, reason=str(error), now=now)
        return None
