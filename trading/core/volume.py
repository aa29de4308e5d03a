"""Where volume was traded (point of control and value area), and whether it backs what the price does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Candles, Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Prices (quote per base) of each bar's window, NaN where it is not full or nothing was traded in it."""

    poc: Floats
    """Point of control: the middle of the bin with most volume."""
    vah: Floats
    val: Floats
    """The bounds of the value area, which grows from the point of control to the richer neighbour."""


def profile(candles: Candles, window: int) -> Profile:
    """Measure the profile of the last `window` bars at each bar; a bar's volume lies evenly over its range."""
    from trading.core import pair_loops

    poc, vah, val = pair_loops.profile(candles.high, candles.low, candles.volume, window)
    return Profile(poc=poc, vah=vah, val=val)


def divergence(candles: Candles, period: int) -> NDArray[np.int8]:
    """Return -1 where price rose over `period` bars while volume flowed out, +1 where it fell while volume flowed in.

    The flow is that of On-Balance Volume (Granville): a bar's volume counts with the sign of its close's change.
    """
    from trading.core import pair_loops

    found = np.zeros(len(candles), dtype=np.int8)
    if len(candles) <= period:
        return found
    change = np.diff(candles.close)
    flows = np.sign(change) * candles.volume[1:]
    flow = pair_loops.sums(flows, period)
    moved = candles.close[period:] - candles.close[:-period]
    found[period:] = -np.where(np.sign(moved) * np.sign(flow) < 0, np.sign(moved), 0.0).astype(np.int8)
    return found
