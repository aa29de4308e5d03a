"""Key figures of returns, results and equity; None where a figure has no value, never zero in its place.

Returns are fractions per period, of which a year has PERIODS: one a UTC day, for crypto trades every day. The risk-free
rate and the target of Sortino and Omega are zero. Deviations are those of a sample (n - 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.core.candles import Floats

PERIODS = 365
"""Periods of a year."""
_DUST = 1e-12
"""A deviation below it is rounding's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """Falls from the highest equity so far: the deepest, and the longest, in periods of the curve.

    `recovery` is from the bottom of the deepest fall to a new high; None: there was no fall, or it is not over.
    """

    amount: float
    fraction: float
    longest: int
    recovery: int | None


def returns(equity: Floats) -> Floats:
    """Return the change from each value to the next, a fraction; NaN from where the account had nothing left."""
    ruined = np.minimum.accumulate(equity) <= 0
    before = np.where(ruined, np.nan, equity)[:-1]
    return equity[1:] / before - 1.0


def sharpe(returns: Floats, *, periods: int = PERIODS) -> float | None:
    """Return the annual Sharpe ratio (1994): mean over deviation, times the root of the periods of a year."""
    if len(returns) < 2 or not np.isfinite(returns).all():
        return None
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation * math.sqrt(periods) if deviation > _DUST else None


def sortino(returns: Floats, *, periods: int = PERIODS) -> float | None:
    """Return the annual Sortino ratio: mean over the root mean square of the losses, all periods counted."""
    if len(returns) < 2 or not np.isfinite(returns).all():
        return None
    downside = math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean()))
    return float(returns.mean()) / downside * math.sqrt(periods) if downside > _DUST else None


def omega(returns: Floats) -> float | None:
    """Return the sum of gains over the sum of losses (Keating and Shadwick, 2002)."""
    if not np.isfinite(returns).all():
        return None
    lost = float(-returns[returns < 0].sum())
    return float(returns[returns > 0].sum()) / lost if lost > 0 else None


def cagr(begin: float, end: float, *, years: float) -> float | None:
    """Return the growth a year that makes `end` of `begin`, a fraction; of a few days it says little."""
    if begin <= 0 or end <= 0 or years <= 0:
        return None
    try:
        return math.expm1(math.log(end / begin) / years)
    except OverflowError:
        return None


def calmar(growth: float | None, drawdown: Drawdown | None) -> float | None:
    """Return the growth a year over the deepest drawdown (Young, 1991, here over the whole stretch)."""
    if growth is None or drawdown is None or drawdown.fraction <= 0:
        return None
    return growth / drawdown.fraction


def drawdown(equity: Floats) -> Drawdown | None:
    """Return the falls of a curve; None where it has no value or began with nothing."""
    if not len(equity) or equity[0] <= 0 or not np.isfinite(equity).all():
        return None
    peak = np.maximum.accumulate(equity)
    fall = peak - equity
    share = fall / peak
    places = np.arange(len(equity))
    under = places - np.maximum.accumulate(np.where(fall > 0, 0, places))
    bottom = int(share.argmax())
    regained = np.flatnonzero(equity[bottom:] >= peak[bottom]) if fall[bottom] > 0 else np.empty(0, np.int64)
    return Drawdown(
        amount=float(fall.max()),
        fraction=float(share[bottom]),
        longest=int(under.max()),
        recovery=int(regained[0]) if len(regained) else None,
    )


def profit_factor(results: Floats) -> float | None:
    """Return what was won over what was lost."""
    lost = float(-results[results < 0].sum())
    return float(results[results > 0].sum()) / lost if lost > 0 else None


def expectancy(results: Floats) -> float | None:
    """Return the mean result of a trade, in the unit of `results`."""
    return float(results.mean()) if len(results) else None


def sqn(results: Floats) -> float | None:
    """Return Van Tharp's system quality number of results in R: root of n times mean over deviation, n not capped."""
    if len(results) < 2:
        return None
    deviation = float(results.std(ddof=1))
    return math.sqrt(len(results)) * float(results.mean()) / deviation if deviation > _DUST else None


def streaks(results: Floats) -> tuple[int, int]:
    """Return the most wins and the most losses in a row; a result of zero is a loss, as for the guards."""
    longest = {True: 0, False: 0}
    running, before = 0, None
    for won in (results > 0).tolist():
        running = running + 1 if won is before else 1
        longest[won], before = max(longest[won], running), won
    return longest[True], longest[False]


def interval(values: Sequence[float] | Floats, *, confidence: float) -> tuple[float, float] | None:
    """Return the percentile interval (Efron, 1979) that holds the fraction `confidence` of the values."""
    tail = (1.0 - confidence) / 2.0
    if not len(values):
        return None
    low, high = np.quantile(np.asarray(values), [tail, 1.0 - tail])
    return float(low), float(high)


def rounded(value: float | None) -> float | None:
    """Return a figure for people and files, ten digits; None for what is not a number."""
    return float(f"{value:.10g}") if value is not None and math.isfinite(value) else None
