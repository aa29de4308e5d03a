"""Regimes: what kind of market a bar closed in, and which built-in strategy trades in which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats
from trading.core.params import Params
from trading.core.types import REGIMES, Regime

TRADES: dict[str, frozenset[Regime]] = {
    # A moving-average cross often comes before ADX has risen, so the filters judge it by regime.
    "trend": frozenset(REGIMES),
    "reversion": frozenset({Regime.RANGING}),
}


def classify(adx: Floats, hurst: Floats, params: Params) -> NDArray[np.int8]:
    """Return the Regime code of each bar; unknown where ADX or Hurst has no value.

    Choppy is asked first: a market that reverts after each move makes a high ADX meaningless.
    """
    conditions = (
        (np.isnan(adx) | np.isnan(hurst), Regime.UNKNOWN),
        (hurst < params.hurst_choppy, Regime.CHOPPY),
        ((adx >= params.adx_strong) & (hurst >= params.hurst_strong), Regime.STRONG_TREND),
        (adx >= params.adx_trend, Regime.TREND),
        (adx >= params.adx_weak, Regime.WEAK_TREND),
    )
    codes = [kind.code for _, kind in conditions]
    return np.select([c for c, _ in conditions], codes, default=Regime.RANGING.code).astype(np.int8)


def allowed(strategy: str, codes: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return where the regime table lets a built-in strategy enter."""
    return by_regime({kind: kind in TRADES[strategy] for kind in REGIMES}, codes).astype(np.bool_)


def by_regime(values: dict[Regime, float], codes: NDArray[np.int8]) -> Floats:
    """Return each bar's value out of a table by regime."""
    return np.array([values[kind] for kind in REGIMES], dtype=np.float64)[codes]
