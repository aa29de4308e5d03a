"""From a model's raw margin to a probability (Platt, 1999): two numbers, fitted where the model was not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats

_STEPS, _SMALL = 50, 1e-10
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A probability is the logistic of `slope` times the margin plus `intercept`. The slope is never negative."""

    slope: float
    intercept: float

    def probability(self, margin: Floats) -> Floats:
        return logistic(self.slope * margin + self.intercept)


def logistic(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -500.0, 500.0)))


def fit(margin: Floats, won: NDArray[np.bool_], weight: Floats) -> Calibration:
    """Return the numbers of the greatest likelihood, by Newton's method.

    Targets are drawn in as Platt has it, so that few samples promise nothing certain. A model whose order is worse than
    chance gets a slope of 0: then every probability is the base rate.
    """
    wins, losses = float(weight[won].sum()), float(weight[~won].sum())
    target = np.where(won, (wins + 1.0) / (wins + 2.0), 1.0 / (losses + 2.0))
    slope, intercept = _newton(margin, target, weight)
    if slope <= 0.0:
        base = float((weight * target).sum() / weight.sum())
        return Calibration(slope=0.0, intercept=float(np.log(base / (1.0 - base))))
    return Calibration(slope=slope, intercept=intercept)


def _newton(margin: Floats, target: Floats, weight: Floats) -> tuple[float, float]:
    base = float((weight * target).sum() / weight.sum())
    parts = np.array([0.0, np.log(base / (1.0 - base))])
    design = np.stack([margin, np.ones(len(margin))])
    loss = _loss(design, parts, target, weight)
    for _ in range(_STEPS):
        found = logistic(parts @ design)
        gradient = design @ (weight * (found - target))
        curvature = (design * (weight * found * (1.0 - found))) @ design.T + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > _SMALL:  # half as far, until it is no worse than before
            tried = parts - size * step
            better = _loss(design, tried, target, weight)
            if better <= loss:
                break
            size /= 2.0
        else:
            break
        parts, gained, loss = tried, loss - better, better
        if gained < _SMALL:
            break
    return float(parts[0]), float(parts[1])


def _loss(design: Floats, parts: Floats, target: Floats, weight: Floats) -> float:
    value = parts @ design
    return float((weight * (np.logaddexp(0.0, value) - target * value)).sum())
