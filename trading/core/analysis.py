"""Everything that is measured on one series, as arrays of its length; strategies and filters read this."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from trading.core import indicators, regime, scoring
from trading.core.candles import Candles, Floats
from trading.core.params import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """Indicators, regime and technical score of each bar; NaN (regime: unknown) before their warm-up.

    Prices, averages, bands and `atr` are quote per base; `regime` holds Regime codes; `score` is 0 to 100.
    """

    sma_fast: Floats
    sma_slow: Floats
    rsi: Floats
    atr: Floats
    adx: Floats
    macd_histogram: Floats
    bollinger_low: Floats
    bollinger_high: Floats
    hurst: Floats
    volume_ratio: Floats
    volatility_ratio: Floats
    regime: NDArray[np.int8]
    score: Floats

    def at(self, index: int) -> dict[str, float]:
        """Return each value at one bar, for the record (the regime as its code)."""
        return {f.name: float(getattr(self, f.name)[index]) for f in fields(self)}


def analyse(candles: Candles, params: Params) -> Analysis:
    """Measure a series; value k depends on bars 0 to k only.

    Values have 33 bits, ten decimal digits: what a longer past moves lies below that, so two averages that are
    equal are equal from wherever the series begins, and the tick and a backtest see the same cross.
    """
    close = candles.close
    adx = snapped(indicators.adx(candles, params.adx_period))
    hurst = snapped(indicators.hurst(close, params.hurst_window))
    rsi = snapped(indicators.rsi(close, params.rsi_period))
    volume_ratio = snapped(indicators.volume_ratio(candles.volume, params.volume_period))
    bollinger_low, bollinger_high = indicators.bollinger(close, params.bollinger_period, params.bollinger_sigma)
    codes = regime.classify(adx, hurst, params)
    return Analysis(
        sma_fast=snapped(indicators.sma(close, params.fast_sma)),
        sma_slow=snapped(indicators.sma(close, params.slow_sma)),
        rsi=rsi,
        atr=snapped(indicators.atr(candles, params.atr_period)),
        adx=adx,
        macd_histogram=snapped(
            indicators.macd_histogram(close, params.macd_fast, params.macd_slow, params.macd_signal)
        ),
        bollinger_low=snapped(bollinger_low),
        bollinger_high=snapped(bollinger_high),
        hurst=hurst,
        volume_ratio=volume_ratio,
        volatility_ratio=snapped(indicators.volatility_ratio(close, params.volatility_short, params.volatility_long)),
        regime=codes,
        score=scoring.technical(adx=adx, hurst=hurst, volume_ratio=volume_ratio, rsi=rsi, regime=codes),
    )


def snapped(values: Floats) -> Floats:
    """Return the values rounded to 33 bits (Veltkamp's splitting)."""
    scaled = values * 1_048_577.0  # 2**20 + 1
    return scaled - (scaled - values)
