"""How much of the best of many trials is luck: deflated Sharpe ratio, and the probability of backtest overfitting."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trading.core.candles import Floats

EULER = 0.5772156649015329
BLOCKS = 12
"""Parts that the days are cut into: 924 ways to take half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """What choosing by the first half does in the second, over every way to halve the blocks.

    `probability` is how often the best is not above the median later, `loss_probability` how often it loses later,
    `slope` that of the later Sharpe ratio on the earlier one of the best (None where the latter never varies).
    """

    probability: float
    loss_probability: float
    slope: float | None
    combinations: int


def probabilistic_sharpe(returns: Floats, *, benchmark: float) -> float | None:
    """Return the probability that the true Sharpe ratio, per period, is above `benchmark`.

    Bailey and Lopez de Prado, The Sharpe Ratio Efficient Frontier, 2012; skew and tails are those of the returns.
    """
    if len(returns) < 3 or not np.isfinite(returns).all() or returns.std() < 1e-12:
        return None
    ratio = float(returns.mean() / returns.std(ddof=1))
    score = (returns - returns.mean()) / returns.std()
    return _above(ratio, benchmark, len(returns), skew=float((score**3).mean()), kurtosis=float((score**4).mean()))


def expected_best(variance: float, tried: int) -> float:
    """Return the best Sharpe ratio to expect of `tried` independent trials that have no edge; `variance` is theirs."""
    if tried < 2:
        return 0.0
    normal = NormalDist()
    mean = (1 - EULER) * normal.inv_cdf(1 - 1 / tried) + EULER * normal.inv_cdf(1 - 1 / (tried * math.e))
    return math.sqrt(variance) * mean


def deflated_sharpe(best: Floats, ratios: Floats) -> float | None:
    """Return the probability that the best of trials is better than luck would make the best of as many.

    `best` are its returns, `ratios` the Sharpe ratios per period of all trials. Trials that resemble each other are
    fewer than they look, so the answer errs on the careful side. Bailey and Lopez de Prado, The Deflated Sharpe Ratio, 2014.
    """
    known = ratios[np.isfinite(ratios)]
    if not len(known):
        return None
    variance = float(known.var(ddof=1)) if len(known) > 1 else 0.0
    return probabilistic_sharpe(best, benchmark=expected_best(variance, len(known)))


def ratios(returns: Floats) -> Floats:
    """Return the Sharpe ratio per period of each column; NaN where it has none."""
    deviation = returns.std(axis=0, ddof=1) if len(returns) > 1 else np.zeros(returns.shape[1])
    return np.where(deviation > 1e-12, returns.mean(axis=0) / np.where(deviation > 1e-12, deviation, 1.0), np.nan)


def overfitting(returns: Floats, *, blocks: int = BLOCKS) -> Overfitting | None:
    """Return the probability of backtest overfitting of trials (columns) by their returns (rows).

    Combinatorially symmetric cross-validation, Bailey, Borwein, Lopez de Prado and Zhu, 2015. Rows that do not fill a
    block are left out at the beginning. None for fewer than two trials or than two rows a block.
    """
    size = len(returns) // blocks
    if returns.shape[1] < 2 or size < 2 or blocks % 2:
        return None
    parts = returns[len(returns) - size * blocks :].reshape(blocks, size, -1)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    halves = list(itertools.combinations(range(blocks), blocks // 2))
    taken = np.zeros((len(halves), blocks))
    taken[np.arange(len(halves))[:, None], np.array(halves)] = 1.0
    count = size * blocks // 2
    before = _ratios(taken @ sums, taken @ squares, count)
    after = _ratios((1 - taken) @ sums, (1 - taken) @ squares, count)
    every = np.arange(len(halves))
    chosen = before.argmax(axis=1)
    later = after[every, chosen]
    # Ties share their ranks, or trials that never trade would look better or worse by their place.
    below = (after < later[:, None]).sum(axis=1)
    rank = below + ((after == later[:, None]).sum(axis=1) + 1) / 2.0
    relative = rank / (returns.shape[1] + 1)
    earlier = before[every, chosen]
    return Overfitting(
        probability=float((relative <= 0.5).mean()),
        loss_probability=float((later < 0).mean()),
        slope=float(np.polyfit(earlier, later, 1)[0]) if float(np.ptp(earlier)) > 1e-12 else None,
        combinations=len(halves),
    )


def _ratios(sums: Floats, squares: Floats, count: int) -> Floats:
    """Return Sharpe ratios from sums; one of no deviation is 0, as of a trial that never traded."""
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0.0) * count / (count - 1)
    deviation = np.sqrt(variance)
    return np.where(deviation > 1e-12, mean / np.where(deviation > 1e-12, deviation, 1.0), 0.0)


def _above(ratio: float, benchmark: float, count: int, *, skew: float, kurtosis: float) -> float | None:
    spread = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if spread <= 0:
        return None
    return NormalDist().cdf((ratio - benchmark) * math.sqrt(count - 1) / math.sqrt(spread))
