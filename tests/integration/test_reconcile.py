"""What the comparison with the venue believes, what it mends, what it leaves alone, and when it stops trading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from tests.engine import (
    SYMBOL,
    Scripted,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    ports_over,
    run_rows,
    run_tick,
    series,
    set_params,
)
from trading.core.ports import FillReport, OrderReport, OrderSide, OutcomeUnknown, ReportStatus
from trading.models import (
    Bot,
    Event,
    ExternalHolding,
    ExternalOrder,
    Fill,
    LedgerEntry,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    PaperAccount,
    PaperOrder,
    PaperPosition,
    ReconcileKind,
    ReconcileRun,
    Signal,
    Trade,
    TradeStatus,
)
from trading.services import execution, lease, reconcile
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
CRASH = (100.0, 100.2, 90.0, 91.0)
LATER = timedelta(seconds=10)
Answer = TypeVar("Answer")


@dataclass
class Venue:
    """The paper venue with other people's orders in it, which can refuse to answer or answer with nothing."""

    inner: Any
    orders: list[OrderReport] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    canceled: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> Any:
        self.canceled.append(client_id)
        return self.inner.cancel(client_id, symbol=symbol, now=now)

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        listed: list[OrderReport] = [*self.inner.open_orders(symbols, now=now), *self.orders]
        return self._answer("open_orders", listed)

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[FillReport]:
        told: list[FillReport] = list(self.inner.fills(symbols, since=since, now=now))
        return self._answer("fills", told)

    def holdings(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Decimal]:
        held: dict[str, Decimal] = dict(self.inner.holdings(symbols, now=now))
        return self._answer("holdings", held)

    def cash(self, *, now: datetime) -> Decimal:
        cash: Decimal = self.inner.cash(now=now)
        return self._answer("cash", cash)

    def _answer(self, question: str, answer: Answer) -> Answer:
        if question in self.fails:
            raise OutcomeUnknown(f"{question} timed out")
        return type(answer)() if question in self.empty else answer


def venue_over(*rows: tuple[float, float, float, float], entries: Scripted | None = None) -> tuple[Ports, Venue]:
    set_params()
    ports = ports_over(series(rows), entries or Scripted({}))
    venue = Venue(ports.broker)
    return replace(ports, broker=venue), venue


def holding() -> tuple[Ports, Venue, Trade]:
    """Return a venue at which one trade is open, with its stop."""
    ports, venue = venue_over(QUIET, QUIET, QUIET, entries=enter_at(-1))
    run_rows(ports, -1)
    trade = Trade.objects.get()
    assert (trade.status, trade.remaining > 0) == (TradeStatus.OPEN, True)
    return ports, venue, trade


def look(ports: Ports, number: int = 1, kind: ReconcileKind = ReconcileKind.START) -> ReconcileRun:
    return reconcile.compare(kind, context_at(ports, close_of(-1) + number * LATER))


def seen(run: ReconcileRun) -> list[tuple[str, str]]:
    return [(row["kind"], row["action"]) for row in run.differences]


def strange_order(client_id: str) -> OrderReport:
    return OrderReport(
        client_id=client_id,
        venue_order_id="venue-7",
        status=ReportStatus.OPEN,
        symbol=SYMBOL,
        side=OrderSide.BUY,
        quantity=Decimal(2),
    )


def test_books_that_agree_pass() -> None:
    ports, _, trade = holding()

    run = look(ports)

    assert (run.passed, run.problem, run.orders, run.fills, run.positions) == (True, "", 1, 1, 1)
    assert run.differences == []
    assert trade.remaining == PaperPosition.objects.get().quantity


def test_an_order_of_somebody_else_is_shown_once_and_left_alone() -> None:
    ports, venue = venue_over(QUIET)
    run_rows(ports, -1)
    venue.orders = [strange_order("web-1")]

    first, second = look(ports, 1), look(ports, 2)

    assert seen(first) == [("external order", "shown, left alone")]
    assert (seen(second), first.passed, second.passed) == ([], True, True)
    shown = ExternalOrder.objects.get()
    assert (shown.venue_order_id, shown.side, shown.quantity) == ("venue-7", "buy", Decimal(2))
    assert (shown.first_seen_at, shown.last_seen_at) == (close_of(-1) + LATER, close_of(-1) + 2 * LATER)
    assert venue.canceled == []
    assert Bot.objects.get().trading_state == "active"


