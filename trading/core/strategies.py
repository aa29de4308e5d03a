"""Entries: the Strategy protocol, the two built-in strategies, and how `STRATEGIES` names more.

A strategy of your own is a class with these three members in any importable module. List its dotted
path in the STRATEGIES setting and it runs unchanged in the live tick, in `replay` and in `backtest`;
docs/STRATEGIES.md walks through one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trading.core import indicators, regime
from trading.core.analysis import Analysis
from trading.core.candles import Candles, Floats
from trading.core.params import Params

Sides = NDArray[np.int8]


class Strategy(Protocol):
    """Finds entries. `name` is stored with every signal."""

    name: str

    def warmup_bars(self, params: Params) -> int:
        """Return how many bars it needs before its answers mean something."""
        ...

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        """Return +1 (enter long), -1 (enter short) or 0 for each bar, as of its close.

        Entry k may use bars 0 to k only: a later bar must never change it (`tests/unit/test_prefix.py`
        shows how to test that).
        """
        ...


class TrendCross:
    """Long when the short moving average crosses above the long one, short when below, unless RSI is extreme."""

    name = "trend"

    def warmup_bars(self, params: Params) -> int:
        return indicators.warmup_bars(params)

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        up = crossed_above(analysis.sma_fast, analysis.sma_slow)
        down = crossed_above(analysis.sma_slow, analysis.sma_fast)
        allowed = regime.allowed(self.name, analysis.regime) & params.trend_entries
        long = up & (analysis.rsi <= params.trend_rsi_long_max) & allowed
        short = down & (analysis.rsi >= params.trend_rsi_short_min) & allowed
        return long.astype(np.int8) - short.astype(np.int8)


class BandReversion:
    """Long at or below the lower Bollinger band with a low RSI, short at the mirror, in a ranging market."""

    name = "reversion"

    def warmup_bars(self, params: Params) -> int:
        return indicators.warmup_bars(params)

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        allowed = regime.allowed(self.name, analysis.regime) & params.reversion_entries
        low = candles.close <= analysis.bollinger_low
        high = candles.close >= analysis.bollinger_high
        long = low & (analysis.rsi < params.reversion_rsi_long_max) & allowed
        short = high & (analysis.rsi > params.reversion_rsi_short_min) & allowed
        return long.astype(np.int8) - short.astype(np.int8)


def crossed_above(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Return where `one` closed above `other` after a bar at or below it; False where either was missing."""
    crossed = np.zeros(len(one), dtype=np.bool_)
    crossed[1:] = (one[1:] > other[1:]) & (one[:-1] <= other[:-1])
    return crossed


class StrategyError(ValueError):
    """A strategy that cannot be loaded, or that answered in the wrong shape."""


def load(paths: Sequence[str]) -> tuple[Strategy, ...]:
    """Return the strategies at the dotted paths, or raise StrategyError naming the one that is wrong."""
    loaded = tuple(_load_one(path) for path in paths)
    names = [strategy.name for strategy in loaded]
    if len(set(names)) != len(names):
        raise StrategyError(f"STRATEGIES: two strategies have the same name among {names}; rename one")
    return loaded


def first_entries(
    strategies: Sequence[Strategy], candles: Candles, analysis: Analysis, params: Params
) -> tuple[Sides, NDArray[np.int8]]:
    """Return (side, index of the strategy that found it) of each bar; the strategy listed first wins a bar."""
    side = np.zeros(len(candles), dtype=np.int8)
    finder = np.full(len(candles), -1, dtype=np.int8)
    for index, strategy in enumerate(strategies):
        found = _checked_sides(strategy, candles, analysis, params)
        new = (side == 0) & (found != 0)
        side[new], finder[new] = found[new], index
    return side, finder


def _checked_sides(strategy: Strategy, candles: Candles, analysis: Analysis, params: Params) -> Sides:
    found = np.asarray(strategy.sides(candles, analysis, params))
    if found.shape != (len(candles),) or not ((found == 0) | (found == 1) | (found == -1)).all():
        raise StrategyError(f"strategy {strategy.name!r} must return one of -1, 0, 1 for each of {len(candles)} bars")
    found = found.astype(np.int8)
    found[: strategy.warmup_bars(params)] = 0
    return found


def _load_one(path: str) -> Strategy:
    module_name, _, class_name = path.rpartition(".")
    try:
        strategy = getattr(import_module(module_name), class_name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise StrategyError(f"STRATEGIES: {path!r} cannot be loaded: {error}") from error
    for member in ("name", "sides", "warmup_bars"):
        if not hasattr(strategy, member):
            raise StrategyError(f"STRATEGIES: {path!r} has no {member!r}; see trading.core.strategies.Strategy")
    return strategy  # type: ignore[no-any-return]
