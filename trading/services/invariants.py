"""What must hold at every moment, as queries: each returns what breaks it, and nothing where all is well.

Level M is money: it restricts trading at once. Level S is safety: it alerts. `lag` is how long a broken one may
take to mend itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from django.db.models import Count, F, Max, Q, Sum

from trading import events
from trading.models import (
    ACTIVE,
    IN_DOUBT,
    LIVE,
    RESTING,
    STRICTNESS,
    TRANSITIONS,
    WATCHED,
    Bot,
    Fill,
    InvariantRun,
    Lease,
    LedgerEntry,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    Signal,
    SignalStatus,
    StateChange,
    TickRun,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import control, protection

logger = logging.getLogger(__name__)

UNPROTECTED = timedelta(seconds=10)
UNASKED = timedelta(seconds=60)
PLACES = Decimal("1e-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One promise: its id, level (M or S), what it says, and the query that finds what breaks it."""

    id: str
    level: str
    text: str
    broken: Callable[[datetime, datetime], Iterator[str]]
    """Takes now and the moment from which history is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    id: str
    level: str
    text: str
    found: str


def watch(*, now: datetime, since: datetime) -> list[Violation]:
    """Check, keep the result, and let a broken promise about money restrict trading to exits."""
    violations = check(now=now, since=since)
    InvariantRun.objects.create(
        at=now, checked=len(INVARIANTS), violations=[asdict(violation) for violation in violations]
    )
    for violation in violations:
        text = f"{violation.id} is broken ({violation.text}): {violation.found}"
        logger.error(text)
        events.emit("invariant_broken", at=now, text=text, payload=asdict(violation))
        if violation.level == "M":
            control.tighten(TradingState.CLOSE_ONLY, reason=text, now=now)
    return violations


def check(*, now: datetime, since: datetime) -> list[Violation]:
    """Return every violation; history older than `since` is left out, sums never are."""
    return [
        Violation(id=rule.id, level=rule.level, text=rule.text, found=found)
        for rule in INVARIANTS
        for found in rule.broken(now, since)
    ]


def _one_entry(now: datetime, since: datetime) -> Iterator[str]:
    alive = Order.objects.filter(role=OrderRole.ENTRY, status__in=(*LIVE, OrderStatus.FILLED))
    doubled = alive.values("trade__signal").annotate(count=Count("pk")).filter(count__gt=1)
    for row in doubled:
        yield f"signal {row['trade__signal']} has {row['count']} entries"
    entries = Q(orders__role=OrderRole.ENTRY, orders__filled__gt=0)
    for trade in Trade.objects.annotate(count=Count("orders", filter=entries)).filter(count__gt=1):
        entered = sum(trade.orders.filter(role=OrderRole.ENTRY).values_list("filled", flat=True), Decimal(0))
        if entered > trade.planned_quantity:
            yield f"trade {trade.pk} was to enter {trade.planned_quantity} and has entered {entered}"


def _events_agree(now: datetime, since: datetime) -> Iterator[str]:
    orders = Order.objects.filter(created_at__gte=since)
    steps: dict[int, list[OrderEvent]] = {}
    for event in OrderEvent.objects.filter(order__in=orders).order_by("order", "seq"):
        steps.setdefault(event.order_id, []).append(event)
    for order in orders:
        events = steps.get(order.pk, [])
        if [event.seq for event in events] != list(range(1, len(events) + 1)) or not events:
            yield f"order {order.client_id} has a gap in its events"
        elif events[-1].to_status != order.status:
            yield f"order {order.client_id} is {order.status}, its last event says {events[-1].to_status}"


def _legal_steps(now: datetime, since: datetime) -> Iterator[str]:
    legal = {(origin.value, to.value) for origin, ends in TRANSITIONS.items() for to in ends} | {("", "intent")}
    for event in OrderEvent.objects.filter(at__gte=since).select_related("order"):
        if (event.from_status, event.to_status) not in legal:
            yield f"order {event.order.client_id} went {event.from_status} -> {event.to_status}"
        elif event.from_status in WATCHED and event.order.role != OrderRole.STOP:
            yield f"order {event.order.client_id} came up after it had been given up"


def _permitted(now: datetime, since: datetime) -> Iterator[str]:
    sent = Order.objects.filter(created_at__gte=since).exclude(
        status__in=(OrderStatus.INTENT, OrderStatus.DENIED, OrderStatus.EXPIRED)
    )
    for order in sent.filter(Q(permit_at=None) | Q(epoch=None)):
        yield f"order {order.client_id} is {order.status} without a permit"


def _one_slot(now: datetime, since: datetime) -> Iterator[str]:
    runs = TickRun.objects.filter(slot__gte=since).values("job", "slot").annotate(count=Count("pk"))
    for row in runs.filter(count__gt=1):
        yield f"{row['job']} {row['slot']} ran {row['count']} times"


def _named_at_venue(now: datetime, since: datetime) -> Iterator[str]:
    for order in Order.objects.filter(status__in=RESTING, venue_order_id=""):
        yield f"order {order.client_id} is {order.status} and has no id of the venue"


def _fills_add_up(now: datetime, since: datetime) -> Iterator[str]:
    for order in Order.objects.filter(created_at__gte=since).prefetch_related("fills"):
        total = sum((fill.quantity for fill in order.fills.all()), Decimal(0))
        if total != order.filled:
            yield f"order {order.client_id} says {order.filled}, its fills {total}"
        if total > order.quantity:
            yield f"order {order.client_id} was filled beyond its quantity by {total - order.quantity}"


def _positions_add_up(now: datetime, since: datetime) -> Iterator[str]:
    for trade in Trade.objects.filter(status__in=ACTIVE):
        fills = Fill.objects.filter(order__trade=trade).select_related("order")
        held = sum(
            (f.quantity - f.base_fee if f.order.role == OrderRole.ENTRY else -f.quantity for f in fills), Decimal(0)
        )
        if held != trade.remaining:
            yield f"trade {trade.pk} holds {trade.remaining}, its fills make {held}"


def _positive(now: datetime, since: datetime) -> Iterator[str]:
    for fill in Fill.objects.filter(Q(quantity__lte=0) | Q(price__lte=0), at__gte=since):
        yield f"fill {fill.venue_fill_id} has {fill.quantity} at {fill.price}"


def _balance_is_ledger(now: datetime, since: datetime) -> Iterator[str]:
    bot = Bot.objects.filter(pk=1).first()
    if bot is None:
        return
    # Added here and not by the database, which on SQLite would add floats.
    ledger = sum(LedgerEntry.objects.values_list("amount", flat=True).iterator(), Decimal(0))
    if ledger != bot.balance:
        yield f"the balance is {bot.balance}, the ledger adds up to {ledger}"
    kinds = LedgerEntry.objects.exclude(kind__in=("deposit", "transfer")).values_list("amount", flat=True)
    earned = sum((t.pnl for t in Trade.objects.only("gross_pnl", "fees").iterator()), Decimal(0))
    booked = sum(kinds.iterator(), Decimal(0))
    if earned != booked:
        yield f"trades made {earned}, the ledger booked {booked}"


def _never_crosses_zero(now: datetime, since: datetime) -> Iterator[str]:
    for trade in Trade.objects.filter(Q(remaining__lt=0) | Q(status=TradeStatus.CLOSED, remaining__gt=0)):
        yield f"trade {trade.pk} is {trade.status} with {trade.remaining}"
    exits = Q(orders__role=OrderRole.STOP, orders__status__in=LIVE)
    resting = Trade.objects.filter(status__in=ACTIVE).annotate(
        resting=Sum(F("orders__quantity") - F("orders__filled"), filter=exits)
    )
    for trade in resting:
        if (trade.resting or 0) > trade.remaining + PLACES and trade.status == TradeStatus.OPEN:
            older = trade.orders.filter(role=OrderRole.EXIT, events__at__gte=now - UNPROTECTED).exists()
            if not older:
                yield f"trade {trade.pk} holds {trade.remaining} and {trade.resting} are to be sold by stops"


def _doubts_are_asked(now: datetime, since: datetime) -> Iterator[str]:
    for order in Order.objects.filter(status__in=IN_DOUBT, permit_at__lt=now - 2 * UNASKED):
        if order.asked_at is None or order.asked_at < now - UNASKED:
            yield f"order {order.client_id} is in doubt since {order.permit_at} and nobody asks the venue"


def _protected(now: datetime, since: datetime) -> Iterator[str]:
    bare = Trade.objects.filter(status=TradeStatus.OPEN, remaining_fraction__gt=0, unprotected_at__lt=now - UNPROTECTED)
    for trade in bare:
        if not trade.orders.filter(role=OrderRole.STOP, status__in=protection.SURE).exists():
            yield f"trade {trade.pk} has had no stop since {trade.unprotected_at}"


def _stops_fit(now: datetime, since: datetime) -> Iterator[str]:
    for order in Order.objects.filter(role=OrderRole.STOP, status__in=RESTING).select_related("trade"):
        trade = order.trade
        if (order.side == "sell") != (trade.sign > 0):
            yield f"stop {order.client_id} is on the wrong side"
        if trade.status == TradeStatus.CLOSED and trade.closed_at and trade.closed_at < now - UNPROTECTED:
            yield f"stop {order.client_id} rests although trade {trade.pk} is closed"


def _paper_or_live(now: datetime, since: datetime) -> Iterator[str]:
    bot = Bot.objects.filter(pk=1).first()
    if bot is not None and (count := Trade.objects.exclude(mode=bot.mode).count()):
        yield f"{count} trades are not {bot.mode}, as the account is"


def _epochs_rise(now: datetime, since: datetime) -> Iterator[str]:
    highest = OrderEvent.objects.aggregate(top=Max("epoch"))["top"] or 0
    held = Lease.objects.filter(name="trader").first()
    if held is not None and highest > held.epoch:
        yield f"an order was written in epoch {highest}, the lease is in {held.epoch}"
    written = OrderEvent.objects.filter(at__gte=since, epoch__isnull=False).order_by("pk")
    epochs = [epoch or 0 for epoch in written.values_list("epoch", flat=True)]
    for earlier, later in pairwise(epochs):
        if earlier > later:
            yield f"epoch {later} wrote about orders after epoch {earlier}"


def _only_people_loosen(now: datetime, since: datetime) -> Iterator[str]:
    rank = {state.value: number for number, state in enumerate(STRICTNESS)}
    for change in StateChange.objects.filter(by=""):
        if rank.get(change.to_state, 0) < rank.get(change.from_state, 0):
            yield f"software went from {change.from_state} to {change.to_state} at {change.at}"
    last, bot = StateChange.objects.order_by("-pk").first(), Bot.objects.filter(pk=1).first()
    if last is not None and bot is not None and last.to_state != bot.trading_state:
        yield f"the account is {bot.trading_state}, its history says {last.to_state}"


def _nothing_waits_for_ever(now: datetime, since: datetime) -> Iterator[str]:
    ticked_at = Bot.objects.filter(pk=1).values_list("last_tick_at", flat=True).first()
    overdue = min(now, ticked_at) - UNASKED if ticked_at else now - UNASKED
    for signal in Signal.objects.filter(status=SignalStatus.AWAITING).exclude(advice_due_at__gte=overdue):
        yield f"signal {signal.pk} has waited for advice since {signal.decided_at}"


INVARIANTS = (
    Invariant(
        id="I-01",
        level="M",
        text="at most one living entry per signal, no more entered than planned",
        broken=_one_entry,
    ),
    Invariant(id="I-02", level="M", text="every state change is an event, without a gap", broken=_events_agree),
    Invariant(id="I-03", level="M", text="nothing is sent without a permit", broken=_permitted),
    Invariant(id="I-06", level="M", text="a slot runs once", broken=_one_slot),
    Invariant(id="I-08", level="M", text="orders go only where the table allows", broken=_legal_steps),
    Invariant(id="I-09", level="M", text="a resting order has the venue's id", broken=_named_at_venue),
    Invariant(id="I-12", level="M", text="orders and positions are the sum of their fills", broken=_fills_add_up),
    Invariant(id="I-12b", level="M", text="positions are the sum of their fills", broken=_positions_add_up),
    Invariant(id="I-13", level="M", text="quantities and prices are positive", broken=_positive),
    Invariant(id="I-14", level="M", text="the balance is the sum of the ledger", broken=_balance_is_ledger),
    Invariant(id="I-15", level="M", text="no exit turns a position around", broken=_never_crosses_zero),
    Invariant(id="I-16", level="M", text="an order in doubt is asked about every minute", broken=_doubts_are_asked),
    Invariant(id="I-20", level="M", text="an open position has a stop within 10 s", broken=_protected),
    Invariant(id="I-21", level="M", text="a stop fits its position", broken=_stops_fit),
    Invariant(id="I-29", level="M", text="paper and live never mix", broken=_paper_or_live),
    Invariant(id="I-41", level="M", text="nobody writes under an older lease", broken=_epochs_rise),
    Invariant(id="I-43", level="M", text="only people loosen the trading state", broken=_only_people_loosen),
    Invariant(
        id="I-49", level="S", text="no signal waits for advice a minute beyond its time", broken=_nothing_waits_for_ever
    ),
)
