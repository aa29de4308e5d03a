"""What a replay found, earned and refused, read from its database; `backtest` writes the same schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading.models import Bot, Fill, OrderRole, Signal, SignalStatus, SignalVerdict, Trade, TradeStatus
from trading.research import performance, results
from trading.research.performance import Stretch


def build(stretch: Stretch) -> dict[str, Any]:
    """Return the report of the account in the current database, which traded `stretch`."""
    bot = Bot.objects.get(pk=1)
    trades = Trade.objects.exclude(status=TradeStatus.CANCELED).select_related("signal").order_by("pk")
    refused = Signal.objects.exclude(refused_by="").values_list("refused_by", flat=True)
    failed = SignalVerdict.objects.filter(passed=False).values_list("name", flat=True)
    result = results.RunResult(
        initial_balance=bot.initial_balance,
        balance=bot.balance,
        equity=bot.equity,
        peak_equity=bot.peak_equity,
        setups=results.counted(Signal.objects.values_list("strategy", flat=True)),
        taken=Signal.objects.filter(status=SignalStatus.TAKEN).count(),
        refusals=results.counted(refused),
        failed_verdicts=results.counted(failed),
        trades=[result_of(trade, _exits(trade)) for trade in trades],
    )
    return performance.report(result, stretch)


def result_of(trade: Trade, exits: Sequence[results.ExitFill]) -> results.TradeResult:
    """Return what a trade made, as the research counts it."""
    return results.TradeResult(
        symbol=trade.symbol,
        side=trade.side,
        strategy=trade.signal.strategy,
        regime=trade.signal.regime,
        signal_bar=trade.signal.bar_at,
        opened_at=trade.opened_at,
        entry_price=trade.entry_price,
        quantity=trade.quantity,
        stop=trade.first_stop,
        targets=[trade.rules[f"target_{n}"] for n in (1, 2, 3)],
        risk_fraction=trade.risk_fraction,
        exits=exits,
        closed_at=trade.closed_at,
        exit_reason=trade.exit_reason,
        fees=trade.fees,
        gross_pnl=trade.gross_pnl,
    )


def _exits(trade: Trade) -> list[results.ExitFill]:
    exits = Fill.objects.filter(order__trade=trade).exclude(order__role=OrderRole.ENTRY).select_related("order")
    return [
        results.ExitFill(at=fill.at, price=fill.price, quantity=fill.quantity, reason=fill.order.reason, fee=fill.fee)
        for fill in exits.order_by("pk")
    ]