def test_an_order_that_bears_our_mark_and_is_in_no_book_halts() -> None:
    ports, venue = venue_over(QUIET)
    run_rows(ports, -1)
    venue.orders = [strange_order(execution.PREFIX + "a" * 20)]

    run = look(ports)

    assert (seen(run), run.passed) == ([("unknown order of ours", "halted")], False)
    bot = Bot.objects.get()
    assert bot.trading_state == "halted"
    assert "was a backup restored?" in bot.state_reason
    assert venue.canceled == []


def test_a_fill_that_was_never_told_is_booked() -> None:
    ports, _, trade = holding()
    # The venue fills the stop, and only the comparison looks.
    PaperOrder.objects.filter(status="open").update(trigger=Decimal(200))

    first, second = look(ports, 1), look(ports, 2)

    assert (seen(first), seen(second)) == ([("missed execution", "booked")], [])
    trade.refresh_from_db()
    assert (trade.status, trade.remaining) == (TradeStatus.CLOSED, Decimal(0))
    assert Fill.objects.count() == 2
    assert_books_balance()


def test_coins_that_were_there_before_are_declared_external_at_the_first_look() -> None:
    ports, _ = venue_over(QUIET, entries=enter_at(-1))
    PaperPosition.objects.create(symbol=SYMBOL, quantity=Decimal(3))

    run_rows(ports, -1)

    assert seen(ReconcileRun.objects.get()) == [("holding besides ours", "declared external")]
    assert ExternalHolding.objects.get().quantity == Decimal(3)
    trade = Trade.objects.get()
    assert PaperPosition.objects.get().quantity == 3 + trade.remaining
    assert seen(look(ports)) == []


def test_coins_that_come_later_are_looked_at_twice() -> None:
    ports, _, trade = holding()
    PaperPosition.objects.update(quantity=trade.remaining + 3)

    runs = [look(ports, number) for number in (1, 2, 3)]

    assert [seen(run) for run in runs] == [
        [("holding besides ours", "looking again")],
        [("holding besides ours", "declared external")],
        [],
    ]
    assert ExternalHolding.objects.get().quantity == Decimal(3)
    assert Bot.objects.get().trading_state == "active"


def test_a_position_smaller_than_booked_is_looked_at_twice_and_then_leaves_exits_only() -> None:
    ports, _, trade = holding()
    PaperPosition.objects.update(quantity=trade.remaining - 1)

    first = look(ports, 1)
    state_after_one = Bot.objects.get().trading_state
    second = look(ports, 2)

    kind = "position is smaller than booked"
    assert (seen(first), first.passed, state_after_one) == ([(kind, "looking again")], True, "active")
    assert (seen(second), second.passed) == ([(kind, "exits only until a person has looked")], False)
    assert Bot.objects.get().trading_state == "close_only"
    trade.refresh_from_db()
    assert trade.status == TradeStatus.OPEN


def test_money_from_outside_is_booked_after_two_equal_looks() -> None:
    ports, _, _ = holding()
    account = PaperAccount.objects.get()
    PaperAccount.objects.update(balance=account.balance + 50)

    first = look(ports, 1)
    transfers_after_one = LedgerEntry.objects.filter(kind="transfer").count()
    second, third = look(ports, 2), look(ports, 3)

    assert (seen(first), transfers_after_one) == ([("cash", "looking again")], 0)
    assert (seen(second), seen(third)) == ([("cash", "booked as a transfer")], [])
    assert LedgerEntry.objects.get(kind="transfer").amount == Decimal(50)
    assert Bot.objects.get().balance == PaperAccount.objects.get().balance
    assert Event.objects.filter(kind="transfer").count() == 1


def test_money_that_moves_between_two_looks_is_not_booked() -> None:
    ports, _, _ = holding()
    account = PaperAccount.objects.get()
    PaperAccount.objects.update(balance=account.balance + 50)
    look(ports, 1)

    PaperAccount.objects.update(balance=account.balance + 60)
    second = look(ports, 2)

    assert seen(second) == [("cash", "looking again")]
    assert not LedgerEntry.objects.filter(kind="transfer").exists()


@pytest.mark.parametrize("question", ["open_orders", "holdings", "cash"])
def test_a_question_that_failed_leaves_the_run_failed_and_permits_no_entry(question: str) -> None:
    ports, venue = venue_over(QUIET, QUIET, entries=enter_at(-1))
    venue.fails = {question}

    run_rows(ports, -1)

    run = ReconcileRun.objects.get()
    assert (run.passed, run.problem) == (False, f"{question} timed out")
    assert Bot.objects.get().reconciled_epoch == 0
    denied = Order.objects.get()
    assert denied.status == OrderStatus.DENIED
    assert OrderEvent.objects.get(order=denied, to_status="denied").note == (
        "the books were not compared with the venue since this process took over"
    )
    assert not PaperOrder.objects.filter(status="filled").exists()


