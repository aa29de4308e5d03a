"""How much of each limit is used up, without the engine: what the guards would say, from rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.core.params import Params
from trading.models import Bot, DayOpening, TradeStatus
from trading.selectors.positions import OpenTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of the account: what is used and what is allowed, in `unit`; `name` is the guard's."""

    name: str
    value: float
    limit: float
    unit: str
    """fraction, count, times or minutes."""
    effect: str
    """What happens at the limit."""
    is_reached: bool


def limits(*, bot: Bot, params: Params, trades: Sequence[OpenTrade], now: datetime) -> list[Limit]:
    """Return every limit of the account, as the guards measure it; two queries.

    Fees of exits come from what the trade has paid so far, the engine asks the venue: open risk may differ by them.
    """
    today = now.date()
    monday = today - timedelta(days=today.weekday())
    equity = bot.equity
    at_risk = sum((position.loss_at_stop for position in trades), Decimal(0))
    worth = sum((_worth(position) for position in trades), Decimal(0))
    fall = max(0.0, float(1 - equity / bot.peak_equity)) if bot.peak_equity > 0 else 0.0
    return [
        _limit("open_trades", float(len(trades)), params.max_open_trades, "count", "no further trade is entered"),
        _limit("open_risk", _part(at_risk, equity), params.max_open_risk, "fraction", "no further trade is entered"),
        _limit("leverage", _part(worth, equity), params.max_leverage, "times", "no further trade is entered"),
        _limit(
            "daily_loss",
            _lost(equity, _opening(today, bot)),
            params.daily_loss,
            "fraction",
            "nothing is entered until 00:00 UTC",
        ),
        _limit(
            "weekly_loss",
            _lost(equity, _opening(monday, bot)),
            params.weekly_loss,
            "fraction",
            "nothing is entered until Monday, 00:00 UTC",
        ),
        _drawdown(fall, params),
        _limit(
            "losses_in_row",
            float(bot.losses_in_row),
            params.cooldown_losses,
            "count",
            f"nothing is entered for {params.cooldown_minutes} minutes",
        ),
        _cool_down(bot, params, now),
    ]


def _limit(name: str, value: float, limit: float, unit: str, effect: str) -> Limit:
    return Limit(name=name, value=value, limit=limit, unit=unit, effect=effect, is_reached=value >= limit)


def _drawdown(fall: float, params: Params) -> Limit:
    steps = (
        (params.drawdown_reduced, params.drawdown_reduced_factor),
        (params.drawdown_cautious, params.drawdown_cautious_factor),
        (params.drawdown_emergency, params.drawdown_emergency_factor),
    )
    limit, factor = next((step for step in steps if fall < step[0]), steps[-1])
    return _limit("drawdown", fall, limit, "fraction", f"each new trade risks {factor:g} of the usual")


def _cool_down(bot: Bot, params: Params, now: datetime) -> Limit:
    is_cooling = bot.losses_in_row >= params.cooldown_losses and bot.last_loss_at is not None
    length = float(params.cooldown_minutes)
    passed = (now - bot.last_loss_at) / timedelta(minutes=1) if is_cooling and bot.last_loss_at else length
    left = max(0.0, length - passed)
    effect = "nothing is entered until it is over"
    return Limit(name="cool_down", value=left, limit=length, unit="minutes", effect=effect, is_reached=left > 0)


def _part(amount: Decimal, equity: Decimal) -> float:
    return float(amount / equity) if equity > 0 else 0.0


def _lost(equity: Decimal, opening: Decimal) -> float:
    return max(0.0, float(1 - equity / opening)) if opening > 0 else 0.0


def _worth(position: OpenTrade) -> Decimal:
    trade = position.trade
    is_whole = trade.status == TradeStatus.OPEN and not trade.is_entering
    price = Decimal(str(position.mark.price)) if position.mark else trade.entry_price or trade.planned_entry
    return (trade.remaining if is_whole else trade.planned_quantity) * price


def _opening(since: object, bot: Bot) -> Decimal:
    row = DayOpening.objects.filter(date__gte=since).order_by("date").first()
    return row.equity if row else bot.equity
