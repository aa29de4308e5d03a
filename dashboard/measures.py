"""What the chart draws besides the bars: the indicators of the parameters in force, the regime and the busy sessions.

The web process has no compiler: the Hurst exponent, which `core.indicators` computes in a compiled loop for years of bars,
is made here with array operations for the few hundred that are shown. A test holds both together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.core.params import Params

if TYPE_CHECKING:
    from trading.core.candles import Candles, Floats

Column = list[float | None] | list[str] | list[int]

_DIGITS = 10
"""Significant ones; a screen shows fewer, and the answer stays small."""


def columns(candles: Candles, params: Params, *, last: int) -> dict[str, Column]:
    """Return each indicator of the last so many bars, None before its warm-up; `opened_ms` names the bars."""
    import numpy as np

    from trading.core import indicators, regime
    from trading.core.types import REGIMES

    close = candles.close
    adx, strength = indicators.adx(candles, params.adx_period), hurst(close, params.hurst_window)
    low, high = indicators.bollinger(close, params.bollinger_period, params.bollinger_sigma)
    made = {
        "sma_fast": indicators.sma(close, params.fast_sma),
        "sma_slow": indicators.sma(close, params.slow_sma),
        "bollinger_low": low,
        "bollinger_high": high,
        "rsi": indicators.rsi(close, params.rsi_period),
        "macd_histogram": indicators.macd_histogram(close, params.macd_fast, params.macd_slow, params.macd_signal),
        "adx": adx,
        "atr": indicators.atr(candles, params.atr_period),
        "hurst": strength,
    }
    kinds = regime.classify(adx, strength, params)[-last:]
    hours = candles.opened[-last:] // 3_600_000 % 24
    first = (hours >= params.session_one_start) & (hours < params.session_one_end)
    second = (hours >= params.session_two_start) & (hours < params.session_two_end)
    shown: dict[str, Column] = {"opened_ms": [int(each) for each in candles.opened[-last:]]}
    for name, values in made.items():
        shown[name] = [float(f"{each:.{_DIGITS}g}") if np.isfinite(each) else None for each in values[-last:].tolist()]
    shown["regime"] = [str(REGIMES[code]) for code in kinds.tolist()]
    shown["session"] = np.where(first, 1, np.where(second, 2, 0)).tolist()
    return shown


def hurst(close: Floats, window: int) -> Floats:
    """Return what core.indicators.hurst does, without its compiled loop."""
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    from trading.core.indicators import HURST_LAGS

    found: Floats = np.full(len(close), np.nan)
    if len(close) <= window:
        return found
    price, lags = np.log(close), np.array(HURST_LAGS, dtype=np.int64)
    count = window - lags + 1.0
    bias = (2.0 * lags**2 + 1.0) / (3.0 * lags * count)
    x = np.log(lags.astype(np.float64))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum() / 2.0
    slope = np.zeros(len(close) - window)
    for lag, terms, lift, weight in zip(lags.tolist(), count.tolist(), bias, weights, strict=True):
        moves = (price[lag:] - price[:-lag]) ** 2
        variance = sliding_window_view(moves, int(terms)).sum(axis=1) / terms
        # A price that did not move has no exponent.
        logarithm = np.log(variance, out=np.full(len(variance), np.nan), where=variance > 1e-20)
        slope += weight * (logarithm + lift)
    found[window:] = slope
    return found
