"""The technical score: how good a bar looks for an entry, 0 to 100, with the part of each indicator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats
from trading.core.regime import by_regime
from trading.core.types import Regime

# (from this value on, so many points), best first; the last entry is what is left.
ADX_POINTS = ((40.0, 30.0), (30.0, 25.0), (25.0, 20.0), (20.0, 10.0), (-np.inf, 5.0))
HURST_POINTS = ((0.6, 20.0), (0.5, 15.0), (0.4, 10.0), (-np.inf, 5.0))
VOLUME_POINTS = ((2.0, 20.0), (1.5, 15.0), (1.0, 10.0), (0.5, 5.0), (-np.inf, 0.0))
# (at most so far from an RSI of 50, so many points)
RSI_POINTS = ((10.0, 15.0), (20.0, 10.0), (30.0, 5.0), (np.inf, 0.0))
REGIME_POINTS = {
    Regime.STRONG_TREND: 15.0,
    Regime.TREND: 15.0,
    Regime.RANGING: 10.0,
    Regime.WEAK_TREND: 5.0,
    Regime.CHOPPY: 0.0,
    Regime.UNKNOWN: 0.0,
}
LABELS = ((80.0, "excellent"), (65.0, "good"), (50.0, "moderate"), (35.0, "weak"), (-np.inf, "poor"))


def parts(
    *, adx: Floats, hurst: Floats, volume_ratio: Floats, rsi: Floats, regime: NDArray[np.int8]
) -> dict[str, Floats]:
    """Return the points of each part; NaN where its indicator has no value, so a gap is never a middling score."""
    return {
        "adx": _steps(adx, ADX_POINTS),
        "hurst": _steps(hurst, HURST_POINTS),
        "volume": _steps(volume_ratio, VOLUME_POINTS),
        "rsi": _bands(rsi),
        "regime": by_regime(REGIME_POINTS, regime),
    }


def technical(*, adx: Floats, hurst: Floats, volume_ratio: Floats, rsi: Floats, regime: NDArray[np.int8]) -> Floats:
    """Return the sum of the parts; NaN where one of them is."""
    columns = parts(adx=adx, hurst=hurst, volume_ratio=volume_ratio, rsi=rsi, regime=regime)
    return np.asarray(np.sum(list(columns.values()), axis=0), dtype=np.float64)


def label(score: float) -> str:
    """Return the word for a score; a NaN is refused, since it is no score."""
    if np.isnan(score):
        raise ValueError("a missing score has no label")
    return next(word for bound, word in LABELS if score >= bound)


def _steps(values: Floats, points: tuple[tuple[float, float], ...]) -> Floats:
    bounds = np.array([bound for bound, _ in reversed(points)])
    earned = np.array([earned for _, earned in reversed(points)])
    result = earned[np.searchsorted(bounds[1:], values, side="right")]
    result[np.isnan(values)] = np.nan
    return result


def _bands(rsi: Floats) -> Floats:
    return _steps(-np.abs(rsi - 50.0), tuple((-bound, earned) for bound, earned in RSI_POINTS))
