"""Keeps one stop at the venue for every open trade: right side, right quantity, right price.

Where the venue cannot hold one, the tick itself is the stop, and only where the operator has accepted that in words.
A trade that cannot be protected within UNPROTECTED_LIMIT is closed at the market.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction

from trading import events
from trading.core.ports import OutcomeUnknown, StopSupport
from trading.core.position import ExitReason
from trading.models import (
    IN_DOUBT,
    LIVE,
    RESTING,
    WATCHED,
    ExternalHolding,
    Order,
    OrderRole,
    OrderStatus,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import control, execution, lease
from trading.services.context import Context

UNPROTECTED_LIMIT = timedelta(seconds=8)
"""With the tick that follows, a position is without a stop for less than 10 s."""
REFUSALS = 3
"""So many stops in a row that the venue refuses mean that it will refuse the next one too."""
STOP_GAP = Decimal("0.02")
"""How far behind its trigger a stop that is a limit order still sells, as a fraction of the trigger."""
FLATTEN = "unprotected"
SURE = (OrderStatus.OPEN, OrderStatus.PARTIAL)
"""States in which a stop protects: one whose cancel is in doubt may be gone."""

logger = logging.getLogger(__name__)


def ensure(trade: Trade, context: Context) -> bool:
    """Make the venue's stop what the trade wants now; called after every change, so a crash is mended by the next tick.

    True: the trade cannot be protected, and its rest is to be sold at once.
    """
    trade.refresh_from_db()
    if context.ports.broker.capabilities(trade.symbol).stop is StopSupport.NONE:
        if context.ports.accepts_local_stops:
            _mark(trade, None)  # the tick is its stop
            return False
        text = f"this venue has no stops for {trade.symbol}, and LOCAL_PROTECTION does not accept that"
        return _flatten(trade, text, context)
    resting = _resting(trade)
    if resting is not None and not _matches(resting, trade, context):
        if resting.status in RESTING:
            _cancel(resting, trade, context)
        trade.refresh_from_db()
        resting = _resting(trade)
    if resting is None and _wants_stop(trade, context):
        _place(trade, context)
    _note(trade, context)
    return _give_up(trade, context)


def lift(trade: Trade, context: Context) -> bool:
    """Cancel the resting stop before the whole rest is sold; False where the stop is (or may be) what closes it."""
    resting = _resting(trade)
    if resting is None:
        return True
    if resting.status not in RESTING:
        return False
    _cancel(resting, trade, context)
    return resting.status == OrderStatus.CANCELED


def _cancel(resting: Order, trade: Trade, context: Context) -> None:
    """Cancel a stop, and write down before that the trade is without one: whoever takes over begins with it."""
    _mark(trade, trade.unprotected_at or context.moment())
    execution.cancel(resting, context)


def _resting(trade: Trade) -> Order | None:
    return Order.objects.filter(trade=trade, role=OrderRole.STOP, status__in=LIVE).first()


def _place(trade: Trade, context: Context) -> None:
    market = context.markets[trade.symbol]
    try:
        trigger, quantity = _trigger(trade, context), market.quantity(_held(trade, context))
    except OutcomeUnknown as doubt:
        logger.warning("the stop of trade %s waits for the next tick: %s", trade.pk, doubt)
        return
    if quantity <= 0:
        return
    limit = None
    if context.ports.broker.capabilities(trade.symbol).stop is StopSupport.LIMIT:
        limit = market.price(trigger * (1 - trade.sign * STOP_GAP))
    try:
        with transaction.atomic():
            lease.check(context.lease)
            order = execution.record(
                trade,
                role=OrderRole.STOP,
                reason=ExitReason(trade.stop_reason).label,
                quantity=quantity,
                price=limit,
                trigger=trigger,
                now=context.moment(),
            )
    except IntegrityError:
        # The unique key allows one live stop: another process is placing it, and the next tick looks again.
        logger.warning("the stop of trade %s is being placed by another process", trade.pk)
        return
    execution.drive(order, context)
    if order.status == OrderStatus.REJECTED:
        adopt_earlier(trade, context)


def _held(trade: Trade, context: Context) -> Decimal:
    """Return what can be protected: while an exit is in doubt, what the venue says is still there."""
    if not trade.orders.filter(role=OrderRole.EXIT, status__in=IN_DOUBT).exists():
        return trade.remaining
    theirs = context.ports.broker.holdings([trade.symbol], now=context.moment()).get(trade.symbol, Decimal(0))
    external = ExternalHolding.objects.filter(symbol=trade.symbol).first()
    ours = trade.sign * (theirs - (external.quantity if external else Decimal(0)))
    return min(trade.remaining, max(Decimal(0), ours))


def is_refused(trade: Trade) -> bool:
    """Return whether the venue has refused the newest stop: the price may have passed its trigger."""
    newest = trade.orders.filter(role=OrderRole.STOP).order_by("-number").first()
    return newest is not None and newest.status == OrderStatus.REJECTED


def adopt_earlier(trade: Trade, context: Context) -> None:
    """Look whether a stop that was given up is there after all: what it locks or sold may be why an order was refused."""
    for order in trade.orders.filter(role=OrderRole.STOP, status__in=WATCHED):
        try:
            report = context.ports.broker.find(order.client_id, symbol=trade.symbol, now=context.moment())
        except OutcomeUnknown as doubt:
            logger.warning("stop %s is looked for again on the next tick: %s", order.client_id, doubt)
            continue
        if report is not None:
            execution.settle(order, report, context)


def _note(trade: Trade, context: Context) -> None:
    """Write down since when the trade has been without a stop that rests at the venue."""
    trade.refresh_from_db()
    resting = _resting(trade)
    is_safe = not _wants_stop(trade, context) or (resting is not None and resting.status in SURE)
    _mark(trade, None if is_safe else trade.unprotected_at or context.moment())


def _mark(trade: Trade, since: datetime | None) -> None:
    if since != trade.unprotected_at:
        trade.unprotected_at = since
        Trade.objects.filter(pk=trade.pk).update(unprotected_at=since)


def _give_up(trade: Trade, context: Context) -> bool:
    if trade.unprotected_at is None or trade.remaining_fraction <= 0 or not _wants_stop(trade, context):
        return False
    stops = trade.orders.filter(role=OrderRole.STOP).order_by("-number").values_list("status", flat=True)
    if list(stops[:REFUSALS]) == [OrderStatus.REJECTED] * REFUSALS:
        return _flatten(trade, f"the venue refused {REFUSALS} stops for {trade.symbol} in a row", context)
    if context.moment() - trade.unprotected_at >= UNPROTECTED_LIMIT:
        return _flatten(trade, f"no stop could be had for {trade.symbol} in {UNPROTECTED_LIMIT.seconds} s", context)
    return False


def _flatten(trade: Trade, reason: str, context: Context) -> bool:
    """Have the rest sold at the market, and enter nothing until people have looked."""
    if not _wants_stop(trade, context):
        return False
    with transaction.atomic():
        lease.check(context.lease)
        control.tighten(TradingState.CLOSE_ONLY, reason=reason, now=context.moment())
        changed = Trade.objects.filter(pk=trade.pk, status=TradeStatus.OPEN, remaining_fraction__gt=0).update(
            remaining_fraction=0.0, exit_reason=FLATTEN
        )
        if changed:
            text = f"{trade.symbol} is closed at the market: {reason}"
            events.emit("flatten", at=context.moment(), symbol=trade.symbol, text=text, payload={"trade": trade.pk})
    trade.refresh_from_db()
    return bool(changed)


def _wants_stop(trade: Trade, context: Context) -> bool:
    """Return whether something is held that is not surely being sold: an exit in doubt protects nobody."""
    if trade.status != TradeStatus.OPEN or trade.remaining <= 0 or _is_first_crumb(trade, context):
        return False
    return trade.remaining_fraction > 0 or trade.orders.filter(role=OrderRole.EXIT, status__in=IN_DOUBT).exists()


def _is_first_crumb(trade: Trade, context: Context) -> bool:
    """Return whether so little of a resting entry has filled that the venue would refuse to sell it."""
    if not trade.is_entering or not context.ports.broker.capabilities(trade.symbol).pays_notional:
        return False
    market = context.markets[trade.symbol]
    return market.quantity(trade.remaining) * Decimal(str(trade.stop)) < market.min_notional


def _matches(order: Order, trade: Trade, context: Context) -> bool:
    wanted = context.markets[trade.symbol].quantity(trade.remaining)
    rest = order.quantity - order.filled
    is_sized = rest == wanted or trade.orders.filter(role=OrderRole.EXIT, status__in=IN_DOUBT).exists()
    return _wants_stop(trade, context) and is_sized and order.trigger == _trigger(trade, context)


def _trigger(trade: Trade, context: Context) -> Decimal:
    return context.markets[trade.symbol].price(trade.stop)
