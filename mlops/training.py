"""The predictor: XGBoost for the probability that a setup makes money after costs, and what it is worth out of sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlops import calibration, features, validation
from mlops.calibration import Calibration
from mlops.dataset import Dataset
from trading.core.candles import Floats, Ints

if TYPE_CHECKING:  # who trains the other kind of model has no use for it
    from mlops.boosting import xgboost

VALIDATION_FRACTION = 0.2
"""Of the newest samples: they say when to stop, and the calibration is fitted on them."""
LEAST_IN_A_PART = 40

Progress = Callable[[int, int], None]
"""Told how many of how many parts are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How trees are grown. `device` is cpu or cuda."""

    rounds: int = 600
    patience: int = 40
    learning_rate: float = 0.05
    depth: int = 4
    least_child_weight: float = 5.0
    subsample: float = 0.8
    columns: float = 0.8
    bins: int = 128
    seed: int = 7
    threads: int = 1
    device: str = "cpu"

    def as_json(self) -> dict[str, int | float | str]:
        from mlops.boosting import xgboost

        return {**asdict(self), "xgboost": xgboost.__version__}


class NothingLearned(ValueError):
    """Samples of which no model can be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """Trees and the two numbers that make their margin a probability."""

    booster: xgboost.Booster
    calibration: Calibration

    def probability(self, x: NDArray[np.float32]) -> Floats:
        return self.calibration.probability(margin(self.booster, x))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfSample:
    """What models said of samples that they had not seen: places in the dataset, in the order of time."""

    places: Ints
    probability: Floats
    base: Floats
    """The share that had won in training."""


def margin(booster: xgboost.Booster, x: NDArray[np.float32]) -> Floats:
    """Return the log odds of each row before calibration."""
    return np.asarray(booster.inplace_predict(x, predict_type="margin"), dtype=np.float64)


def contributions(booster: xgboost.Booster, row: NDArray[np.float32]) -> Floats:
    """Return what each feature adds to the margin of one row (Lundberg's tree SHAP, in log odds)."""
    from mlops.boosting import xgboost

    asked = xgboost.DMatrix(row[None, :], feature_names=list(features.NAMES), nthread=1)
    shared = booster.predict(asked, pred_contribs=True)
    return np.asarray(shared[0, :-1], dtype=np.float64)


def fit(data: Dataset, settings: Settings) -> Trained:
    """Return a model of all samples: the newest fifth stops the growing and is calibrated on.

    Raises NothingLearned where either part has too few of one outcome.
    """
    from mlops.boosting import xgboost

    train, held = _parts(data)
    weight = balanced(data.won[train], data.weight[train])
    names = list(features.NAMES)
    shape = {"max_bin": settings.bins, "nthread": settings.threads, "feature_names": names}
    known = xgboost.QuantileDMatrix(data.x[train], label=data.won[train], weight=weight, **shape)
    weight = balanced(data.won[held], data.weight[held])
    watched = xgboost.QuantileDMatrix(data.x[held], label=data.won[held], weight=weight, ref=known, **shape)
    grown = xgboost.train(
        {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "eta": settings.learning_rate,
            "max_depth": settings.depth,
            "min_child_weight": settings.least_child_weight,
            "subsample": settings.subsample,
            "colsample_bytree": settings.columns,
            "max_bin": settings.bins,
            "seed": settings.seed,
            "nthread": settings.threads,
            "device": settings.device,
            "verbosity": 0,
        },
        known,
        num_boost_round=settings.rounds,
        evals=[(watched, "held")],
        early_stopping_rounds=settings.patience,
        verbose_eval=False,
    )
    booster = grown[: grown.best_iteration + 1]
    booster.set_param({"device": "cpu", "nthread": 1})
    said = margin(booster, data.x[held])
    return Trained(booster=booster, calibration=calibration.fit(said, data.won[held], data.weight[held]))


def out_of_sample(data: Dataset, settings: Settings, progress: Progress) -> OutOfSample:
    """Predict each fold by a model of what was known before it; folds with too little before them are left out."""
    return predicted(data, lambda part: fit(part, settings).probability, progress)


def predicted(
    data: Dataset, make: Callable[[Dataset], Callable[[NDArray[np.float32]], Floats]], progress: Progress
) -> OutOfSample:
    """Predict each fold by what `make` makes of the samples before it; raises NothingLearned where no fold can be."""
    places, said, base = [], [], []
    for number, fold in enumerate(validation.folds(data.began, data.ended)):
        known = part(data, fold.train)
        try:
            probability = make(known)(data.x[fold.test])
        except NothingLearned:
            continue
        places.append(fold.test)
        said.append(probability)
        base.append(np.full(len(fold.test), np.average(known.won, weights=known.weight)))
        progress(number + 1, validation.FOLDS)
    if not places:
        raise NothingLearned("no part of the samples has enough of both outcomes before it")
    return OutOfSample(places=np.concatenate(places), probability=np.concatenate(said), base=np.concatenate(base))


def importance(booster: xgboost.Booster) -> dict[str, float]:
    """Return each feature's share of what all splits gained, the largest first."""
    # One class, so one number a feature; with several classes there would be lists.
    scores = booster.get_score(importance_type="total_gain")
    gained = {name: value for name, value in scores.items() if isinstance(value, float)}
    total = sum(gained.values())
    shares = {name: round(gained.get(name, 0.0) / total, 6) if total else 0.0 for name in features.NAMES}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def part(data: Dataset, places: Ints) -> Dataset:
    """Return some of the samples."""
    return Dataset(
        x=data.x[places],
        won=data.won[places],
        r=data.r[places],
        weight=data.weight[places],
        began=data.began[places],
        ended=data.ended[places],
        passed=data.passed[places],
        sources=data.sources,
    )


def _parts(data: Dataset) -> tuple[Ints, Ints]:
    """Return what is trained on and what is held back; nothing of the first ends in the second."""
    first = len(data) - round(len(data) * VALIDATION_FRACTION)
    if first >= len(data):
        raise NothingLearned(f"{len(data)} samples are too few to hold some back")
    embargo = validation.EMBARGO_FRACTION * float(data.ended.max() - data.began.min())
    train = validation.before(data.began, data.ended, first, embargo=embargo)
    held = np.arange(first, len(data), dtype=np.int64)
    for name, places in (("to train on", train), ("to stop by", held)):
        wins = int(data.won[places].sum())
        if len(places) < LEAST_IN_A_PART or not 0 < wins < len(places):
            raise NothingLearned(f"{len(places)} samples {name}, {wins} of them wins, are too few or all alike")
    return train, held


def balanced(won: NDArray[np.bool_], weight: Floats) -> Floats:
    """Return the weights with both outcomes worth the same, of mean 1."""
    wins, total = float(weight[won].sum()), float(weight.sum())
    made: Floats = np.where(won, weight / wins, weight / (total - wins))
    made /= made.mean()
    return made
