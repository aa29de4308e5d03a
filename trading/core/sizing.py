"""How much to risk now, and what quantity that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from trading.core.candles import Floats
from trading.core.params import Params
from trading.core.types import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The fraction of equity to risk, and each factor that moved it from the parameter."""

    fraction: float
    factors: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The recent past of the account: returns are PnL over equity at entry, oldest first."""

    losses_in_row: int
    wins_in_row: int
    returns: Sequence[float]


class RiskRules(NamedTuple):
    """The parameters of the risk fraction, by their names, for compiled code."""

    risk_fraction: float
    risk_floor: float
    risk_ceiling: float
    volatile_atr: float
    volatile_factor: float
    losing_streak: int
    losing_factor: float
    winning_streak: int
    winning_factor: float
    drawdown_reduced: float
    drawdown_cautious: float
    drawdown_emergency: float
    drawdown_reduced_factor: float
    drawdown_cautious_factor: float
    drawdown_emergency_factor: float
    kelly: bool
    kelly_scale: float
    kelly_min_trades: int
    kelly_low: float
    kelly_high: float


@lru_cache(maxsize=64)
def risk_rules(params: Params) -> RiskRules:
    return RiskRules(**{name: getattr(params, name) for name in RiskRules._fields})


def risk_now(*, params: Params, record: Record, drawdown: float, atr_fraction: float) -> Risk:
    """Return the risk fraction after volatility, streak, drawdown and the Kelly cap.

    `drawdown` is the fall of open equity from its peak, `atr_fraction` ATR over price.
    """
    rules = risk_rules(params)
    volatility = float(_volatility_factor(rules, atr_fraction))
    streak = float(_streak_factor(rules, record.losses_in_row, record.wins_in_row))
    fall = float(_drawdown_factor(rules, drawdown))
    factors = {
        "volatility": volatility,
        "streak": streak,
        "drawdown": fall,
    }
    cap = kelly_cap(params, record.returns)
    if cap is not None:
        factors["kelly_cap"] = cap
    return Risk(
        fraction=float(bounded(rules, volatility, streak, fall, np.nan if cap is None else cap)), factors=factors
    )


def kelly_cap(params: Params, returns: Sequence[float]) -> float | None:
    """Return a part of the Kelly fraction W - (1 - W) / B of the recent trades, within its bounds.

    W is the share of wins, B the mean win over the mean loss (Kelly, 1956). None: switched off, or too few trades.
    """
    recent = np.array(returns[-params.kelly_window :], dtype=np.float64)
    cap = float(kelly(risk_rules(params), recent))
    return None if np.isnan(cap) else cap


def most_leverage(params: Params, market: Market) -> Decimal:
    """Return how many times equity all positions may be worth: what the parameter allows, and what the venue lends."""
    asked = Decimal(str(params.max_leverage))
    return asked if market.max_leverage is None else min(asked, market.max_leverage)


def size_position(
    *,
    equity: Decimal,
    entry: Decimal,
    stop: Decimal,
    risk_fraction: float,
    notional_left: Decimal,
    market: Market,
) -> Decimal:
    """Return the quantity (base) that loses at most `risk_fraction` of `equity` (quote) at `stop`.

    Fees on both legs are part of that loss, so they make the position smaller. `notional_left` (quote) is
    what the leverage limit still allows. It is never more than the market takes at once.
    Zero means: too small for this market, do not trade.
    """
    if equity <= 0 or notional_left <= 0 or entry <= 0:
        return Decimal(0)
    affordable = equity * Decimal(str(risk_fraction)) / loss_of_one(entry=entry, stop=stop, market=market)
    quantity = market.quantity(min(affordable, notional_left / entry, *_most(market)))
    is_enough = quantity >= market.min_quantity and quantity * entry >= market.min_notional
    return quantity if is_enough else Decimal(0)


def loss_of_one(*, entry: Decimal, stop: Decimal, market: Market) -> Decimal:
    """Return what one unit (base) loses between `entry` and `stop`, the fees of both included, in quote."""
    return abs(entry - stop) + market.fee_rate * (entry + stop)


def _most(market: Market) -> tuple[Decimal, ...]:
    return () if market.max_quantity is None else (market.max_quantity,)


@njit(cache=True)
def fraction_now(
    rules: RiskRules, losses_in_row: int, wins_in_row: int, returns: Floats, drawdown: float, atr_fraction: float
) -> float:
    """Return the fraction that risk_now does; compiled, for the backtest."""
    return bounded(
        rules,
        _volatility_factor(rules, atr_fraction),
        _streak_factor(rules, losses_in_row, wins_in_row),
        _drawdown_factor(rules, drawdown),
        kelly(rules, returns),
    )


@njit(cache=True)
def bounded(rules: RiskRules, volatility: float, streak: float, drawdown: float, cap: float) -> float:
    """Return the risk after every factor and the cap (NaN: none), within floor and ceiling."""
    fraction = rules.risk_fraction * volatility * streak * drawdown
    if not np.isnan(cap):
        fraction = min(fraction, cap)
    return min(max(fraction, rules.risk_floor), rules.risk_ceiling)


@njit(cache=True)
def kelly(rules: RiskRules, recent: Floats) -> float:
    """Return the Kelly cap of at most `kelly_window` returns, oldest first; NaN: switched off, or too few trades."""
    if not rules.kelly or len(recent) < rules.kelly_min_trades:
        return np.nan
    won, lost, wins = 0.0, 0.0, 0
    for each in recent:
        if each > 0:
            won += each
            wins += 1
        else:
            lost -= each
    losses = len(recent) - wins
    if losses == 0:
        return rules.kelly_high
    mean_loss = lost / losses
    if wins == 0:
        return rules.kelly_low
    share = wins / len(recent)
    edge = share - (1 - share) * mean_loss / (won / wins)
    return min(max(rules.kelly_scale * edge, rules.kelly_low), rules.kelly_high)


@njit(cache=True)
def _volatility_factor(rules: RiskRules, atr_fraction: float) -> float:
    return rules.volatile_factor if atr_fraction > rules.volatile_atr else 1.0


@njit(cache=True)
def _streak_factor(rules: RiskRules, losses_in_row: int, wins_in_row: int) -> float:
    if losses_in_row >= rules.losing_streak:
        return rules.losing_factor
    return rules.winning_factor if wins_in_row >= rules.winning_streak else 1.0


@njit(cache=True)
def _drawdown_factor(rules: RiskRules, drawdown: float) -> float:
    if drawdown >= rules.drawdown_emergency:
        return rules.drawdown_emergency_factor
    if drawdown >= rules.drawdown_cautious:
        return rules.drawdown_cautious_factor
    return rules.drawdown_reduced_factor if drawdown >= rules.drawdown_reduced else 1.0
