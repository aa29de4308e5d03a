"""The adviser that tells how likely a setup wins: the champion of the registry, with what spoke for and against."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from django.db import DatabaseError
from django.utils import timezone

from mlops import features, loading, registry
from mlops.files import ModelUnusable
from mlops.loading import Holder, Loaded
from mlops.models import ModelKind
from trading import market_wiring
from trading.core.advice import Advice, Question
from trading.core.candles import Floats

NAMED = 3
"""So many features are named on either side."""


class Predictor:
    """Asks the champion. Without one, or where it may not speak, there is no opinion, but always the features."""

    name = registry.SOURCES[ModelKind.PREDICTOR]
    is_slow = False

    def __init__(self) -> None:
        self._holder = Holder()

    def prepare(self) -> None:
        """Load the champion, if there is one, before anybody waits for it."""
        loading.warm(self._holder, registry.champion(ModelKind.PREDICTOR))

    def advise(self, question: Question) -> Advice:
        return answered(question, self.name, ModelKind.PREDICTOR, self._holder, _opinion)


Opinion = Callable[[Loaded, Floats, Question], Advice]


def answered(question: Question, source: str, kind: ModelKind, holder: Holder, opinion: Opinion) -> Advice:
    """Return what the champion of a kind says of a question, timed, with the features it rests on; never raises."""
    begun = time.perf_counter()
    row = features.last(
        question.candles,
        question.analysis,
        side=question.setup.side,
        params=question.params,
        leader=question.leader(),
        book=question.book(),
    )
    try:
        made = opinion(_champion(question, kind, holder), row, question)
    except (ModelUnusable, DatabaseError) as error:
        made = Advice(source=source, approve=None, confidence=None, reason=str(error), influence=0.0)
    return Advice(
        source=source,
        approve=made.approve,
        confidence=made.confidence,
        reason=made.reason,
        influence=made.influence,
        against=made.against,
        model=made.model,
        features=features.as_json(row),
        latency_ms=(time.perf_counter() - begun) * 1e3,
    )


def _champion(question: Question, kind: ModelKind, holder: Holder) -> Loaded:
    """Return the champion, loaded; raises ModelUnusable where there is none that may speak of this setup."""
    version = registry.champion(kind)
    if version is None:
        raise ModelUnusable(f"there is no {registry.SOURCES[kind].replace('_', ' ')} yet: train one")
    if version.timeframe != question.setup.timeframe:
        raise ModelUnusable(f"{version} was trained on {version.timeframe} bars, this is {question.setup.timeframe}")
    if not loading.fits(version.venue, market_wiring.venue_key()):
        raise ModelUnusable(f"{version} was trained on candles of {version.venue}, which is another market")
    return holder.get(version, now=timezone.now())


def _opinion(model: Loaded, row: Floats, question: Question) -> Advice:
    from mlops import training

    asked = row.astype(np.float32)
    probability = float(model.trained.probability(asked[None, :])[0])
    parts = model.trained.calibration.slope * training.contributions(model.trained.booster, asked)
    speaks_for, against = _named(parts, 1), _named(parts, -1)
    least = question.params.ml_min_probability
    return Advice(
        source=Predictor.name,
        approve=probability >= least,
        confidence=probability,
        reason=f"wins with a probability of {probability:.0%}, {least:.0%} is asked; for it: {', '.join(speaks_for) or 'nothing'}",
        influence=model.version.influence,
        against=tuple(against),
        model=str(model.version),
    )


def _named(parts: Floats, sign: int) -> list[str]:
    """Return the features that move the log odds most to one side, with by how much."""
    order = np.argsort(-sign * parts, kind="stable")[:NAMED]
    return [
        f"{features.NAMES[place].replace('_', ' ')} {parts[place]:+.2f}" for place in order if sign * parts[place] > 0
    ]
