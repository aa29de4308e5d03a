"""How promising a pair looks right now, 0 to 100: continuous and monotonic in everything it rewards."""

from __future__ import annotations

import math

from trading.core.analysis import Analysis

POINTS = {"adx": 25.0, "volatility": 20.0, "volume": 15.0, "rsi": 15.0, "fresh_setup": 15.0, "macd": 10.0}
FULL_ADX = 50.0
FULL_VOLATILITY = 0.01
"""ATR over price that earns all points."""
FULL_VOLUME = 2.0
FULL_MACD = 0.5
"""MACD histogram over ATR that earns all points."""
SETUP_HALF_LIFE = 10.0
"""Bars after which a setup is worth half."""


def parts(analysis: Analysis, *, price: float, bars_since_setup: int | None) -> dict[str, float] | None:
    """Return the points of each part at the last bar; None where an indicator has no value yet."""
    adx, rsi = float(analysis.adx[-1]), float(analysis.rsi[-1])
    atr, volume, macd = float(analysis.atr[-1]), float(analysis.volume_ratio[-1]), float(analysis.macd_histogram[-1])
    if not all(map(math.isfinite, (adx, rsi, atr, volume, macd))) or atr <= 0:
        return None
    earned = {
        "adx": adx / FULL_ADX,
        "volatility": atr / price / FULL_VOLATILITY,
        "volume": volume / FULL_VOLUME,
        # Room to move: most in the middle, none at either extreme.
        "rsi": 1.0 - abs(rsi - 50.0) / 50.0,
        "fresh_setup": 0.0 if bars_since_setup is None else 0.5 ** (bars_since_setup / SETUP_HALF_LIFE),
        "macd": abs(macd) / atr / FULL_MACD,
    }
    return {name: POINTS[name] * min(1.0, max(0.0, share)) for name, share in earned.items()}
