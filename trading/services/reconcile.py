"""Settles what is in doubt: every tick begins here, so start-up and recovery are one path."""

from __future__ import annotations

import logging

from django.db import transaction

from trading.core import timeframes
from trading.core.ports import OutcomeUnknown
from trading.models import LIVE, Order, OrderRole, OrderStatus, Trade, TradeStatus
from trading.services import execution, hot_sql, protection
from trading.services.context import Context

logger = logging.getLogger(__name__)


def settle_all(context: Context) -> bool:
    """Ask the venue about every order without a final state, and pick up intents that were never sent.

    False: there was no such order.
    """
    if not hot_sql.is_any_order_live():
        return False
    orders = list(Order.objects.filter(status__in=LIVE).order_by("pk"))
    for order in orders:
        if order.status in (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN):
            _ask(order, context)
    for order in orders:
        if order.status == OrderStatus.INTENT:
            _pick_up(order, context)
    _settle_resting([order for order in orders if order.status == OrderStatus.OPEN], context)
    return True


def _ask(order: Order, context: Context) -> None:
    try:
        report = context.ports.broker.find(order.client_id, now=context.now)
    except OutcomeUnknown as doubt:
        logger.warning("order %s is still in doubt: %s", order.client_id, doubt)
        return
    if report is not None:
        execution.settle(order, report, now=context.now)
        return
    with transaction.atomic():
        execution.transition(order, OrderStatus.ABSENT, now=context.now, note="the venue never saw it")


def _pick_up(order: Order, context: Context) -> None:
    """Send an intent that a crash left behind, unless it was an entry whose time is over or a stop that changed."""
    if order.role == OrderRole.ENTRY and not _is_fresh(order, context):
        with transaction.atomic():
            execution.transition(order, OrderStatus.EXPIRED, now=context.now, note="its setup was too old to enter")
    elif order.role == OrderRole.STOP:
        with transaction.atomic():
            execution.transition(order, OrderStatus.EXPIRED, now=context.now, note="recorded before a restart")
        protection.ensure(order.trade, context)
    else:
        execution.drive(order, context)


def _is_fresh(order: Order, context: Context) -> bool:
    signal = order.trade.signal
    bar = timeframes.length(signal.timeframe)
    return context.now - (signal.bar_at + bar) <= bar * context.params.entry_deadline


def _settle_resting(ours: list[Order], context: Context) -> None:
    """Settle resting orders that the venue no longer lists: they were filled or canceled there."""
    if not ours:
        return
    try:
        resting = {report.client_id for report in context.ports.broker.open_orders(now=context.now)}
    except OutcomeUnknown as doubt:
        logger.warning("the venue's open orders are not known now: %s", doubt)
        return
    for order in ours:
        if order.client_id not in resting:
            _ask_resting(order, context)


def _ask_resting(order: Order, context: Context) -> None:
    try:
        report = context.ports.broker.find(order.client_id, now=context.now)
    except OutcomeUnknown as doubt:
        logger.warning("order %s is in doubt: %s", order.client_id, doubt)
        return
    if report is None:
        logger.error(
            "order %s rested at the venue, which now denies it; the trade keeps its local stop", order.client_id
        )
        return
    execution.settle(order, report, now=context.now)


def open_trades() -> list[Trade]:
    """Return every trade that holds a position, oldest first."""
    if not hot_sql.is_any_trade_open():
        return []
    return list(Trade.objects.filter(status=TradeStatus.OPEN).order_by("pk"))
