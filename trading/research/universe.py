"""Which pairs were known to be worth trading at each moment, as the scans of the time ranked them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Universe:
    """Lists of symbols, each in force from its moment (milliseconds since 1970) to that of the next; sorted by moment."""

    moments: Ints
    lists: Sequence[frozenset[str]]

    def holds(self, symbol: str, at_ms: Ints) -> NDArray[np.bool_]:
        """Return whether the symbol was on the list known at each moment; before the first list nothing was."""
        listed = np.array([False, *(symbol in names for names in self.lists)], dtype=np.bool_)
        return listed[np.searchsorted(self.moments, at_ms, side="right")]
