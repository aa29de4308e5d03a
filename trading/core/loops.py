"""The two indicators that need a loop over bars, compiled: apart from the others, which need no compiler."""

from __future__ import annotations

import numpy as np
from numba import njit

from trading.core.candles import Floats, Ints


@njit(cache=True)
def deviation(values: Floats, period: int) -> Floats:
    # Welford's update with one value leaving for each that comes: running sums of squares lose the digits that matter.
    result = np.full(len(values), np.nan)
    mean, square, alike = 0.0, 0.0, 0
    for k in range(1, len(values)):
        alike = alike + 1 if values[k] == values[k - 1] else 1
        if k <= period:
            change = values[k] - mean
            mean += change / k
            square += change * (values[k] - mean)
        else:
            old, before = values[k - period], mean
            mean += (values[k] - old) / period
            square += (values[k] - old) * (values[k] - mean + old - before)
        if alike >= period:
            # What rounding left over is not a deviation.
            mean, square = values[k], 0.0
        if k >= period:
            result[k] = np.sqrt(max(square, 0.0) / period)
    return result


@njit(cache=True)
def hurst(price: Floats, window: int, lags: Ints, bias: Floats, weights: Floats) -> Floats:
    result = np.full(len(price), np.nan)
    sums = np.zeros(len(lags))
    still = 0
    for k in range(len(price)):
        still = still + 1 if k > 0 and price[k] == price[k - 1] else 0
        for i in range(len(lags)):
            lag = lags[i]
            if k >= lag:
                sums[i] += (price[k] - price[k - lag]) ** 2
            leaves = k - (window - lag + 1)
            if leaves >= lag:
                sums[i] -= (price[leaves] - price[leaves - lag]) ** 2
        if still >= window:
            # What rounding left over is not a move.
            sums[:] = 0.0
        if k < window:
            continue
        slope = 0.0
        for i in range(len(lags)):
            variance = sums[i] / (window - lags[i] + 1)
            if variance <= 1e-20:
                slope = np.nan
                break
            slope += weights[i] * (np.log(variance) + bias[i])
        result[k] = slope
    return result
