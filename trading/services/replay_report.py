"""What a replay found, earned and refused, as JSON values; `backtest` writes the same schema."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.models import Bot, Fill, OrderRole, Signal, SignalStatus, SignalVerdict, Trade, TradeStatus


def build(*, symbols: list[str], timeframe: str, params: dict[str, Any], bars: dict[str, int]) -> dict[str, Any]:
    """Return the report of the account in the current database; money and prices are text, times UTC."""
    bot = Bot.objects.get(pk=1)
    trades = list(Trade.objects.exclude(status=TradeStatus.CANCELED).select_related("signal").order_by("pk"))
    closed = [trade for trade in trades if trade.status == TradeStatus.CLOSED]
    return {
        "symbols": symbols,
        "timeframe": timeframe,
        "bars": bars,
        "parameters": params,
        "initial_balance": _text(bot.initial_balance),
        "final_balance": _text(bot.balance),
        "final_equity": _text(bot.equity),
        "peak_equity": _text(bot.peak_equity),
        "summary": _summary(closed, bot),
        "setups": Signal.objects.count(),
        "setups_by_strategy": _counts(Signal.objects.values_list("strategy", flat=True)),
        "taken": Signal.objects.filter(status=SignalStatus.TAKEN).count(),
        "refusals": _counts(Signal.objects.exclude(refused_by="").values_list("refused_by", flat=True)),
        "failed_verdicts": _counts(SignalVerdict.objects.filter(passed=False).values_list("name", flat=True)),
        "trades": [_trade(trade) for trade in trades],
    }


def _summary(closed: list[Trade], bot: Bot) -> dict[str, Any]:
    won = sum((trade.pnl for trade in closed if trade.pnl > 0), Decimal(0))
    lost = -sum((trade.pnl for trade in closed if trade.pnl <= 0), Decimal(0))
    wins = sum(trade.pnl > 0 for trade in closed)
    return {
        "closed_trades": len(closed),
        "wins": wins,
        "win_rate": round(wins / len(closed), 6) if closed else None,
        "gross_pnl": _text(sum((trade.gross_pnl for trade in closed), Decimal(0))),
        "fees": _text(sum((trade.fees for trade in closed), Decimal(0))),
        "pnl": _text(won - lost),
        "profit_factor": round(float(won / lost), 6) if lost else None,
        "return_fraction": round(float(bot.equity / bot.initial_balance - 1), 9),
    }


def _trade(trade: Trade) -> dict[str, Any]:
    exits = Fill.objects.filter(order__trade=trade).exclude(order__role=OrderRole.ENTRY).select_related("order")
    return {
        "symbol": trade.symbol,
        "side": trade.side,
        "strategy": trade.signal.strategy,
        "signal_bar": _moment(trade.signal.bar_at),
        "entry_time": _moment(trade.opened_at),
        "entry_price": _text(trade.entry_price),
        "quantity": _text(trade.quantity),
        "stop": repr(trade.first_stop),
        "targets": [repr(trade.rules[f"target_{n}"]) for n in (1, 2, 3)],
        "risk_fraction": round(trade.risk_fraction, 12),
        "exits": [
            {
                "time": _moment(fill.at),
                "price": _text(fill.price),
                "quantity": _text(fill.quantity),
                "reason": fill.order.reason,
                "fee": _text(fill.fee),
            }
            for fill in exits.order_by("pk")
        ],
        "closed_time": _moment(trade.closed_at),
        "exit_reason": trade.exit_reason or None,
        "fees": _text(trade.fees),
        "pnl": _text(trade.pnl),
    }


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _moment(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
