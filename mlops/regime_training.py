"""The regime classifier: trees of scikit-learn that tell favourable market states, whatever the side of the setup."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it has no types

from mlops import features, training
from mlops.dataset import Dataset
from mlops.influence import NEEDED_ACCURACY
from mlops.training import LEAST_IN_A_PART, NothingLearned, OutOfSample, Progress
from mlops.validation import Evaluation
from trading.core.alone import without
from trading.core.candles import Floats

with without("pandas", "polars", "pyarrow", "matplotlib"):
    import sklearn
    from sklearn.ensemble import HistGradientBoostingClassifier

LIBRARY: str = sklearn.__version__
"""Which scikit-learn this is; a model is read only by the one that made it."""
THRESHOLD = 0.5
"""From here on a state is favourable."""
_COLUMNS = features.columns_of(features.MARKET)
# One thread: several that wait for each other take many times as long where others want the processor too.
_alone = partial(ThreadpoolController().limit, limits=1, user_api="openmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How trees are grown; always the same number, since few samples cannot spare a part to stop by."""

    rounds: int = 60
    learning_rate: float = 0.05
    leaves: int = 8
    least_in_a_leaf: int = 20
    l2: float = 1.0
    bins: int = 32
    seed: int = 7

    def as_json(self) -> dict[str, int | float | str]:
        return {**asdict(self), "sklearn": LIBRARY, "python": sys.version.split()[0]}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    classifier: HistGradientBoostingClassifier

    def probability(self, x: NDArray[np.float32]) -> Floats:
        """Return how favourable the state of each row is: 0.5 is as favourable as usual, since both outcomes weigh alike."""
        with _alone():
            return np.asarray(self.classifier.predict_proba(x[:, _COLUMNS])[:, 1], dtype=np.float64)


def fit(data: Dataset, settings: Settings) -> Trained:
    """Return a classifier of all samples; raises NothingLearned where there are too few, or only one outcome."""
    wins = int(data.won.sum())
    if len(data) < LEAST_IN_A_PART or not 0 < wins < len(data):
        raise NothingLearned(f"{len(data)} samples, {wins} of them wins, are too few or all alike")
    made = HistGradientBoostingClassifier(
        max_iter=settings.rounds,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.least_in_a_leaf,
        l2_regularization=settings.l2,
        max_bins=settings.bins,
        early_stopping=False,
        random_state=settings.seed,
    )
    x = data.x[:, _COLUMNS]
    # scikit-learn cannot take a column that is missing everywhere; one that is always the same splits nothing.
    x[:, np.isnan(x).all(axis=0)] = 0.0
    with _alone():
        made.fit(x, data.won, sample_weight=training.balanced(data.won, data.weight))
    return Trained(classifier=made)


def out_of_sample(data: Dataset, settings: Settings, progress: Progress) -> OutOfSample:
    """Classify each fold by what was known before it."""
    return training.predicted(data, lambda part: fit(part, settings).probability, progress)


def objections(found: Evaluation) -> list[str]:
    """Return why the classifier may not be relied on; accuracy counts wins and losses alike, so a constant has 50 %."""
    # Asked this way round, a figure without a value is an objection.
    if found.balanced_accuracy > NEEDED_ACCURACY and found.balanced_low > THRESHOLD:
        return []
    said = f"accuracy out of sample {found.balanced_accuracy:.1%} (at least {found.balanced_low:.1%})"
    return [f"{said}, more than {NEEDED_ACCURACY:.0%} and surely above 50% is needed"]
