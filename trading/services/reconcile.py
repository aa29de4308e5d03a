"""Compares our books with the venue's: before anything is entered, and again and again.

A question that failed proves nothing: the run then has not passed. What is not ours is shown and left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.db import transaction

from trading import events
from trading.core.ports import TRIAL_PREFIX, FillReport, OrderReport, OutcomeUnknown
from trading.models import (
    ACTIVE,
    IN_DOUBT,
    LIVE,
    WATCHED,
    Bot,
    ExternalHolding,
    ExternalOrder,
    Fill,
    LedgerEntry,
    LedgerKind,
    Order,
    ReconcileKind,
    ReconcileRun,
    Trade,
    TradingState,
)
from trading.models.fields import stored
from trading.services import control, execution, lease, ledger, settling
from trading.services.context import Context

PERIOD = timedelta(seconds=30)
LOOK_BACK = timedelta(hours=1)
CENT = Decimal("0.01")
ATTEMPTS = 3
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing on which the books disagree; amounts as text, `action` is what was done about it."""

    kind: str
    symbol: str
    ours: str
    theirs: str
    action: str
    needs_people: bool = False


@dataclass(slots=True)
class _Findings:
    orders: int = 0
    fills: int = 0
    positions: int = 0
    differences: list[Difference] = field(default_factory=list)


