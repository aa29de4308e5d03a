"""The last look before an entry is sent, inside the transaction that permits it: the world may have moved since."""

from __future__ import annotations

from trading.core import guards, timeframes
from trading.core.types import Verdict
from trading.models import ACTIVE, LIVE, Bot, Order, OrderStatus, Trade, TradingState
from trading.services import accounts, pair_locks
from trading.services.context import Context


def refusal(order: Order, context: Context) -> Verdict | None:
    """Return why an entry may not be sent now, or None. Exits and stops are never asked."""
    bot = Bot.objects.select_for_update().get(pk=1)
    return (
        _state(bot, context)
        or _reconciled(bot, context)
        or _left(order)
        or _doubtful(order)
        or _aged(order, context)
        or pair_locks.refusal(order.trade.symbol, now=context.moment())
        or _exposed(order, bot, context)
    )


def closed(context: Context) -> Verdict | None:
    """Return why nothing may be entered at all now, or None; what rests of an entry is canceled then."""
    return _state(Bot.objects.get(pk=1), context)


def _state(bot: Bot, context: Context) -> Verdict | None:
    if (halt := context.ports.halt_file) is not None and halt.exists():
        return _refused("trading_state", f"the file {halt.name} halts trading: remove it to go on")
    if bot.trading_state != TradingState.ACTIVE:
        return _refused("trading_state", f"trading is {TradingState(bot.trading_state).label}: {bot.state_reason}")
    return None


def _reconciled(bot: Bot, context: Context) -> Verdict | None:
    if bot.reconciled_epoch == context.lease.epoch:
        return None
    return _refused("reconciled", "the books were not compared with the venue since this process took over")


def _left(order: Order) -> Verdict | None:
    """Refuse to add to a position that has begun to leave while its next quote was on its way."""
    if Trade.objects.filter(pk=order.trade_id, status__in=ACTIVE, remaining_fraction=1.0).exists():
        return None
    return _refused("position", "the position is being left")


def _doubtful(order: Order) -> Verdict | None:
    """Refuse while an entry in the same symbol might still come up at a venue that can prove nothing."""
    lost = Order.objects.filter(trade__symbol=order.trade.symbol, role="entry", status=OrderStatus.LOST)
    others = Order.objects.filter(trade__symbol=order.trade.symbol, role="entry", status__in=LIVE)
    if others.exclude(trade=order.trade_id).exists():
        return _refused("order_in_doubt", f"an earlier entry in {order.trade.symbol} may still fill")
    if not lost.exists():
        return None
    return _refused("order_in_doubt", f"an earlier entry in {order.trade.symbol} may still appear at the venue")


def _aged(order: Order, context: Context) -> Verdict | None:
    signal, ticker = order.trade.signal, context.tickers.get(order.trade.symbol)
    bar = timeframes.length(signal.timeframe)
    verdicts = guards.freshness(
        now=context.moment(),
        closed_at=signal.bar_at + bar,
        price_at=ticker.at if ticker else signal.bar_at,
        bar=bar,
        params=context.params,
    )
    return next((verdict for verdict in verdicts if not verdict.passed), None)


def _exposed(order: Order, bot: Bot, context: Context) -> Verdict | None:
    account = accounts.snapshot(bot, context, symbol=order.trade.symbol, without=order.trade)
    verdicts = guards.evaluate(account, context.params, order.trade.symbol)
    return next((verdict for verdict in verdicts if not verdict.passed), None)


def _refused(name: str, reason: str) -> Verdict:
    return Verdict(name=name, passed=False, value=0.0, limit=1.0, reason=reason)
