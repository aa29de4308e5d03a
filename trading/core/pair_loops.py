"""The loops of pair measures that are compiled; whoever imports this loads the compiler.

Each window is gone through anew and in the same order, so that it does not matter where the series begins.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from trading.core.candles import Floats

BINS = 24
VALUE_AREA = 0.70
"""The share of a window's volume that the value area holds; Steidlmayer's Market Profile rounds a deviation to it."""


@njit(cache=True)
def correlation(one: Floats, other: Floats, window: int) -> Floats:
    result = np.full(len(one), np.nan)
    for k in range(window - 1, len(one)):
        first, second = one[k - window + 1 : k + 1], other[k - window + 1 : k + 1]
        a, b = 0.0, 0.0
        for i in range(window):
            a += first[i]
            b += second[i]
        a, b = a / window, b / window
        ab, aa, bb = 0.0, 0.0, 0.0
        for i in range(window):
            x, y = first[i] - a, second[i] - b
            ab += x * y
            aa += x * x
            bb += y * y
        if aa > 1e-24 and bb > 1e-24:
            result[k] = min(1.0, max(-1.0, ab / np.sqrt(aa * bb)))
    return result


@njit(cache=True)
def means(values: Floats, period: int) -> Floats:
    result = np.full(len(values), np.nan)
    for k in range(period - 1, len(values)):
        total = 0.0
        for i in range(k - period + 1, k + 1):
            total += values[i]
        result[k] = total / period
    return result


@njit(cache=True)
def sums(values: Floats, period: int) -> Floats:
    result = np.empty(len(values) - period + 1)
    for k in range(len(result)):
        total = 0.0
        for i in range(k, k + period):
            total += values[i]
        result[k] = total
    return result


@njit(cache=True)
def profile(high: Floats, low: Floats, volume: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    poc, vah, val = np.full(len(high), np.nan), np.full(len(high), np.nan), np.full(len(high), np.nan)
    bins = np.empty(BINS)
    for k in range(window - 1, len(high)):
        start = k - window + 1
        bottom, top = low[start : k + 1].min(), high[start : k + 1].max()
        width = (top - bottom) / BINS
        bins[:] = 0.0
        for i in range(start, k + 1):
            _spread(bins, low[i], high[i], volume[i], bottom, width)
        total = bins.sum()
        if not total > 0.0:
            continue
        best = int(np.argmax(bins))
        first, last, held = best, best, bins[best]
        while held < VALUE_AREA * total:
            below = bins[first - 1] if first > 0 else -1.0
            above = bins[last + 1] if last < BINS - 1 else -1.0
            if below < 0.0 and above < 0.0:
                break
            if above >= below:
                last, held = last + 1, held + above
            else:
                first, held = first - 1, held + below
        poc[k], val[k], vah[k] = bottom + (best + 0.5) * width, bottom + first * width, bottom + (last + 1) * width
    return poc, vah, val


@njit(cache=True)
def _spread(bins: Floats, low: float, high: float, volume: float, bottom: float, width: float) -> None:
    """Lay a bar's volume over the bins that its range touches."""
    if width <= 0.0:
        bins[0] += volume
        return
    first = min(BINS - 1, int((low - bottom) / width))
    last = min(BINS - 1, int((high - bottom) / width))
    if first == last:
        bins[first] += volume
        return
    for place in range(first, last + 1):
        begin, end = max(low, bottom + place * width), min(high, bottom + (place + 1) * width)
        bins[place] += volume * max(0.0, end - begin) / (high - low)
