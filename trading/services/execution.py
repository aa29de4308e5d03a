"""The order path: record the intent, permit one send, send, settle; and the only place where an order changes state.

    record   [transaction of the caller]  the order exists before anything is sent
    permit   [transaction]                lease and limits checked, intent -> submitting; whoever gets it may send once
    send     [no transaction]             one request to the venue
    settle   [transaction]                what the venue said, fills booked once

An order without an outcome is never sent again: `settling` asks the venue first.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from trading import events, log_ids
from trading.core.ports import (
    AccessDenied,
    NotSent,
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
    RESTING,
    TRANSITIONS,
    WATCHED,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    Signal,
    SignalStatus,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import control, crash_points, lease, ledger, permits
from trading.services.context import Context

PERMIT_LIFE = timedelta(seconds=1)
"""A permit that was not used by then is left to expire: the process was paused, and the world went on."""
PREFIX = "jl"

logger = logging.getLogger(__name__)

_STATUS = {
    ReportStatus.OPEN: OrderStatus.OPEN,
    ReportStatus.PARTIAL: OrderStatus.PARTIAL,
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
    return PREFIX + base64.b32encode(digest).decode()[:20].lower()


def record(
    trade: Trade,
    *,
    role: OrderRole,
    reason: str,
    quantity: Decimal,
    now: datetime,
    price: Decimal | None = None,
    trigger: Decimal | None = None,
    level: Decimal | None = None,
) -> Order:
    """Write an order down as intended; call it inside the transaction that decides it. A price makes it a limit order."""
    number = (trade.orders.aggregate(last=Max("number"))["last"] or 0) + 1
    kind = OrderKind.MARKET if price is None else OrderKind.LIMIT
    buys = (trade.sign > 0) == (role == OrderRole.ENTRY)
    order = Order.objects.create(
        trade=trade,
        role=role,
        reason=reason,
        kind=OrderKind.STOP if role == OrderRole.STOP else kind,
        side=OrderSide.BUY if buys else OrderSide.SELL,
        quantity=quantity,
        price=price,
        trigger=trigger,
        level=level,
        number=number,
        client_id=client_id(trade.signal, trade.mode, number),
        created_at=now,
    )
    OrderEvent.objects.create(order=order, seq=1, to_status=OrderStatus.INTENT, at=now)
    return order


def transition(order: Order, to: OrderStatus, context: Context, *, note: str = "", **columns: object) -> bool:
    """Move an order on, with its event; False where somebody else moved it first. Call it inside a transaction.

    Raises LeaseLost: who lost the lease writes nothing about orders any more, and its successor asks the venue.
    """
    lease.check(context.lease)
    origin, now = OrderStatus(order.status), context.moment()
    if to not in TRANSITIONS.get(origin, frozenset()):
        raise IllegalTransition(f"order {order.client_id}: {origin} -> {to}")
    if not Order.objects.filter(pk=order.pk, status=origin).update(status=to, **columns):
        order.refresh_from_db()
        return False
    seq = order.events.count() + 1
    OrderEvent.objects.create(
        order=order, seq=seq, from_status=origin, to_status=to, at=now, epoch=context.lease.epoch, note=note
    )
    order.refresh_from_db()
    if origin in WATCHED and order.role != OrderRole.STOP:
        _report_late(order, context)
    if order.role == OrderRole.STOP and to == OrderStatus.CANCELED and origin != OrderStatus.CANCELING:
        _report_canceled(order, context)
    if order.role == OrderRole.ENTRY:
        _after_entry(order, to, note, now)
    return True


def drive(order: Order, context: Context) -> None:
    """Take a recorded order through permit, send and settle."""
    with log_ids.bound(signal=order.trade.signal_id, order=order.client_id):
        _drive(order, context)


def _drive(order: Order, context: Context) -> None:
    crash_points.reach(f"{order.role}.recorded")
    if not _permit(order, context):
        return
    crash_points.reach(f"{order.role}.permitted")
    if context.ports.clock and order.permit_at and context.moment() - order.permit_at > PERMIT_LIFE:
        logger.warning("order %s: the permit is too old to be used, asking the venue on the next tick", order.client_id)
        return
    _send(order, context)
    crash_points.reach(f"{order.role}.settled")


def settle(order: Order, report: OrderReport, context: Context) -> None:
    """Write down what the venue says about an order; saying it twice changes nothing."""
    with transaction.atomic():
        lease.check(context.lease)
        for fill in report.fills:
            ledger.book(order, fill)
        order.refresh_from_db()
        to = _STATUS[report.status]
        if to == OrderStatus.OPEN and order.filled:
            to = OrderStatus.PARTIAL
        if order.status != to and to in TRANSITIONS.get(OrderStatus(order.status), frozenset()):
            transition(order, to, context, venue_order_id=report.venue_order_id, missing_at=None)


def cancel(order: Order, context: Context) -> None:
    """Cancel a resting order and settle what the venue answers: it may have filled meanwhile."""
    with transaction.atomic():
        if order.status != OrderStatus.CANCELING and not transition(order, OrderStatus.CANCELING, context):
            return
    crash_points.reach("cancel.permitted")
    try:
        report = context.ports.broker.cancel(order.client_id, symbol=order.trade.symbol, now=context.moment())
    except (OutcomeUnknown, NotSent, OrderRejected) as doubt:
        # What became of it is asked on the next tick, and the cancel is repeated where it still rests.
        logger.warning("order %s: the cancel is in doubt: %s", order.client_id, doubt)
        return
    crash_points.reach("cancel.answered")
    settle(order, report, context)
    crash_points.reach("cancel.settled")


def _permit(order: Order, context: Context) -> bool:
    with transaction.atomic():
        lease.check(context.lease)
        verdict = permits.refusal(order, context) if order.role == OrderRole.ENTRY else None
        if verdict is not None:
            transition(order, OrderStatus.DENIED, context, note=verdict.reason)
            return False
        return transition(order, OrderStatus.SUBMITTING, context, permit_at=context.moment(), epoch=context.lease.epoch)


def _send(order: Order, context: Context) -> None:
    try:
        report = context.ports.broker.submit(_request(order, order.permit_at or context.now))
    except AccessDenied as refusal:
        _conclude(order, OrderStatus.REJECTED, str(refusal), context)
        control.tighten(TradingState.HALTED, reason=f"the venue denies access: {refusal}", now=context.moment())
    except OrderRejected as refusal:
        _conclude(order, OrderStatus.REJECTED, str(refusal), context)
    except NotSent as reason:
        _conclude(order, OrderStatus.EXPIRED, f"not sent: {reason}", context)
        logger.warning("order %s was not sent: %s", order.client_id, reason)
    except OutcomeUnknown as doubt:
        _conclude(order, OrderStatus.UNKNOWN, str(doubt), context)
        logger.warning("order %s: outcome unknown, asking the venue on the next tick: %s", order.client_id, doubt)
    else:
        crash_points.reach(f"{order.role}.answered")
        settle(order, report, context)
        if order.kind == OrderKind.MARKET and order.status in RESTING:
            _ask_at_once(order, context)


def _ask_at_once(order: Order, context: Context) -> None:
    """Ask about a market order whose reply did not tell all its fills: what it filled has no stop until they are booked."""
    try:
        report = context.ports.broker.find(order.client_id, symbol=order.trade.symbol, now=context.moment())
    except OutcomeUnknown as doubt:
        logger.warning("order %s is asked for again on the next tick: %s", order.client_id, doubt)
        return
    if report is not None:
        settle(order, report, context)


def _conclude(order: Order, to: OrderStatus, note: str, context: Context) -> None:
    with transaction.atomic():
        transition(order, to, context, note=note[:500])


def _request(order: Order, at: datetime) -> OrderRequest:
    return OrderRequest(
        client_id=order.client_id,
        symbol=order.trade.symbol,
        side=OrderSide(order.side),
        kind=OrderKind(order.kind),
        quantity=order.quantity,
        price=order.price,
        trigger=order.trigger,
        level=order.level,
        reduce_only=order.role != OrderRole.ENTRY,
        at=at,
    )


def _report_late(order: Order, context: Context) -> None:
    text = f"order {order.client_id} was found at the venue after it had been given up"
    events.emit("order_found_late", at=context.now, symbol=order.trade.symbol, text=text)
    control.tighten(TradingState.CLOSE_ONLY, reason=text, now=context.moment())


def _report_canceled(order: Order, context: Context) -> None:
    """Tell that a stop is gone which we did not cancel, while there is something left for it to sell: that is bare now."""
    left = Trade.objects.filter(pk=order.trade_id, status=TradeStatus.OPEN, remaining_fraction__gt=0)
    if left.exists():
        left.filter(unprotected_at=None).update(unprotected_at=context.moment())
        text = f"the stop of {order.trade.symbol} was canceled at the venue by somebody else; another one is placed"
        events.emit(
            "stop_canceled",
            at=context.moment(),
            symbol=order.trade.symbol,
            text=text,
            payload={"trade": order.trade_id, "order": order.client_id},
        )


def _after_entry(order: Order, to: OrderStatus, note: str, now: datetime) -> None:
    """End the entry where nothing follows this order: it filled, or never can; after a canceled quote one may."""
    if to == OrderStatus.FILLED:
        Trade.objects.filter(pk=order.trade_id, is_entering=True).update(is_entering=False)
    elif to in NEVER_FILLED or (
        to == OrderStatus.CANCELED and not Trade.objects.filter(pk=order.trade_id, is_entering=True).exists()
    ):
        end_entry(order.trade, f"order {to}: {note}" if note else f"order {to}", now)


def end_entry(trade: Trade, reason: str, now: datetime) -> None:
    """Let no other entry order follow; a trade of which nothing was filled is canceled. Call it inside a transaction."""
    was_entering = Trade.objects.filter(pk=trade.pk, is_entering=True).update(is_entering=False)
    opening = Trade.objects.filter(pk=trade.pk, status=TradeStatus.OPENING)
    if opening.update(status=TradeStatus.CANCELED, closed_at=now):
        Signal.objects.filter(pk=trade.signal_id).update(status=SignalStatus.EXPIRED, reason=f"not entered: {reason}")
        text = f"{trade.symbol} was not entered: {reason}"
        events.emit("entry_canceled", at=now, symbol=trade.symbol, text=text)
    elif was_entering:
        text = f"{trade.symbol} was entered in part, and no more of it will be: {reason}"
        events.emit("entry_ended", at=now, symbol=trade.symbol, text=text, payload={"trade": trade.pk})
