"""Whether a model knows anything: folds in the order of time that know nothing of their future, and figures with intervals.

Labels span time: a setup's outcome is known only when its trade has ended. What had not ended when the test begins, and a
pause (the embargo) before that, is left out of training (Lopez de Prado, Advances in Financial Machine Learning, 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats, Ints

FOLDS = 5
EMBARGO_FRACTION = 0.01
"""Of the whole span of time, before each test."""
DRAWS, CONFIDENCE = 400, 0.95
LEAST_SAMPLES, LEAST_OF_A_KIND = 200, 30
AUC_MARGIN, SKILL_MARGIN = 0.02, 0.005
"""By how much a model has to beat a coin, and the base rate's Brier score (as a fraction of it)."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Indices of samples: what is trained on, and what is predicted."""

    train: Ints
    test: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Predictions against outcomes, all out of sample; the intervals are of blocks of samples drawn anew."""

    samples: int
    wins: int
    auc: float
    auc_low: float
    auc_high: float
    brier: float
    brier_base: float
    """Of always saying the share that had won in training."""
    skill: float
    """1 less brier over brier_base."""
    skill_low: float
    accuracy: float
    balanced_accuracy: float
    """Mean of the shares of wins and of losses that were told: 0.5 for whoever always says the same."""
    balanced_low: float

    def as_json(self) -> dict[str, float | int]:
        return {name: value if isinstance(value, int) else round(value, 6) for name, value in asdict(self).items()}


def folds(
    began: Ints, ended: Ints, *, count: int = FOLDS, embargo_fraction: float = EMBARGO_FRACTION
) -> Iterator[Fold]:
    """Yield the folds of samples that are sorted by `began` (both in milliseconds), oldest test first.

    The first of `count` + 1 equal parts is only trained on. Training never holds a sample that began after the test.
    """
    embargo = embargo_fraction * float(ended.max() - began.min())
    parts = np.array_split(np.arange(len(began), dtype=np.int64), count + 1)
    for test in parts[1:]:
        if len(test):
            yield Fold(train=before(began, ended, int(test[0]), embargo=embargo), test=test)


def before(began: Ints, ended: Ints, first: int, *, embargo: float) -> Ints:
    """Return the samples whose outcome was known an embargo before sample `first` began."""
    known: Ints = np.flatnonzero(ended < began[first] - embargo)
    return known


def evaluate(won: Bools, probability: Floats, base: Floats, *, threshold: float = 0.5, seed: int = 0) -> Evaluation:
    """Measure predictions that are in the order of time; `base` is what training's base rate would have said of each."""
    draws = _Draws(won, probability, base, threshold)
    actual = draws.figures(np.ones(len(won)))
    rng = np.random.default_rng(seed)
    length = max(10, round(len(won) ** (1 / 3)))
    drawn = np.array([draws.figures(_blocks(len(won), length, rng)) for _ in range(DRAWS)])
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = _quantiles(drawn, tail), _quantiles(drawn, 1.0 - tail)
    said = probability >= threshold
    return Evaluation(
        samples=len(won),
        wins=int(won.sum()),
        auc=float(actual[0]),
        auc_low=low[0],
        auc_high=high[0],
        brier=float(((probability - won) ** 2).mean()),
        brier_base=float(((base - won) ** 2).mean()),
        skill=float(actual[1]),
        skill_low=low[1],
        accuracy=float((said == won).mean()),
        balanced_accuracy=float(actual[2]),
        balanced_low=low[2],
    )


def gain(won: Bools, probability: Floats, other: Floats, *, seed: int = 0) -> tuple[float, float]:
    """Return how much lower the first Brier score is than the other's on the same samples, and its lower bound."""
    lower = (other - won) ** 2 - (probability - won) ** 2
    rng = np.random.default_rng(seed)
    length = max(10, round(len(won) ** (1 / 3)))
    drawn = [float(_blocks(len(won), length, rng) @ lower) / len(won) for _ in range(DRAWS)]
    return float(lower.mean()), float(np.quantile(drawn, (1.0 - CONFIDENCE) / 2.0))


def too_few(won: Bools) -> str:
    """Return why nothing can be learned from so few outcomes, or nothing."""
    wins, losses = int(won.sum()), int((~won).sum())
    if len(won) < LEAST_SAMPLES:
        return f"{len(won)} samples are too few: {LEAST_SAMPLES} are needed"
    if min(wins, losses) < LEAST_OF_A_KIND:
        return f"{wins} wins and {losses} losses are too one-sided: {LEAST_OF_A_KIND} of each are needed"
    return ""


def objections(found: Evaluation) -> list[str]:
    """Return why probabilities may not be relied on, none where they beat coin and base rate by a margin."""
    said = []
    # Asked this way round, a figure without a value is an objection.
    if not (found.auc >= 0.5 + AUC_MARGIN and found.auc_low > 0.5):
        said.append(
            f"AUC out of sample {found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f}) does not beat 0.5 by "
            f"{AUC_MARGIN:g} and surely"
        )
    if not (found.skill >= SKILL_MARGIN and found.skill_low > 0.0):
        said.append(
            f"Brier score {found.brier:.4f} does not beat the base rate's {found.brier_base:.4f} by "
            f"{SKILL_MARGIN:.1%} and surely"
        )
    return said


def _quantiles(drawn: Floats, at: float) -> list[float]:
    """Return a quantile of each column's values, and NaN where it has none."""
    known = [column[~np.isnan(column)] for column in drawn.T]
    return [float(np.quantile(column, at)) if len(column) else np.nan for column in known]


def _blocks(count: int, length: int, rng: np.random.Generator) -> Floats:
    """Return how often each sample is drawn by circular blocks, since neighbours share their market."""
    starts = rng.integers(count, size=-(-count // length))
    places = (starts[:, None] + np.arange(length)).ravel()[:count] % count
    return np.bincount(places, minlength=count).astype(np.float64)


class _Draws:
    """Figures of weighted samples; sorting, which takes the time, is done once."""

    def __init__(self, won: Bools, probability: Floats, base: Floats, threshold: float) -> None:
        self._won, self._right = won, (probability >= threshold) == won
        self._error, self._base_error = (probability - won) ** 2, (base - won) ** 2
        values, self._place = np.unique(probability, return_inverse=True)
        self._kinds = len(values)

    def figures(self, weight: Floats) -> tuple[float, float, float]:
        """Return AUC, skill and balanced accuracy; NaN where only one outcome is among them."""
        wins = np.where(self._won, weight, 0.0)
        losses = weight - wins
        total_wins, total_losses = float(wins.sum()), float(losses.sum())
        base = float(weight @ self._base_error)
        skill = 1.0 - float(weight @ self._error) / base if base > 0.0 else np.nan
        if total_wins == 0.0 or total_losses == 0.0:
            return np.nan, skill, np.nan
        by_wins = np.bincount(self._place, weights=wins, minlength=self._kinds)
        by_losses = np.bincount(self._place, weights=losses, minlength=self._kinds)
        # A loss below counts whole, one at the same probability half (Mann and Whitney).
        auc = float(by_wins @ (np.cumsum(by_losses) - by_losses / 2.0)) / (total_wins * total_losses)
        told = float(wins @ self._right) / total_wins + float(losses @ self._right) / total_losses
        return auc, skill, told / 2.0
