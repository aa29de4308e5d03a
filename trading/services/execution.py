"""The order path: record the intent, permit one send, send, settle; and the only place where an order changes state.

    record   [transaction of the caller]  the order exists before anything is sent
    permit   [transaction]                lease checked, status intent -> submitting; whoever gets it may send once
    send     [no transaction]             one request to the venue
    settle   [transaction]                what the venue said, fills booked once

An intent without an outcome is never sent again: `reconcile` asks the venue first.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from trading import events
from trading.core.ports import (
    OrderKind,
    OrderRejected,
    OrderReport,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    ReportStatus,
)
from trading.models import (
    NEVER_FILLED,
    TRANSITIONS,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    Signal,
    SignalStatus,
    Trade,
    TradeStatus,
)
from trading.services import lease, ledger
from trading.services.context import Context

logger = logging.getLogger(__name__)

_STATUS = {
    ReportStatus.OPEN: OrderStatus.OPEN,
    ReportStatus.FILLED: OrderStatus.FILLED,
    ReportStatus.CANCELED: OrderStatus.CANCELED,
    ReportStatus.REJECTED: OrderStatus.REJECTED,
}


class IllegalTransition(Exception):
    """A step that no order may take: a mistake of ours, never something to retry."""


def client_id(signal: Signal, mode: str, number: int) -> str:
    """Return the id an order carries at the venue: a pure function of what it is for, 22 letters and digits."""
    key = f"{mode}|{signal.symbol}|{signal.timeframe}|{signal.bar_at.isoformat()}|{number}"
    digest = hashlib.sha256(key.encode()).digest()
    return "jl" + base64.b32encode(digest).decode()[:20].lower()


def record(
    trade: Trade,
    *,
    role: OrderRole,
    reason: str,
    quantity: Decimal,
    now: datetime,
    trigger: Decimal | None = None,
    level: Decimal | None = None,
) -> Order:
    """Write an order down as intended; call it inside the transaction that decides it."""
    number = (trade.orders.aggregate(last=Max("number"))["last"] or 0) + 1
    buys = (trade.sign > 0) == (role == OrderRole.ENTRY)
    order = Order.objects.create(
        trade=trade,
        role=role,
        reason=reason,
        kind=OrderKind.STOP if role == OrderRole.STOP else OrderKind.MARKET,
        side=OrderSide.BUY if buys else OrderSide.SELL,
        quantity=quantity,
        trigger=trigger,
        level=level,
        number=number,
        client_id=client_id(trade.signal, trade.mode, number),
        created_at=now,
    )
    OrderEvent.objects.create(order=order, seq=1, to_status=OrderStatus.INTENT, at=now)
    return order


def transition(order: Order, to: OrderStatus, *, now: datetime, note: str = "", **columns: object) -> bool:
    """Move an order on, with its event; False where somebody else moved it first. Call it inside a transaction."""
    origin = OrderStatus(order.status)
    if to not in TRANSITIONS.get(origin, frozenset()):
        raise IllegalTransition(f"order {order.client_id}: {origin} -> {to}")
    if not Order.objects.filter(pk=order.pk, status=origin).update(status=to, **columns):
        order.refresh_from_db()
        return False
    seq = order.events.count() + 1
    OrderEvent.objects.create(order=order, seq=seq, from_status=origin, to_status=to, at=now, note=note)
    order.refresh_from_db()
    if order.role == OrderRole.ENTRY and to in NEVER_FILLED:
        _cancel_trade(order, note, now)
    return True


def drive(order: Order, context: Context) -> None:
    """Take a recorded order through permit, send and settle."""
    with transaction.atomic():
        lease.check(context.lease)
        permitted = transition(
            order, OrderStatus.SUBMITTING, now=context.now, permit_at=context.now, epoch=context.lease.epoch
        )
    if not permitted:
        return
    try:
        report = context.ports.broker.submit(_request(order, context.now))
    except OrderRejected as refusal:
        with transaction.atomic():
            transition(order, OrderStatus.REJECTED, now=context.now, note=str(refusal))
    except OutcomeUnknown as doubt:
        with transaction.atomic():
            transition(order, OrderStatus.UNKNOWN, now=context.now, note=str(doubt))
        logger.warning("order %s: outcome unknown, asking the venue on the next tick: %s", order.client_id, doubt)
    else:
        settle(order, report, now=context.now)


def settle(order: Order, report: OrderReport, *, now: datetime) -> None:
    """Write down what the venue says about an order; saying it twice changes nothing."""
    with transaction.atomic():
        for fill in report.fills:
            ledger.book(order, fill)
        order.refresh_from_db()
        to = _STATUS[report.status]
        if order.status != to and to in TRANSITIONS.get(OrderStatus(order.status), frozenset()):
            transition(order, to, now=now, venue_order_id=report.venue_order_id)


def cancel(order: Order, context: Context) -> None:
    """Cancel a resting order and settle what the venue answers: it may have filled meanwhile."""
    try:
        report = context.ports.broker.cancel(order.client_id, now=context.now)
    except OutcomeUnknown as doubt:
        logger.warning("order %s: cancel is in doubt, asking again on the next tick: %s", order.client_id, doubt)
        return
    settle(order, report, now=context.now)


def _request(order: Order, at: datetime) -> OrderRequest:
    return OrderRequest(
        client_id=order.client_id,
        symbol=order.trade.symbol,
        side=OrderSide(order.side),
        kind=OrderKind(order.kind),
        quantity=order.quantity,
        trigger=order.trigger,
        level=order.level,
        reduce_only=order.role != OrderRole.ENTRY,
        at=at,
    )


def _cancel_trade(order: Order, note: str, now: datetime) -> None:
    trade = order.trade
    Trade.objects.filter(pk=trade.pk, status=TradeStatus.OPENING).update(status=TradeStatus.CANCELED, closed_at=now)
    Signal.objects.filter(pk=trade.signal_id).update(
        status=SignalStatus.EXPIRED, reason=f"entry {order.status}: {note}"
    )
    events.emit(
        "entry_canceled", at=now, symbol=trade.symbol, text=f"{trade.symbol} was not entered: order {order.status}"
    )
