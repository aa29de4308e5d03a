"""Reasons not to enter that one symbol's own bars give, in order, each with what it compared.

A filter is evaluated for every bar at once, so the tick (which reads the last bar) and a backtest
(which reads them all) ask the same code. It fails closed: a NaN compares as False and refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading.core import bitcoin, multi_timeframe
from trading.core import volume as flows
from trading.core.analysis import Analysis
from trading.core.bitcoin import Bitcoin
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.regime import by_regime
from trading.core.strategies import Sides
from trading.core.timeframes import milliseconds
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What the filters look at; `round_trip` is the cost of entry and exit, a fraction of the price."""

    candles: Candles
    analysis: Analysis
    sides: Sides
    params: Params
    round_trip: float
    leader: Candles | None = None
    """BTC's bars; None where there are none, and then the filters that ask for them refuse."""

    @cached_property
    def bitcoin(self) -> Bitcoin:
        return bitcoin.beside(self.candles, self.leader, self.params)


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


def multi_timeframe_agreement(context: Context) -> FilterColumn:
    """Refuse what the trading timeframe and two longer ones together speak against."""
    for_long = multi_timeframe.confluence(context.candles)
    value = np.where(context.sides > 0, for_long, 100.0 - for_long)
    return _at_least("multi_timeframe", value, np.full(len(value), context.params.timeframes_min))


def bitcoin_trend(context: Context) -> FilterColumn:
    """Refuse to go against BTC where the pair follows it."""
    value, limit = context.bitcoin.correlation, np.full(len(context.sides), context.params.bitcoin_correlation)
    passed = (value <= limit) | ((context.bitcoin.trend == np.sign(context.sides)) & ~np.isnan(value))
    return FilterColumn(
        name="bitcoin_trend", passed=passed, value=value, limit=limit, wants="against BTC allows at most"
    )


def bitcoin_rsi(context: Context) -> FilterColumn:
    """Refuse longs while BTC is overbought and shorts while it is oversold."""
    params, value, long = context.params, context.bitcoin.rsi, context.sides > 0
    passed = np.where(long, value <= params.bitcoin_rsi_high, value >= params.bitcoin_rsi_low)
    limit = np.where(long, params.bitcoin_rsi_high, params.bitcoin_rsi_low)
    return FilterColumn(name="bitcoin_rsi", passed=passed, value=value, limit=limit, wants="refuses beyond")


def bitcoin_crash(context: Context) -> FilterColumn:
    """Refuse everything for a while after BTC fell far and fast."""
    value, limit = context.bitcoin.fall, np.full(len(context.sides), context.params.bitcoin_crash)
    return FilterColumn(name="bitcoin_crash", passed=value < limit, value=value, limit=limit, wants="needs less than")


def volume_divergence(context: Context) -> FilterColumn:
    """Refuse an entry against what the flow of volume says of the price's move."""
    value = flows.divergence(context.candles, context.params.divergence_bars).astype(np.float64)
    value[: context.params.divergence_bars] = np.nan
    agreeing = value * np.sign(context.sides)
    return _at_least("volume_divergence", agreeing, np.zeros(len(value)))


Rule = Callable[[Context], FilterColumn]
FILTERS: tuple[Rule, ...] = (score, adx, adx_danger, volume, confluence, cost)
OPTIONAL: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("timeframes_filter", (multi_timeframe_agreement,)),
    ("bitcoin_filter", (bitcoin_trend, bitcoin_rsi, bitcoin_crash)),
    ("divergence_filter", (volume_divergence,)),
)
"""Filters behind a switch, by the parameter that has to be on."""


def in_force(params: Params) -> tuple[Rule, ...]:
    """Return the filters that are asked, in order."""
    return (*FILTERS, *(rule for switch, rules in OPTIONAL if getattr(params, switch) for rule in rules))


def evaluate(context: Context) -> tuple[FilterColumn, ...]:
    """Return the answers of every filter in force, in order; none is skipped, so each refusal is on record."""
    return tuple(rule(context) for rule in in_force(context.params))


def bars_needed(params: Params) -> int:
    """Return how many bars the filters that are switched on look back."""
    span = milliseconds(params.timeframe)
    crash = 60_000 * (params.bitcoin_crash_minutes + params.bitcoin_pause_minutes) // span
    needed = (
        (params.timeframes_filter, multi_timeframe.bars_needed(params)),
        (params.bitcoin_filter, max(params.correlation_bars, bitcoin.SLOW, crash) + 3),
        (params.divergence_filter, params.divergence_bars + 1),
    )
    return max((bars for is_on, bars in needed if is_on), default=0)


def _at_least(name: str, value: Floats, limit: Floats) -> FilterColumn:
    return FilterColumn(name=name, passed=value >= limit, value=value, limit=limit, wants="needs")
