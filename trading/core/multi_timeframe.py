"""Whether two longer timeframes agree with an entry: 0 to 100, out of closed bars alone.

Everything here looks back over a fixed number of bars, so that it reads the same from wherever the series begins:
the longer bars are resampled, and a tick loads few of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trading.core import timeframes
from trading.core.candles import Candles, Floats, resample
from trading.core.params import Params

HIGHER: dict[str, tuple[str, ...]] = {
    "1m": ("5m", "15m"),
    "3m": ("15m", "1h"),
    "5m": ("15m", "1h"),
    "15m": ("1h", "4h"),
    "30m": ("1h", "4h"),
    "1h": ("4h", "1d"),
    "4h": ("1d",),
    "1d": (),
}
"""What is longer than each timeframe; of a day nothing is."""
WEIGHTS = (0.30, 0.30, 0.25)
"""Of the trend of the trading timeframe and of the longer ones; those that are missing are left out."""
MOMENTUM = 0.15
FAST, SLOW, LAG = 8, 21, 10
STRONG, CONFIRM, WEAK = 75.0, 60.0, 45.0


def confluence(candles: Candles) -> Floats:
    """Return how much all timeframes speak for a long at each bar; for a short it is 100 less that.

    50: they say nothing, or contradict each other. NaN until the longest has bars enough.
    """
    return combined(leanings(candles))


def leanings(candles: Candles) -> list[tuple[Floats, Floats]]:
    """Return (trend, momentum) at each bar, -1 to 1, of the trading timeframe and then of the longer ones."""
    return [_leaning(candles), *(_aligned(candles, longer) for longer in HIGHER.get(candles.timeframe, ()))]


def combined(columns: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Return the confluence of what `leanings` returned."""
    weights = WEIGHTS[: len(columns)]
    leaning = sum(weight * trend for weight, (trend, _) in zip(weights, columns, strict=True))
    momentum = sum(pace for _, pace in columns) / len(columns)
    return np.asarray(50.0 + 50.0 * (leaning + MOMENTUM * momentum) / (sum(weights) + MOMENTUM), dtype=np.float64)


def label(value: float) -> str:
    """Return the word for a confluence, seen from the side of the entry."""
    if np.isnan(value):
        return "wait"
    steps = ((STRONG, "strong confirm"), (CONFIRM, "confirm"), (WEAK, "weak"))
    return next((word for bound, word in steps if value >= bound), "reject")


def bars_needed(params: Params) -> int:
    """Return how many bars of the trading timeframe give the longest one its value."""
    longest = (params.timeframe, *HIGHER.get(params.timeframe, ()))[-1]
    parts = timeframes.milliseconds(longest) // timeframes.milliseconds(params.timeframe)
    return (SLOW + 2) * parts


def _aligned(candles: Candles, longer: str) -> tuple[Floats, Floats]:
    """Return trend and momentum of the last longer bar that had closed when each bar closed."""
    bars = resample(candles, longer)
    closes = bars.opened + timeframes.milliseconds(longer)
    place = np.searchsorted(closes, candles.opened + timeframes.milliseconds(candles.timeframe), side="right") - 1
    trend, momentum = (np.append(column, np.nan) for column in _leaning(bars))
    return trend[place], momentum[place]  # -1, before the first one, is the NaN at the end


def _leaning(candles: Candles) -> tuple[Floats, Floats]:
    """Return (trend, momentum) of each bar, -1 to 1; thin volume halves what a trend says."""
    from trading.core import pair_loops

    if len(candles) < SLOW:
        nothing = np.full(len(candles), np.nan)
        return nothing, nothing
    usual = pair_loops.means(candles.high - candles.low, SLOW)
    apart = pair_loops.means(candles.close, FAST) - pair_loops.means(candles.close, SLOW)
    traded = pair_loops.means(candles.volume, SLOW)
    ratio = np.divide(candles.volume, traded, out=np.zeros(len(candles)), where=traded > 0)
    support = 0.5 + 0.5 * np.minimum(1.0, ratio)
    moved = np.full(len(candles), np.nan)
    moved[LAG:] = (candles.close[LAG:] - candles.close[:-LAG]) / np.sqrt(LAG)
    return support * _in_ranges(apart, usual), _in_ranges(moved, usual)


def _in_ranges(distance: Floats, usual: Floats) -> Floats:
    """Return a distance in usual ranges of a bar, within -1 and 1; 0 where no bar has a range."""
    made = np.zeros_like(distance)
    np.divide(distance, usual, out=made, where=usual > 0)
    made[np.isnan(distance) | np.isnan(usual)] = np.nan
    return np.clip(made, -1.0, 1.0)
