"""Indicators over arrays: value k uses bars 0 to k only, NaN where there are too few.

Wilder's RSI, ATR and ADX, SMA, EMA, MACD and Bollinger bands come from TA-Lib; the Hurst exponent is
our own, because the usual estimators are biased at short windows. The compiler is loaded by those that need it, on
first use: the web process draws the others without it.
"""

from __future__ import annotations

import numpy as np

from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.talib_alone import talib

HURST_LAGS = (1, 2, 4, 8, 16)


def sma(values: Floats, period: int) -> Floats:
    return _array(talib.SMA(values, period))


def rsi(close: Floats, period: int) -> Floats:
    """Return Wilder's RSI, 0 to 100; a price that has never moved reads 50."""
    values = _array(talib.RSI(close, period))
    # TA-Lib answers 0 where there was neither gain nor loss, which would read as oversold.
    flat = np.maximum.accumulate(close) == np.minimum.accumulate(close)
    values[flat & np.isfinite(values)] = 50.0
    return values


def atr(candles: Candles, period: int) -> Floats:
    """Return Wilder's average true range, quote per base."""
    return _array(talib.ATR(candles.high, candles.low, candles.close, period))


def adx(candles: Candles, period: int) -> Floats:
    """Return Wilder's average directional index, 0 to 100."""
    return _array(talib.ADX(candles.high, candles.low, candles.close, period))


def macd_histogram(close: Floats, fast: int, slow: int, signal: int) -> Floats:
    """Return MACD minus its signal line, quote per base."""
    return _array(talib.MACD(close, fast, slow, signal)[2])


def bollinger(close: Floats, period: int, sigma: float) -> tuple[Floats, Floats]:
    """Return (lower, upper) band: the mean less and plus `sigma` population deviations."""
    upper, _, lower = talib.BBANDS(close, period, sigma, sigma)
    return _array(lower), _array(upper)


def volume_ratio(volume: Floats, period: int) -> Floats:
    """Return the bar's volume over its mean of `period` bars; 0 where nothing was traded."""
    mean = sma(volume, period)
    # Counting bars is exact; a running sum may leave a few ulps of an emptied window, which is no volume.
    traded = (sma((volume > 0).astype(np.float64), period) > 0) & (mean > 0)
    ratio = np.divide(volume, mean, out=np.zeros_like(volume), where=traded)
    ratio[np.isnan(mean)] = np.nan
    return ratio


def volatility_ratio(close: Floats, short: int, long: int) -> Floats:
    """Return the deviation of the last `short` log returns over that of the last `long`; 1 is usual."""
    from trading.core import loops

    returns = np.diff(np.log(close), prepend=np.nan)
    now, usual = loops.deviation(returns, short), loops.deviation(returns, long)
    ratio = np.divide(now, usual, out=np.ones_like(close), where=usual > 0)
    ratio[np.isnan(usual)] = np.nan
    return ratio


def hurst(close: Floats, window: int) -> Floats:
    """Return the Hurst exponent of the last `window` log returns: 0.5 is a random walk, above it trends.

    Half the slope of log variance of overlapping q-bar moves against log q (the variance-ratio idea of
    Lo and MacKinlay, 1988). The logarithm of an estimated variance is biased low by half its relative
    variance, 2 (2 q^2 + 1) / (3 q n) for n overlapping moves of a random walk, and more so at long lags;
    adding it back centres the estimate on 0.50 for a random walk. A price that did not move has no
    exponent: NaN.
    """
    from trading.core import loops

    lags = np.array(HURST_LAGS, dtype=np.int64)
    count = window - lags + 1.0
    bias = (2.0 * lags**2 + 1.0) / (3.0 * lags * count)
    x = np.log(lags.astype(np.float64))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum() / 2.0
    return _array(loops.hurst(np.log(close), window, lags, bias, weights))


def longest_memory(params: Params) -> int:
    """Return how many bars the slowest recursive indicator needs to forget its start to float precision.

    Wilder's smoothing keeps (1 - 1/n) a bar: 37 n bars bring that to 1e-16. ADX smooths twice.
    """
    return 37 * _slowest_period(params)


def warmup_bars(params: Params) -> int:
    """Return from how many bars on every indicator has a value that its start hardly moves (under 1 %)."""
    return max(
        params.slow_sma,
        params.hurst_window + 1,
        params.volatility_long + 1,
        params.bollinger_period,
        params.volume_period,
        5 * _slowest_period(params),
    )


def _slowest_period(params: Params) -> int:
    periods = (params.rsi_period, params.atr_period, 2 * params.adx_period, params.macd_slow, params.macd_signal)
    return max(periods)


def _array(values: object) -> Floats:
    return np.asarray(values, dtype=np.float64)
