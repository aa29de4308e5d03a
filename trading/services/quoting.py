"""Entries by limit order: a quote rests, is canceled after its time, and another one or a market order follows it.

Each is an order of its own, with its own number, and none is recorded before the one before it has a final state.
A trade says by `is_entering` that it may still grow, so a crash between any two steps is mended by the next tick.
Only what we canceled ourselves is followed: who cancels a quote at the venue's own page wants no other.
In a replay, which sees a price once a bar, a quote rests for a bar.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from trading import events
from trading.core import sizing
from trading.core.decision import limit_price, market_fill
from trading.core.ports import OrderKind, OutcomeUnknown
from trading.models import ACTIVE, LIVE, RESTING, Order, OrderRole, OrderStatus, Trade
from trading.services import execution, hot_sql, lease, permits, settling
from trading.services.context import Context

_GROWS = (
    "status",
    "quantity",
    "remaining",
    "entry_price",
    "cost",
    "fees",
    "is_entering",
    "opened_at",
    "unprotected_at",
)

logger = logging.getLogger(__name__)


def attend(context: Context) -> bool:
    """Look after every trade that is still being entered by quotes; False: there is none."""
    if not hot_sql.is_any_trade_entering():
        return False
    for trade in Trade.objects.filter(is_entering=True, symbol__in=list(context.markets)).order_by("pk"):
        try:
            _attend(trade, context)
        except OutcomeUnknown as doubt:
            logger.warning("the quote of trade %s is looked after by the next tick: %s", trade.pk, doubt)
    return True


def end(trade: Trade, reason: str, context: Context) -> bool:
    """Let nothing more of the entry fill, since the position is about to be left; False: something still may.

    What the quote has filled meanwhile is read anew, and nothing else: the caller moves the position it has read.
    """
    if not trade.is_entering:
        return True
    order = _last(trade)
    if order.status == OrderStatus.INTENT:
        with transaction.atomic():
            execution.transition(order, OrderStatus.EXPIRED, context, note=reason)
    elif order.status in RESTING:
        execution.cancel(order, context)
    if order.status not in LIVE:
        _close(trade, reason, context)
    trade.refresh_from_db(fields=_GROWS)
    return order.status not in LIVE


def _attend(trade: Trade, context: Context) -> None:
    order = _last(trade)
    if order.status in RESTING:
        if not _is_over(order, context) and not _objection(trade, context):
            return
        execution.cancel(order, context)
    if order.status not in LIVE:
        _go_on(trade, order, context)


def _last(trade: Trade) -> Order:
    return trade.orders.filter(role=OrderRole.ENTRY).select_related("trade__signal").order_by("-number")[0]


def _is_over(order: Order, context: Context) -> bool:
    rested = context.moment() - (order.permit_at or order.created_at)
    # A cancel that was begun is finished: its reply was lost, or the process died before it.
    return order.status == OrderStatus.CANCELING or rested >= timedelta(seconds=context.params.entry_timeout_s)


def _objection(trade: Trade, context: Context) -> str:
    """Return why nothing more of this trade may be entered, or nothing."""
    if trade.status not in ACTIVE or trade.remaining_fraction < 1.0:
        return "the position is being left"
    closed = permits.closed(context)
    return closed.reason if closed is not None else ""


def _go_on(trade: Trade, last: Order, context: Context) -> None:
    """Record and send what follows a canceled quote, or end the entry with what it has."""
    trade.refresh_from_db()
    if not trade.is_entering:
        return
    reason = _objection(trade, context) or _no_successor(trade, last, context)
    ticker = context.tickers.get(trade.symbol)
    if not reason and ticker is None:
        return  # the next tick may have a price, and the entry's deadline ends the waiting
    if not reason and ticker is not None:
        reason = _follow_up(trade, last, ticker.price, context)
    if reason:
        _close(trade, reason, context)


def _no_successor(trade: Trade, last: Order, context: Context) -> str:
    if last.kind != OrderKind.LIMIT or not last.events.filter(to_status=OrderStatus.CANCELING).exists():
        return f"its order was {last.status} at the venue"
    if not settling.is_fresh(last, context):
        return "its setup was too old to enter"
    if _quotes_left(trade, context) <= 0 and context.params.entry_fallback == "abandon":
        return "its quotes did not fill in time"
    return ""


def _quotes_left(trade: Trade, context: Context) -> int:
    made = trade.orders.filter(role=OrderRole.ENTRY, kind=OrderKind.LIMIT).count()
    return 1 + context.params.entry_requotes - made


def _follow_up(trade: Trade, last: Order, price: float, context: Context) -> str:
    """Send the next entry order at the price now; otherwise return why there is none."""
    sign, market, params = trade.sign, context.markets[trade.symbol], context.params
    if sign * (price - trade.stop) <= 0 or sign * (price - trade.rules["target_1"]) >= 0:
        return "the price has left the way from the stop to the first target"
    limit = None
    if _quotes_left(trade, context) > 0:
        # Parameters may have gone back to market orders meanwhile; a quote is followed by quotes all the same.
        limit = limit_price(price, sign=sign, params=params, market=market)
    expected = limit or market_fill(price, sign=sign, slippage=params.slippage, market=market)
    quantity = _rest(trade, expected, context)
    if quantity <= 0 or quantity * expected < market.min_notional:
        return "what is left of it is too small to enter"
    with transaction.atomic():
        lease.check(context.lease)
        order = execution.record(
            trade, role=OrderRole.ENTRY, reason=last.reason, quantity=quantity, price=limit, now=context.moment()
        )
        how = f"quoted anew at {limit.normalize():f}" if limit is not None else "entered at the market"
        text = f"{quantity.normalize():f} {trade.symbol} are {how}: the quote before was not filled in time"
        events.emit("requote", at=context.moment(), symbol=trade.symbol, text=text, payload={"trade": trade.pk})
    execution.drive(order, context)
    return ""


def _rest(trade: Trade, price: Decimal, context: Context) -> Decimal:
    """Return what may still be entered at `price`: no more than was planned, and no more loss at the stop."""
    market, stop = context.markets[trade.symbol], Decimal(str(trade.first_stop))
    entered = [order for order in trade.orders.filter(role=OrderRole.ENTRY) if order.filled]
    fills = [fill for order in entered for fill in order.fills.all()]
    at_risk = sum((sizing.loss_of_one(entry=f.price, stop=stop, market=market) * f.quantity for f in fills), Decimal(0))
    planned = sizing.loss_of_one(entry=trade.planned_entry, stop=stop, market=market) * trade.planned_quantity
    left = trade.planned_quantity - sum((order.filled for order in entered), Decimal(0))
    affordable = (planned - at_risk) / sizing.loss_of_one(entry=price, stop=stop, market=market)
    return market.quantity(max(Decimal(0), min(left, affordable)))


def _close(trade: Trade, reason: str, context: Context) -> None:
    with transaction.atomic():
        lease.check(context.lease)
        execution.end_entry(trade, reason, context.moment())
