"""How far one distribution lies from another: the population stability index (Siddiqi, Credit Risk Scorecards, 2006)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats

BINS = 10
MOVED = 0.25
"""From here on a distribution is another one; below 0.1 it is the same."""
MOST_MISSING = 0.5
"""Of what was seen in training; what is known of a column that lacks more says too little to compare with."""
_LEAST_SHARE = 1e-3
"""Of an empty bin, whose logarithm would be nothing."""


class Profile(TypedDict):
    """One feature's distribution: the inner edges of its bins, and the share in each; the last share is of missing values."""

    edges: list[float]
    shares: list[float]


def profile(x: NDArray[np.float32], names: Sequence[str]) -> dict[str, Profile]:
    """Return each column's distribution over at most BINS bins that are filled alike."""
    made: dict[str, Profile] = {}
    for place, name in enumerate(names):
        column = x[:, place].astype(np.float64)
        known = column[~np.isnan(column)]
        edges = np.unique(np.quantile(known, np.linspace(0.0, 1.0, BINS + 1)[1:-1])) if len(known) else np.empty(0)
        made[name] = {"edges": edges.tolist(), "shares": _shares(column, edges).tolist()}
    return made


def index(before: Profile, now: Floats) -> float | None:
    """Return the sum over bins of (now - before) times log(now / before); 0 is the same distribution.

    That less is missing than before, as where a venue has begun to tell a value, is no other distribution: then what is
    known is compared, or nothing (None) where too little of it was known.
    """
    was, found = np.array(before["shares"]), _shares(now, np.array(before["edges"], dtype=np.float64))
    if found[-1] < was[-1]:
        if was[-1] > MOST_MISSING:
            return None
        was, found = was[:-1] / was[:-1].sum(), found[:-1] / found[:-1].sum()
    was, found = np.maximum(was, _LEAST_SHARE), np.maximum(found, _LEAST_SHARE)
    return float(((found - was) * np.log(found / was)).sum())


def indices(before: Mapping[str, Profile], now: Floats, names: Sequence[str]) -> dict[str, float | None]:
    """Return the index of each column that has a profile, by name."""
    return {name: index(before[name], now[:, place]) for place, name in enumerate(names) if name in before}


def _shares(column: Floats, edges: Floats) -> Floats:
    missing = np.isnan(column)
    counts = np.bincount(np.searchsorted(edges, column[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(counts, missing.sum()) / max(1, len(column))
