"""Keeps one stop at the venue for every open trade: right side, right quantity, right price."""

from __future__ import annotations

import logging
from decimal import Decimal

from django.db import IntegrityError, transaction

from trading.core.position import ExitReason
from trading.models import LIVE, Order, OrderRole, OrderStatus, Trade, TradeStatus
from trading.services import execution
from trading.services.context import Context

logger = logging.getLogger(__name__)


def ensure(trade: Trade, context: Context) -> None:
    """Make the venue's stop what the trade wants now; called after every change, so a crash is mended by the next tick."""
    trade.refresh_from_db()
    resting = Order.objects.filter(trade=trade, role=OrderRole.STOP, status__in=LIVE).first()
    if resting is not None:
        if _matches(resting, trade, context) or resting.status != OrderStatus.OPEN:
            return
        execution.cancel(resting, context)
        trade.refresh_from_db()
        if resting.status in LIVE:
            return
    if not _wants_stop(trade):
        return
    try:
        with transaction.atomic():
            order = execution.record(
                trade,
                role=OrderRole.STOP,
                reason=ExitReason(trade.stop_reason).label,
                quantity=trade.remaining,
                trigger=_trigger(trade, context),
                now=context.now,
            )
    except IntegrityError:
        # The unique key allows one live stop: another process is placing it, and the next tick looks again.
        logger.warning("the stop of trade %s is being placed by another process", trade.pk)
        return
    execution.drive(order, context)


def lift(trade: Trade, context: Context) -> bool:
    """Cancel the resting stop before the whole rest is sold; False where the stop is (or may be) what closes it."""
    resting = Order.objects.filter(trade=trade, role=OrderRole.STOP, status__in=LIVE).first()
    if resting is None:
        return True
    if resting.status != OrderStatus.OPEN:
        return False
    execution.cancel(resting, context)
    return resting.status == OrderStatus.CANCELED


def _wants_stop(trade: Trade) -> bool:
    return trade.status == TradeStatus.OPEN and trade.remaining > 0 and trade.remaining_fraction > 0


def _matches(order: Order, trade: Trade, context: Context) -> bool:
    return _wants_stop(trade) and order.quantity == trade.remaining and order.trigger == _trigger(trade, context)


def _trigger(trade: Trade, context: Context) -> Decimal:
    return context.markets[trade.symbol].price(trade.stop)
