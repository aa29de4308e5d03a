"""What BTC does while a pair moves: correlation, relative strength, trend, RSI and falls, aligned by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core import indicators, timeframes
from trading.core.analysis import snapped
from trading.core.candles import Candles, Floats
from trading.core.params import Params

BASE = "BTC"
FAST, SLOW = 10, 30
"""Bars of the averages that say which way BTC goes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bitcoin:
    """Columns as long as the pair's; NaN (trend: 0) where BTC has no bar of that time or too few before it."""

    correlation: Floats
    """Pearson's, of the returns of `correlation_bars` bars."""
    relative_strength: Floats
    """The pair's return over those bars less BTC's, a fraction."""
    trend: NDArray[np.int8]
    """+1 up, -1 down."""
    rsi: Floats
    fall: Floats
    """The deepest fall from the highest close within the crash window, over the bars of the pause; a fraction."""


def leader_of(symbol: str) -> str:
    """Return BTC in the quote of a symbol."""
    return f"{BASE}/{symbol.partition('/')[2]}"


def beside(candles: Candles, leader: Candles | None, params: Params) -> Bitcoin:
    """Measure a pair beside BTC; value k depends on bars up to the close of the pair's bar k only."""
    from trading.core import pair_loops

    length = len(candles)
    if leader is None or not len(leader) or leader.timeframe != candles.timeframe:
        nothing = np.full(length, np.nan)
        still = np.zeros(length, dtype=np.int8)
        return Bitcoin(correlation=nothing, relative_strength=nothing, trend=still, rsi=nothing, fall=nothing)
    window = params.correlation_bars
    place = np.clip(np.searchsorted(leader.opened, candles.opened), 0, len(leader) - 1)
    is_there = leader.opened[place] == candles.opened

    def beside_it(column: Floats) -> Floats:
        return np.where(is_there, column[place], np.nan)

    own, theirs = _log_returns(candles.close), beside_it(_log_returns(leader.close))
    fast, slow = (pair_loops.means(leader.close, period) for period in (FAST, SLOW))
    trend = np.sign(np.nan_to_num(beside_it(fast - slow))).astype(np.int8)
    span = timeframes.milliseconds(candles.timeframe)
    crash, pause = (
        max(1, 60_000 * each // span) for each in (params.bitcoin_crash_minutes, params.bitcoin_pause_minutes)
    )
    return Bitcoin(
        correlation=pair_loops.correlation(own, theirs, window),
        relative_strength=_change(candles.close, window) - beside_it(_change(leader.close, window)),
        trend=trend,
        rsi=beside_it(snapped(indicators.rsi(leader.close, params.rsi_period))),
        fall=beside_it(_most(_fall(leader.close, crash), pause)),
    )


def _log_returns(close: Floats) -> Floats:
    return np.diff(np.log(close), prepend=np.nan)


def _change(close: Floats, bars: int) -> Floats:
    changed = np.full(len(close), np.nan)
    changed[bars:] = close[bars:] / close[:-bars] - 1.0
    return changed


def _fall(close: Floats, bars: int) -> Floats:
    """Return how far each close lies below the highest of the last `bars` before it; less is known at the start."""
    return 1.0 - close / _most(close, bars + 1)


def _most(values: Floats, bars: int) -> Floats:
    """Return the greatest of the last `bars` values; of fewer at the start."""
    padded = np.concatenate([np.full(bars - 1, -np.inf), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, bars)
    return np.asarray(windows.max(axis=1), dtype=np.float64)
