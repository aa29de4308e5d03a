"""How much pairs move together: correlations of their returns, and clusters of those that do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trading.core import timeframes
from trading.core.candles import Candles, Floats

_DIGITS = 9
"""What lies below is the order of adding up, so that the tick and a backtest compare the same number."""


def returns(series: Sequence[Candles], *, closed_at_ms: int, window: int) -> Floats:
    """Return the last `window` log returns up to the bar that closed then, a row for each series.

    The rows are aligned by time; one of a series that lacks any of these bars is NaN.
    """
    made = np.full((len(series), window), np.nan)
    for row, candles in enumerate(series):
        last = closed_at_ms - timeframes.milliseconds(candles.timeframe)
        stop = int(np.searchsorted(candles.opened, last, side="right"))
        if stop > window and candles.opened[stop - 1] == last:
            made[row] = np.diff(np.log(candles.close[stop - window - 1 : stop]))
    return made


def correlations(returns: Floats) -> Floats:
    """Return Pearson's correlation of each two rows; NaN where one of them is missing or has not moved."""
    known = np.asarray(np.isfinite(returns).all(axis=1))
    plain = np.where(known[:, None], returns, 0.0)
    centred = plain - plain.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1))
    # Of equal returns rounding leaves something over, which is nothing against their own size.
    moves = np.asarray(known & (length > 1e-12 * np.abs(plain).max(axis=1, initial=0.0)))
    unit = np.divide(centred, length[:, None], out=np.zeros_like(centred), where=moves[:, None])
    made = np.clip(np.round(unit @ unit.T, _DIGITS), -1.0, 1.0)
    made[~moves, :] = np.nan
    made[:, ~moves] = np.nan
    np.fill_diagonal(made, np.where(moves, 1.0, np.nan))
    return np.asarray(made, dtype=np.float64)


def clusters(matrix: Floats, threshold: float) -> tuple[tuple[int, ...], ...]:
    """Return the groups of rows that hang together by correlations of at least `threshold`, largest first.

    Every row is in exactly one (single linkage); what is not known links nothing.
    """
    owner = np.arange(len(matrix))
    for one, other in np.argwhere(np.triu(np.nan_to_num(matrix, nan=-2.0) >= threshold, k=1)):
        owner[owner == owner[other]] = owner[one]
    groups = [tuple(np.flatnonzero(owner == name).tolist()) for name in np.unique(owner)]
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


def allies(matrix: Floats, threshold: float) -> NDArray[np.bool_]:
    """Return whether each two rows count as one risk: in one cluster, or it is not known that they are not."""
    together = np.isnan(matrix)
    for group in clusters(matrix, threshold):
        together[np.ix_(group, group)] = True
    return together
