"""Settles orders in doubt: every tick begins here, so start-up and recovery are one path.

An order that the venue does not know is given up only by a proof: its receive window is over, the venue said
twice that it has no such order, and neither its open orders nor its executions show it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from trading.core import timeframes
from trading.core.ports import Capabilities, OrderReport, OutcomeUnknown
from trading.models import (
    IN_DOUBT,
    RESTING,
    ExternalHolding,
    Order,
    OrderRole,
    OrderStatus,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import control, execution, hot_sql, protection
from trading.services.context import Context

CLOCK_MARGIN = timedelta(seconds=1)
IN_FLIGHT = timedelta(seconds=4)
"""How long a permit of the same lease may still be with whoever sends it."""
BETWEEN_DENIALS = timedelta(seconds=3)
NAMELESS = timedelta(minutes=1)
"""So long an execution that names nobody may be of an order that the venue denies; later it is somebody else's."""
TOGETHER = 20
"""Symbols whose open orders are asked for in one question."""

logger = logging.getLogger(__name__)


def settle_all(context: Context, *, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Ask the venue about every order that was sent and has no final state; False: there was none.

    `meanwhile` is called after every question, each of which may take as long as the venue likes.
    """
    if not hot_sql.is_any_order_live():
        return False
    orders = list(Order.objects.filter(status__in=(*IN_DOUBT, *RESTING)).order_by("pk"))
    for order in orders:
        if order.status in IN_DOUBT:
            _ask_doubtful(order, context)
            meanwhile()
    _settle_resting([order for order in orders if order.status in RESTING], context, meanwhile)
    return bool(orders)


def settle_stops(context: Context) -> None:
    """Ask the venue which stops still rest there; the trade of one that does not is without a stop from then on."""
    stops = Order.objects.filter(role=OrderRole.STOP, status__in=RESTING).select_related("trade").order_by("pk")
    _settle_resting(list(stops), context, lambda: None)


def settle_trade(trade: Trade, context: Context) -> None:
    """Ask the venue about every order of one trade whose outcome is unknown, and send exits that a crash left unsent."""
    for order in trade.orders.filter(status__in=IN_DOUBT).order_by("pk"):
        _ask_doubtful(order, context)
        trade.refresh_from_db()
    for order in trade.orders.filter(status=OrderStatus.INTENT, role=OrderRole.EXIT).order_by("pk"):
        _pick_up(order, context)
        trade.refresh_from_db()


def take_up(order: Order, report: OrderReport, context: Context) -> None:
    """Settle what the venue says of an order, however late; where it cannot be, halt, and let everything else go on."""
    try:
        execution.settle(order, report, context)
    except IntegrityError:
        # Another trade is open in the symbol: the keys keep both from being one, and people have to sort it out.
        reason = f"late order {order.client_id} collides with another trade in {order.trade.symbol}"
        control.tighten(TradingState.HALTED, reason=reason, now=context.moment())


def pick_up_intents(context: Context) -> bool:
    """Send what a crash left recorded and unsent, where it is still wanted; False: there was nothing."""
    if not hot_sql.is_any_order_live():
        return False
    intents = list(Order.objects.filter(status=OrderStatus.INTENT).order_by("pk"))
    for order in intents:
        _pick_up(order, context)
    return bool(intents)


def is_anything_unsure() -> bool:
    """Return whether an order is in doubt or a position without a sure stop: then the next tick must come soon.

    Bars that are due wait for it, and expire where it lasts.
    """
    if not hot_sql.is_any_order_live() and not hot_sql.is_any_trade_open():
        return False
    return Order.objects.filter(status__in=IN_DOUBT).exists() or bare_trades().exists()


def bare_trades() -> QuerySet[Trade]:
    """Return the trades that hold a position without a sure stop, the oldest first."""
    return Trade.objects.filter(status=TradeStatus.OPEN, unprotected_at__isnull=False).order_by("unprotected_at")


def open_trades() -> list[Trade]:
    """Return every trade that holds a position: those without a sure stop first, each oldest first."""
    if not hot_sql.is_any_trade_open():
        return []
    trades = Trade.objects.filter(status=TradeStatus.OPEN).order_by("pk")
    return sorted(trades, key=lambda trade: trade.unprotected_at is None)


def _ask_doubtful(order: Order, context: Context) -> None:
    if order.status == OrderStatus.SUBMITTING:
        if order.epoch == context.lease.epoch and context.moment() - (order.permit_at or context.now) < IN_FLIGHT:
            return
        with transaction.atomic():
            note = "its process ended between permit and answer"
            if not execution.transition(order, OrderStatus.UNKNOWN, context, note=note):
                return
    try:
        report = _find(order, context)
        if report is not None:
            take_up(order, report, context)
            return
        verdict = _absence(order, context)
    except OutcomeUnknown as doubt:
        logger.warning("order %s is still in doubt: %s", order.client_id, doubt)
        return
    if verdict is not None:
        with transaction.atomic():
            execution.transition(order, verdict, context, note="the venue never saw it")


def _find(order: Order, context: Context) -> OrderReport | None:
    now = context.moment()
    Order.objects.filter(pk=order.pk).update(asked_at=now)
    return context.ports.broker.find(order.client_id, symbol=order.trade.symbol, now=now)


def _absence(order: Order, context: Context) -> OrderStatus | None:
    """Return how an order that the venue has just denied may be given up, or None while nothing is proved."""
    broker, symbol, now = context.ports.broker, order.trade.symbol, context.moment()
    able = broker.capabilities(symbol)
    if able.absence_is_final:
        return OrderStatus.ABSENT
    if order.role == OrderRole.STOP:
        # A position waits for it. A second stop can do no harm: what it sells is locked or reduce-only, so the
        # venue refuses one of the two, and a stop that comes up late is taken up or canceled by the comparison.
        return OrderStatus.ABSENT
    if now <= _last_arrival(order, able, context):
        return None
    is_timed_exit = order.role == OrderRole.EXIT and able.receive_window is not None
    if is_timed_exit and _is_all_there(order, context) and not _is_listed(order, context):
        # A position waits for it: that nothing of it has left says more than a second denial would.
        return OrderStatus.ABSENT
    if order.missing_at is None:
        order.missing_at = now
        Order.objects.filter(pk=order.pk, missing_at=None).update(missing_at=now)
        return None
    if now - order.missing_at < BETWEEN_DENIALS or _is_listed(order, context):
        return None
    return OrderStatus.LOST if able.receive_window is None else OrderStatus.ABSENT


def _is_all_there(order: Order, context: Context) -> bool:
    """Return whether the venue still holds everything that the trade does by our books."""
    trade = order.trade
    held = context.ports.broker.holdings([trade.symbol], now=context.moment()).get(trade.symbol, Decimal(0))
    external = ExternalHolding.objects.filter(symbol=trade.symbol).first()
    return trade.sign * (held - (external.quantity if external else Decimal(0))) >= trade.remaining > 0


def _last_arrival(order: Order, able: Capabilities, context: Context) -> datetime:
    """Return until when the request could still be accepted."""
    sent_at = order.permit_at or order.created_at
    window = able.receive_window if able.receive_window is not None else timedelta(seconds=10)
    return sent_at + window + abs(context.ports.broker.clock_offset(now=context.now)) + CLOCK_MARGIN


def _is_listed(order: Order, context: Context) -> bool:
    """Return whether the venue's lists show what its answer by id does not; then that answer is worth nothing."""
    broker, symbol, now = context.ports.broker, order.trade.symbol, context.moment()
    since = (order.permit_at or order.created_at) - timedelta(seconds=5)
    reports = broker.open_orders([symbol], now=now)
    fills = broker.fills([symbol], since=since, now=now)
    # Some venues name no client id in their executions; one that nobody else claims might be this order's.
    named = {report.client_id for report in reports} | {fill.client_id for fill in fills}
    known = set(Order.objects.filter(trade__symbol=symbol).exclude(venue_order_id="").values_list("venue_order_id"))
    is_early = order.missing_at is None or now - order.missing_at < NAMELESS
    strangers = [fill for fill in fills if is_early and not fill.client_id and (fill.venue_order_id,) not in known]
    return order.client_id in named or any(_could_be(order, fill.side, fill.quantity) for fill in strangers)


def _could_be(order: Order, side: object, quantity: object) -> bool:
    return side in (None, order.side) and isinstance(quantity, type(order.quantity)) and quantity <= order.quantity


def _pick_up(order: Order, context: Context) -> None:
    """Send an intent that a crash left behind, unless it was an entry whose time is over or a stop that changed."""
    if order.role == OrderRole.ENTRY and not is_fresh(order, context):
        with transaction.atomic():
            execution.transition(order, OrderStatus.EXPIRED, context, note="its setup was too old to enter")
    elif order.role == OrderRole.STOP:
        with transaction.atomic():
            execution.transition(order, OrderStatus.EXPIRED, context, note="recorded before a restart")
        protection.ensure(order.trade, context)
    else:
        execution.drive(order, context)


def is_fresh(order: Order, context: Context) -> bool:
    """Return whether the setup of an entry is young enough to be entered on."""
    signal = order.trade.signal
    bar = timeframes.length(signal.timeframe)
    return context.moment() - (signal.bar_at + bar) <= bar * context.params.entry_deadline


def _settle_resting(ours: list[Order], context: Context, meanwhile: Callable[[], None]) -> None:
    """Settle resting orders that the venue no longer lists, or lists as filled in part; some symbols at a time."""
    by_symbol: dict[str, list[Order]] = {}
    for order in ours:
        by_symbol.setdefault(order.trade.symbol, []).append(order)
    for first in range(0, len(by_symbol), TOGETHER):
        symbols = list(by_symbol)[first : first + TOGETHER]
        try:
            listed = {r.client_id: r for r in context.ports.broker.open_orders(symbols, now=context.moment())}
        except OutcomeUnknown as doubt:
            # A lost answer about some must not keep the others waiting.
            logger.warning("the open orders of %s are not known now: %s", ", ".join(symbols), doubt)
            continue
        for order in (order for symbol in symbols for order in by_symbol[symbol]):
            report = listed.get(order.client_id)
            if report is not None:
                _forget_denial(order)
            if report is None or report.fills or report.status != order.status:
                _ask_resting(order, context)
        meanwhile()


def _ask_resting(order: Order, context: Context) -> None:
    try:
        report = _find(order, context)
        gone = report is None and _is_gone(order, context)
    except OutcomeUnknown as doubt:
        logger.warning("order %s is in doubt: %s", order.client_id, doubt)
        return
    if report is not None:
        _forget_denial(order)
        take_up(order, report, context)
    elif gone:
        with transaction.atomic():
            execution.transition(order, OrderStatus.CANCELED, context, note="the venue knows it no more")


def _forget_denial(order: Order) -> None:
    """Let a later denial be the first one again: the venue knows the order."""
    if order.missing_at is not None:
        order.missing_at = None
        Order.objects.filter(pk=order.pk).update(missing_at=None)


def _is_gone(order: Order, context: Context) -> bool:
    """Return whether a resting order that the venue denies has been denied for long enough to be believed."""
    now = context.moment()
    if order.missing_at is None:
        Order.objects.filter(pk=order.pk, missing_at=None).update(missing_at=now)
        logger.error("order %s rested at the venue, which now denies it; asking again", order.client_id)
        return False
    return now - order.missing_at >= BETWEEN_DENIALS and not _is_listed(order, context)
