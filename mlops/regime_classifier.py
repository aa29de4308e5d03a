"""The adviser that tells whether the market state is favourable, and weighs as much as it has earned."""

from __future__ import annotations

import numpy as np

from mlops import loading, registry
from mlops.loading import Holder, Loaded
from mlops.models import ModelKind
from mlops.predictor import answered
from trading.core.advice import Advice, Question
from trading.core.candles import Floats


class RegimeClassifier:
    """Asks the champion. Its influence moves the technical score; 0 is shown and moves nothing."""

    name = registry.SOURCES[ModelKind.REGIME]
    is_slow = False

    def __init__(self) -> None:
        self._holder = Holder()

    def prepare(self) -> None:
        """Load the champion, if there is one, before anybody waits for it."""
        loading.warm(self._holder, registry.champion(ModelKind.REGIME))

    def advise(self, question: Question) -> Advice:
        return answered(question, self.name, ModelKind.REGIME, self._holder, _opinion)


def _opinion(model: Loaded, row: Floats, question: Question) -> Advice:
    from mlops.regime_training import THRESHOLD

    probability = float(model.trained.probability(row.astype(np.float32)[None, :])[0])
    state = "favourable" if probability >= THRESHOLD else "unfavourable"
    weight = model.version.influence
    return Advice(
        source=RegimeClassifier.name,
        approve=probability >= THRESHOLD,
        confidence=probability,
        reason=f"the market state is {state} ({probability:.0%}); it weighs {weight:.2f}: {model.version.influence_reason}",
        influence=weight,
        model=str(model.version),
    )
