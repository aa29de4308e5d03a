"""How much to risk now, and what quantity that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

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


def risk_now(*, params: Params, record: Record, drawdown: float, atr_fraction: float) -> Risk:
    """Return the risk fraction after volatility, streak, drawdown and the Kelly cap.

    `drawdown` is the fall of open equity from its peak, `atr_fraction` ATR over price.
    """
    factors = {
        "volatility": params.volatile_factor if atr_fraction > params.volatile_atr else 1.0,
        "streak": _streak_factor(params, record),
        "drawdown": drawdown_factor(params, drawdown),
    }
    fraction = params.risk_fraction
    for factor in factors.values():
        fraction *= factor
    cap = kelly_cap(params, record.returns)
    if cap is not None:
        factors["kelly_cap"] = cap
        fraction = min(fraction, cap)
    return Risk(fraction=min(max(fraction, params.risk_floor), params.risk_ceiling), factors=factors)


def drawdown_factor(params: Params, drawdown: float) -> float:
    if drawdown >= params.drawdown_emergency:
        return params.drawdown_emergency_factor
    if drawdown >= params.drawdown_cautious:
        return params.drawdown_cautious_factor
    return params.drawdown_reduced_factor if drawdown >= params.drawdown_reduced else 1.0


def kelly_cap(params: Params, returns: Sequence[float]) -> float | None:
    """Return a part of the Kelly fraction W - (1 - W) / B of the recent trades, within its bounds.

    W is the share of wins, B the mean win over the mean loss (Kelly, 1956). None: switched off, or too few trades.
    """
    recent = returns[-params.kelly_window :]
    if not params.kelly or len(recent) < params.kelly_min_trades:
        return None
    wins = [r for r in recent if r > 0]
    losses = [-r for r in recent if r <= 0]
    if not losses:
        return params.kelly_high
    mean_loss = sum(losses) / len(losses)
    if not wins:
        return params.kelly_low
    share = len(wins) / len(recent)
    edge = share - (1 - share) * mean_loss / (sum(wins) / len(wins))
    return min(max(params.kelly_scale * edge, params.kelly_low), params.kelly_high)


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
    what the leverage limit still allows. Zero means: too small for this market, do not trade.
    """
    if equity <= 0 or notional_left <= 0 or entry <= 0:
        return Decimal(0)
    affordable = equity * Decimal(str(risk_fraction)) / loss_of_one(entry=entry, stop=stop, market=market)
    quantity = market.quantity(min(affordable, notional_left / entry))
    return quantity if quantity * entry >= market.min_notional else Decimal(0)


def loss_of_one(*, entry: Decimal, stop: Decimal, market: Market) -> Decimal:
    """Return what one unit (base) loses between `entry` and `stop`, the fees of both included, in quote."""
    return abs(entry - stop) + market.fee_rate * (entry + stop)


def _streak_factor(params: Params, record: Record) -> float:
    if record.losses_in_row >= params.losing_streak:
        return params.losing_factor
    return params.winning_factor if record.wins_in_row >= params.winning_streak else 1.0
