"""Reasons not to enter that one symbol's own bars give, in order, each with what it compared.

A filter is evaluated for every bar at once, so the tick (which reads the last bar) and a backtest
(which reads them all) ask the same code. It fails closed: a NaN compares as False and refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.core.analysis import Analysis
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.regime import by_regime
from trading.core.strategies import Sides
from trading.core.types import REGIMES, Regime, Verdict

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilterColumn:
    """One filter's answers for every bar; an answer means something only where a setup stands."""

    name: str
    passed: NDArray[np.bool_]
    value: Floats
    limit: Floats
    wants: str
    """How value and limit relate when it passes: 'needs', 'allows at most', 'refuses up to'."""

    def verdict(self, index: int) -> Verdict:
        value, limit = float(self.value[index]), float(self.limit[index])
        label = self.name.replace("_", " ")
        reason = f"{label} has no value" if np.isnan(value) else f"{label} {value:.2f}, {self.wants} {limit:.2f}"
        return Verdict(name=self.name, passed=bool(self.passed[index]), value=value, limit=limit, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What the filters look at; `round_trip` is the cost of entry and exit, a fraction of the price."""

    candles: Candles
    analysis: Analysis
    sides: Sides
    params: Params
    round_trip: float


def score(context: Context) -> FilterColumn:
    """Refuse a technical score below the regime's minimum."""
    limits = by_regime({kind: context.params.score_min(kind) for kind in REGIMES}, context.analysis.regime)
    return _at_least("score", context.analysis.score, limits)


def adx(context: Context) -> FilterColumn:
    """Refuse an ADX below the regime's minimum."""
    limits = by_regime({kind: context.params.adx_min(kind) for kind in REGIMES}, context.analysis.regime)
    return _at_least("adx", context.analysis.adx, limits)


def adx_danger(context: Context) -> FilterColumn:
    """Refuse an ADX inside the danger zone, where that is switched on."""
    params, value = context.params, context.analysis.adx
    outside = (value < params.adx_danger_low) | (value > params.adx_danger_high)
    passed = outside | (not params.adx_danger)
    limit = np.full(len(value), params.adx_danger_high)
    return FilterColumn(name="adx_danger", passed=passed, value=value, limit=limit, wants="refuses up to")


def volume(context: Context) -> FilterColumn:
    """Refuse thin volume; outside the busy sessions more is asked."""
    params = context.params
    hours = (context.candles.opened // _HOUR_MS) % 24
    busy = (hours >= params.session_one_start) & (hours < params.session_one_end)
    busy |= (hours >= params.session_two_start) & (hours < params.session_two_end)
    limits = params.volume_min * np.where(busy, 1.0, params.volume_quiet_factor)
    return _at_least("volume_ratio", context.analysis.volume_ratio, limits)


def confluence(context: Context) -> FilterColumn:
    """Refuse unless enough of RSI, ADX and volume agree with the side."""
    params, analysis = context.params, context.analysis
    long = context.sides > 0
    rsi = np.where(long, analysis.rsi < params.confluence_rsi_long, analysis.rsi > params.confluence_rsi_short)
    ranging = analysis.regime == Regime.RANGING.code
    adx = np.where(ranging, analysis.adx < params.confluence_adx, analysis.adx >= params.confluence_adx)
    agreeing = rsi.astype(np.float64) + adx + (analysis.volume_ratio >= params.confluence_volume)
    missing = np.isnan(analysis.rsi) | np.isnan(analysis.adx) | np.isnan(analysis.volume_ratio)
    agreeing[missing] = np.nan
    return _at_least("confluence", agreeing, np.full(len(agreeing), float(params.confluence_min)))


def cost(context: Context) -> FilterColumn:
    """Refuse where the first target is not worth a multiple of the round trip; in multiples of it."""
    params = context.params
    target = params.target_one_r * params.stop_atr * context.analysis.atr / context.candles.close
    # Free trading cannot be too dear; dividing by zero would say NaN, which refuses.
    value = target / context.round_trip if context.round_trip > 0 else np.where(np.isnan(target), np.nan, np.inf)
    return _at_least("target_over_cost", value, np.full(len(value), params.cost_multiple))


FILTERS: tuple[Callable[[Context], FilterColumn], ...] = (score, adx, adx_danger, volume, confluence, cost)


def evaluate(context: Context) -> tuple[FilterColumn, ...]:
    """Return every filter's answers, in order; none is skipped, so each refusal is on record."""
    return tuple(rule(context) for rule in FILTERS)


def _at_least(name: str, value: Floats, limit: Floats) -> FilterColumn:
    return FilterColumn(name=name, passed=value >= limit, value=value, limit=limit, wants="needs")