def compare_due(bot: Bot, context: Context, *, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Compare where this holder of the lease has not yet, and every PERIOD in operation; a replay compares once.

    `meanwhile` is called after every question. False: it was not due.
    """
    if bot.reconciled_epoch != context.lease.epoch:
        compare(ReconcileKind.START, context, meanwhile)
        return True
    if context.ports.clock is None:
        return False
    last = ReconcileRun.objects.order_by("-at", "-pk").first()
    is_due = last is None or context.moment() - last.at >= PERIOD
    if is_due:
        compare(ReconcileKind.RUNNING, context, meanwhile)
    return is_due


def compare(kind: ReconcileKind, context: Context, meanwhile: Callable[[], None] = lambda: None) -> ReconcileRun:
    """Compare orders, executions, holdings and cash once, and write down what was found."""
    found, problem = _Findings(), ""
    previous = ReconcileRun.objects.filter(problem="").order_by("-at", "-pk").first()
    try:
        _compare(found, previous, kind, context, meanwhile)
    except OutcomeUnknown as doubt:
        problem = str(doubt) or type(doubt).__name__
        logger.warning("the comparison with the venue could not be finished: %s", problem)
    with transaction.atomic():
        lease.check(context.lease)
        run = ReconcileRun.objects.create(
            kind=kind,
            epoch=context.lease.epoch,
            at=context.moment(),
            passed=not problem and not any(difference.needs_people for difference in found.differences),
            problem=problem,
            orders=found.orders,
            fills=found.fills,
            positions=found.positions,
            differences=[asdict(difference) for difference in found.differences],
        )
        if not problem:
            # Differences that need people restrict trading by its state, which outlives this process.
            Bot.objects.filter(pk=1).update(reconciled_epoch=context.lease.epoch)
    return run


def _moved(context: Context) -> list[str]:
    """Return where something of ours is held or was ordered lately: only there executions can be missed."""
    since = context.moment() - timedelta(days=1)
    recent = Order.objects.filter(created_at__gte=since).values_list("trade__symbol", flat=True)
    held = Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True)
    return [symbol for symbol in dict.fromkeys((*held, *recent)) if symbol in context.markets]


def _compare(
    found: _Findings,
    previous: ReconcileRun | None,
    kind: ReconcileKind,
    context: Context,
    meanwhile: Callable[[], None],
) -> None:
    """Compare what moved lately, and at the start every watched symbol too."""
    moved = _moved(context)
    watched = [symbol for symbol in context.params.pairs if symbol in context.markets]
    symbols = list(dict.fromkeys((*moved, *watched))) if kind == ReconcileKind.START else moved
    broker, since = context.ports.broker, (previous.at if previous else context.now) - LOOK_BACK
    for first in range(0, len(symbols), settling.TOGETHER):
        some = symbols[first : first + settling.TOGETHER]
        reports = _persist(lambda some=some: broker.open_orders(some, now=context.moment()))  # type: ignore[misc]
        found.orders += len(reports)
        for report in reports:
            _compare_order(report, found, context)
        meanwhile()
    for symbol in moved:
        fills = _persist(lambda s=symbol: broker.fills([s], since=since, now=context.moment()))  # type: ignore[misc]
        found.fills += len(fills)
        _compare_fills(fills, found, context)
        meanwhile()
    if Order.objects.filter(status__in=IN_DOUBT).exists():
        return  # what they hold cannot be known before their outcome is
    _compare_holdings(symbols, found, previous, context)
    _compare_cash(found, previous, context)


def _persist(question: Callable[[], Answer]) -> Answer:
    """Ask up to ATTEMPTS times: one lost answer among hundreds must not keep trading from beginning."""
    for _ in range(ATTEMPTS - 1):
        try:
            return question()
        except OutcomeUnknown as doubt:
            logger.info("asking the venue again: %s", doubt)
    return question()


def _compare_order(report: OrderReport, found: _Findings, context: Context) -> None:
    if report.client_id.startswith(TRIAL_PREFIX):
        return  # a trial, which whoever placed it cancels
    if not report.client_id.startswith(execution.PREFIX):
        _show_external(report, found, context)
        return
    order = Order.objects.filter(client_id=report.client_id).first()
    if order is None:
        reason = (
            f"order {report.client_id} at the venue bears our mark and is in no book of ours: was a backup restored?"
        )
        found.differences.append(_order_difference("unknown order of ours", report, "", "halted", needs_people=True))
        control.tighten(TradingState.HALTED, reason=reason, now=context.moment())
    elif order.status not in LIVE:
        found.differences.append(
            _order_difference("order should not rest", report, order.status, "taken up or canceled")
        )
        settling.take_up(order, report, context)
        order.refresh_from_db()
        _cancel_orphan(order, context)


def _cancel_orphan(order: Order, context: Context) -> None:
    """Cancel what rests at the venue although its order is final here: nobody waits for it any more."""
    if order.status in LIVE and order.role == "entry":
        execution.cancel(order, context)
    elif order.status not in LIVE:
        context.ports.broker.cancel(order.client_id, symbol=order.trade.symbol, now=context.moment())


def _show_external(report: OrderReport, found: _Findings, context: Context) -> None:
    now = context.moment()
    _, is_new = ExternalOrder.objects.update_or_create(
        symbol=report.symbol,
        venue_order_id=report.venue_order_id,
        defaults={"last_seen_at": now},
        create_defaults={
            "side": report.side or "",
            "quantity": stored(report.quantity or Decimal(0)),
            "first_seen_at": now,
            "last_seen_at": now,
        },
    )
    if is_new:
        found.differences.append(_order_difference("external order", report, "", "shown, left alone"))


def _order_difference(
    kind: str, report: OrderReport, ours: str, action: str, *, needs_people: bool = False
) -> Difference:
    theirs = f"{report.side or '?'} {report.quantity or '?'} {report.status}"
    return Difference(
        kind=kind, symbol=report.symbol, ours=ours, theirs=theirs, action=action, needs_people=needs_people
    )


def _compare_fills(reports: Sequence[FillReport], found: _Findings, context: Context) -> None:
    ids = [report.venue_fill_id for report in reports]
    booked = set(Fill.objects.filter(venue_fill_id__in=ids).values_list("venue_fill_id", flat=True))
    for report in reports:
        if report.venue_fill_id in booked:
            continue
        order = _order_of(report)
        if order is None:
            # Some venues do not name our id in an execution: it may be of an order that was given up.
            _look_for_given_up(report.symbol, context)
            continue  # else it is external, and what it changed shows in the holdings
        found.differences.append(
            Difference(
                kind="missed execution",
                symbol=report.symbol,
                ours="",
                theirs=f"{report.quantity} at {report.price}",
                action="booked",
            )
        )
        status = context.ports.broker.find(order.client_id, symbol=order.trade.symbol, now=context.moment())
        if status is not None:
            settling.take_up(order, status, context)


def _look_for_given_up(symbol: str, context: Context) -> None:
    since = context.moment() - timedelta(days=1)
    for order in Order.objects.filter(trade__symbol=symbol, status__in=WATCHED, created_at__gte=since):
        report = context.ports.broker.find(order.client_id, symbol=symbol, now=context.moment())
        if report is not None:
            settling.take_up(order, report, context)


def _order_of(report: FillReport) -> Order | None:
    if report.client_id:
        return Order.objects.filter(client_id=report.client_id).first()
    return Order.objects.filter(venue_order_id=report.venue_order_id, trade__symbol=report.symbol).first()


def _compare_holdings(symbols: list[str], found: _Findings, previous: ReconcileRun | None, context: Context) -> None:
    theirs = _persist(lambda: context.ports.broker.holdings(symbols, now=context.moment()))
    external = dict(ExternalHolding.objects.values_list("symbol", "quantity"))
    ours = {symbol: Decimal(0) for symbol in symbols}
    for trade in Trade.objects.filter(status__in=ACTIVE, symbol__in=symbols):
        ours[trade.symbol] += trade.sign * trade.remaining
    found.positions = sum(1 for quantity in ours.values() if quantity)
    for symbol in symbols:
        if symbol not in theirs:
            continue
        surplus = theirs[symbol] - ours[symbol] - external.get(symbol, Decimal(0))
        if abs(surplus) > context.markets[symbol].quantity_step:
            _weigh_holding(symbol, ours[symbol], theirs[symbol], surplus, found, previous, context)


def _weigh_holding(
    symbol: str,
    ours: Decimal,
    theirs: Decimal,
    surplus: Decimal,
    found: _Findings,
    previous: ReconcileRun | None,
    context: Context,
) -> None:
    """Believe a difference when two runs in a row have seen it; coins beyond ours are declared external."""
    declares = surplus > 0 if ours >= 0 else surplus < 0
    is_first_look = not ExternalHolding.objects.filter(symbol=symbol).exists() and ours == 0
    missing = not declares and not is_first_look
    seen = Difference(
        kind="position is smaller than booked" if missing else "holding besides ours",
        symbol=symbol,
        ours=f"{ours:f}",
        theirs=f"{theirs:f}",
        action="looking again",
    )
    if not is_first_look and not _was_seen(seen, previous):
        found.differences.append(seen)
        return
    if missing:
        reason = f"the venue holds {theirs:f} {symbol} where our trades hold {ours:f}"
        control.tighten(TradingState.CLOSE_ONLY, reason=reason, now=context.moment())
        found.differences.append(_acted(seen, "exits only until a person has looked", needs_people=True))
        return
    row, _ = ExternalHolding.objects.get_or_create(symbol=symbol, defaults={"quantity": 0, "at": context.moment()})
    row.quantity += surplus
    row.save(update_fields=["quantity"])
    found.differences.append(_acted(seen, "declared external"))


def _compare_cash(found: _Findings, previous: ReconcileRun | None, context: Context) -> None:
    theirs, bot = _persist(lambda: context.ports.broker.cash(now=context.moment())), Bot.objects.get(pk=1)
    ours = bot.balance
    for trade in Trade.objects.filter(status__in=ACTIVE):
        if context.ports.broker.capabilities(trade.symbol).pays_notional:
            ours -= trade.sign * trade.cost
    if abs(theirs - ours) < CENT:
        return
    seen = Difference(kind="cash", symbol="", ours=f"{ours:f}", theirs=f"{theirs:f}", action="looking again")
    if not _was_seen(seen, previous):
        found.differences.append(seen)
        return
    _book_transfer(theirs - ours, context.moment())
    found.differences.append(_acted(seen, "booked as a transfer"))


def _book_transfer(amount: Decimal, now: datetime) -> None:
    with transaction.atomic():
        LedgerEntry.objects.create(kind=LedgerKind.TRANSFER, amount=stored(amount), at=now)
        ledger.add_to_balance(stored(amount))
        text = f"{amount:+.2f} came from outside of trading and was booked as a transfer"
        events.emit("transfer", at=now, text=text, payload={"amount": str(amount)})


def _was_seen(seen: Difference, previous: ReconcileRun | None) -> bool:
    """Return whether the run before found the very same, so that nothing was merely on its way."""
    same = ("kind", "symbol", "ours", "theirs")
    return previous is not None and any(
        all(old.get(name) == getattr(seen, name) for name in same) for old in previous.differences
    )


def _acted(seen: Difference, action: str, *, needs_people: bool = False) -> Difference:
    return Difference(
        kind=seen.kind,
        symbol=seen.symbol,
        ours=seen.ours,
        theirs=seen.theirs,
        action=action,
        needs_people=needs_people,
    )
