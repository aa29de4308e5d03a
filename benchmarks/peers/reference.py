"""The reference strategy, as arrays, for every engine alike: EMA 15/40 cross at the close, RSI 14 below 70 for a long
(above 30 for a short), stop 2 ATR 14; first entry at bar 250."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import talib
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIRST = 250


def sides(fast: Floats, slow: Floats, rsi: Floats) -> NDArray[np.int8]:
    """Return +1, -1 or 0 for each bar, as of its close."""
    found = np.zeros(len(fast), dtype=np.int8)
    above = fast > slow
    turned = np.flatnonzero(above[1:] != above[:-1]) + 1
    turned = turned[(turned >= FIRST) & (turned < len(fast) - 1)]
    up = above[turned]
    # Equal averages have not crossed yet.
    real = np.where(up, fast[turned - 1] <= slow[turned - 1], (fast[turned] < slow[turned]))
    fits = np.where(up, rsi[turned] < 70.0, rsi[turned] > 30.0) & real
    found[turned[fits]] = np.where(up[fits], 1, -1)
    return found


def indicators(
    high: Floats, low: Floats, close: Floats, lengths: Sequence[int] = (15, 40)
) -> tuple[dict[int, Floats], Floats, Floats]:
    """Return (EMA by length, RSI, the distance of the stop)."""
    averages = {length: talib.EMA(close, length) for length in set(lengths)}
    return averages, talib.RSI(close, 14), 2.0 * talib.ATR(high, low, close, 14)
