"""Exits that the venue refuses: why is asked, said once, and no more is sold next time than the venue says is free."""

from __future__ import annotations

from decimal import Decimal

from trading import events
from trading.models import Event, ExternalHolding, Order, OrderRole, OrderStatus, Trade, TradingState
from trading.services import control
from trading.services.context import Context

REFUSED = "exit_refused"
SHORT = "exit_short"


def report(order: Order, context: Context) -> None:
    """Say that the venue refused an exit, once a trade: it is tried again on every tick until the venue takes it."""
    reason = order.events.order_by("-seq").values_list("note", flat=True).first()
    text = f"the venue refuses to close {order.trade.symbol}, which is tried again on every tick: {reason}"
    _say_once(REFUSED, order.trade, text, context)


def sellable(trade: Trade, context: Context) -> Decimal:
    """Return how much of the rest may be sold (base): all of it, and after a refusal what is free at the venue.

    Raises OutcomeUnknown where the venue cannot be asked.
    """
    last = trade.orders.filter(role=OrderRole.EXIT).order_by("-number").first()
    if last is None or last.status != OrderStatus.REJECTED:
        return trade.remaining
    free = _free(trade, context)
    if free >= trade.remaining:
        return trade.remaining
    text = f"of {trade.remaining.normalize():f} {trade.symbol} only {free.normalize():f} can be sold: look at the venue"
    _say_once(SHORT, trade, text, context)
    control.tighten(TradingState.CLOSE_ONLY, reason=text, now=context.moment())
    return free


def _free(trade: Trade, context: Context) -> Decimal:
    """Return what the venue holds for us, less what is external and what open orders have locked on a spot market."""
    broker, symbol, now = context.ports.broker, trade.symbol, context.moment()
    theirs = broker.holdings([symbol], now=now)
    if symbol not in theirs:
        return trade.remaining  # the answer says nothing about it
    held = trade.sign * theirs[symbol]
    external = ExternalHolding.objects.filter(symbol=symbol).first()
    ours = held - trade.sign * (external.quantity if external else Decimal(0))
    if broker.capabilities(symbol).pays_notional:
        exits = [r for r in broker.open_orders([symbol], now=now) if r.side is None or r.side.sign != trade.sign]
        done = sum((fill.quantity for report in exits for fill in report.fills), Decimal(0))
        held -= sum((report.quantity or Decimal(0) for report in exits), Decimal(0)) - done
    return max(Decimal(0), min(ours, held, trade.remaining))


def _say_once(kind: str, trade: Trade, text: str, context: Context) -> None:
    said = Event.objects.filter(kind=kind, at__gte=trade.created_at, payload__trade=trade.pk)
    if not said.exists():
        events.emit(kind, at=context.moment(), symbol=trade.symbol, text=text, payload={"trade": trade.pk})