def test_executions_are_asked_for_where_something_of_ours_moved_and_must_be_known() -> None:
    ports, venue, _ = holding()
    Bot.objects.update(reconciled_epoch=0)
    venue.fails = {"fills"}

    run_tick(ports, close_of(-1) + LATER)

    run = ReconcileRun.objects.latest("pk")
    assert (run.passed, run.problem) == (False, "fills timed out")
    assert Bot.objects.get().reconciled_epoch == 0


def test_the_comparison_is_made_up_by_the_tick_after_a_failed_one() -> None:
    ports, venue = venue_over(QUIET, QUIET, entries=enter_at(0))
    venue.fails = {"cash"}
    run_rows(ports, -1)
    venue.fails = set()

    run_rows(ports, 0)

    assert list(ReconcileRun.objects.order_by("pk").values_list("passed", flat=True)) == [False, True]
    assert Bot.objects.get().reconciled_epoch == 1
    assert Trade.objects.get().status == TradeStatus.OPEN


@pytest.mark.parametrize("question", ["open_orders", "fills", "holdings"])
def test_a_venue_that_answers_with_nothing_once_changes_nothing(question: str) -> None:
    ports, venue, trade = holding()
    before = Bot.objects.get()
    venue.empty = {question}
    run_tick(ports, close_of(-1) + LATER)
    Bot.objects.update(reconciled_epoch=0)
    run_tick(ports, close_of(-1) + 2 * LATER)

    venue.empty = set()
    run_tick(ports, close_of(-1) + 3 * LATER)

    after, same = Bot.objects.get(), Trade.objects.get()
    assert (after.trading_state, after.balance) == ("active", before.balance)
    assert (same.status, same.remaining, same.unprotected_at) == (TradeStatus.OPEN, trade.remaining, None)
    stop = Order.objects.get(role=OrderRole.STOP)
    assert (stop.status, stop.quantity) == (OrderStatus.OPEN, trade.remaining)
    assert not ExternalHolding.objects.exists()
    assert venue.canceled == []
    assert_books_balance()


def test_an_empty_purse_once_moves_no_money() -> None:
    ports, venue, _ = holding()
    before = Bot.objects.get().balance
    venue.empty = {"cash"}
    first = look(ports, 1)

    venue.empty = set()
    second = look(ports, 2)

    assert (seen(first), seen(second)) == ([("cash", "looking again")], [])
    assert Bot.objects.get().balance == before


def test_a_stop_that_rests_although_its_trade_is_closed_is_canceled() -> None:
    ports, venue = venue_over(CRASH, QUIET, entries=enter_at(-1))
    run_rows(ports, -1, 0)
    stop = Order.objects.get(role=OrderRole.STOP)
    assert (stop.status, Trade.objects.get().status) == (OrderStatus.FILLED, TradeStatus.CLOSED)
    venue.orders = [replace(strange_order(stop.client_id), side=OrderSide.SELL)]

    run = reconcile.compare(ReconcileKind.START, context_at(ports, close_of(0) + LATER))

    assert seen(run) == [("order should not rest", "taken up or canceled")]
    assert venue.canceled == [stop.client_id]
    stop.refresh_from_db()
    assert stop.status == OrderStatus.FILLED
    assert_books_balance()


def test_nothing_is_entered_by_a_new_holder_before_its_first_comparison() -> None:
    ports, venue = venue_over(QUIET, QUIET, QUIET, entries=enter_at(0, 1))
    run_tick(ports, close_of(-1), owner="one")
    lease.release("one")
    venue.fails = {"holdings"}

    run_tick(ports, close_of(0), owner="two")
    denied = Trade.objects.get().status
    venue.fails = set()
    run_tick(ports, close_of(1), owner="two")

    runs = list(ReconcileRun.objects.order_by("pk").values_list("kind", "epoch", "passed"))
    assert runs == [("start", 1, True), ("start", 2, False), ("start", 2, True)]
    assert denied == TradeStatus.CANCELED
    assert Bot.objects.get().reconciled_epoch == 2
    assert list(Trade.objects.order_by("pk").values_list("status", flat=True)) == ["canceled", "open"]
    assert Signal.objects.count() == 2


def test_a_comparison_under_a_lost_lease_writes_nothing() -> None:
    ports, _, _ = holding()
    context = context_at(ports, close_of(-1) + LATER)
    runs = ReconcileRun.objects.count()
    lease.release("test")
    assert lease.acquire(owner="another") is not None

    with pytest.raises(lease.LeaseLost):
        reconcile.compare(ReconcileKind.START, context)

    assert ReconcileRun.objects.count() == runs
