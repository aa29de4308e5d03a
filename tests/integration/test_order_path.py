"""What a lost answer, a refusal or a death between two steps does to an order: never twice, never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.engine import (
    SYMBOL,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    flaky,
    ports_over,
    run_rows,
    run_tick,
    series,
    set_params,
)
from trading.core.ports import OrderRejected, OutcomeUnknown
from trading.models import (
    Bot,
    Lease,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    PaperOrder,
    Signal,
    SignalStatus,
    Trade,
    TradeStatus,
)
from trading.services import execution, lease

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
SOON = timedelta(seconds=5)


class ProcessDied(BaseException):
    """Stands for kill -9: nothing catches it."""


def test_a_lost_answer_is_settled_by_the_next_tick() -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("after", OutcomeUnknown("cut")))

    run_tick(ports, close_of(-1))
    in_doubt = Order.objects.get()
    run_tick(ports, close_of(-1) + SOON)

    assert in_doubt.status == OrderStatus.UNKNOWN
    assert Order.objects.get(pk=in_doubt.pk).status == OrderStatus.FILLED
    assert [request.client_id for request in venue.sent].count(in_doubt.client_id) == 1
    assert Trade.objects.get().status == TradeStatus.OPEN
    assert Trade.objects.get().orders.filter(role=OrderRole.STOP, status=OrderStatus.OPEN).count() == 1
    assert_books_balance()


def test_an_order_that_never_arrived_is_not_sent_again() -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("before", OutcomeUnknown("cut")))

    run_tick(ports, close_of(-1))
    run_tick(ports, close_of(-1) + SOON)

    assert Order.objects.get().status == OrderStatus.ABSENT
    assert len(venue.sent) == 1
    assert not PaperOrder.objects.exclude(status="burnt").exists()
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert Signal.objects.get().status == SignalStatus.EXPIRED


def test_a_refused_entry_cancels_its_trade_and_frees_the_symbol() -> None:
    set_params()
    refusal = OrderRejected("insufficient balance")
    ports, _ = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1, 0)), ("before", refusal))

    run_rows(ports, -1, 0)

    first, second = Trade.objects.order_by("pk")
    assert (first.status, second.status) == (TradeStatus.CANCELED, TradeStatus.OPEN)
    assert "insufficient balance" in first.signal.reason
    assert first.orders.get().status == OrderStatus.REJECTED


def test_a_death_while_sending_is_settled_by_asking_the_venue() -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("after", ProcessDied()))

    with pytest.raises(ProcessDied):
        run_tick(ports, close_of(-1))
    stuck = Order.objects.get()
    run_tick(ports, close_of(-1) + SOON)

    assert stuck.status == OrderStatus.SUBMITTING
    assert Order.objects.get(pk=stuck.pk).status == OrderStatus.FILLED
    assert [request.client_id for request in venue.sent].count(stuck.client_id) == 1
    assert Trade.objects.get().remaining == stuck.quantity
    assert_books_balance()


def test_a_recorded_entry_that_was_never_permitted_is_sent_while_it_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)))
    _die_before_the_permit(monkeypatch, ports)

    run_tick(ports, close_of(-1) + SOON)

    assert Trade.objects.get().status == TradeStatus.OPEN
    assert Order.objects.filter(role=OrderRole.ENTRY).get().status == OrderStatus.FILLED
    assert len({request.client_id for request in venue.sent}) == len(venue.sent)


def test_a_recorded_entry_whose_time_is_over_expires_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)))
    _die_before_the_permit(monkeypatch, ports)

    run_tick(ports, close_of(-1) + timedelta(minutes=10))

    assert Order.objects.get().status == OrderStatus.EXPIRED
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert venue.sent == []


def test_a_death_between_entry_and_stop_leaves_a_stop_after_the_next_tick() -> None:
    set_params()
    died = ("before", ProcessDied())
    ports, _ = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("ok", RuntimeError()), died)

    with pytest.raises(ProcessDied):
        run_tick(ports, close_of(-1))
    run_tick(ports, close_of(-1) + SOON)
    run_tick(ports, close_of(-1) + 2 * SOON)

    trade = Trade.objects.get()
    stop = trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN)
    assert stop.quantity == trade.remaining
    assert PaperOrder.objects.filter(status="open").count() == 1


def test_a_refused_stop_does_not_leave_the_loss_unlimited() -> None:
    set_params()
    script = [("ok", RuntimeError()), *[("before", OrderRejected("no stops here"))] * 9]
    rows = [QUIET, (100.0, 100.2, 90.0, 91.0), QUIET]
    ports, venue = flaky(ports_over(series(rows), enter_at(-1)), *script[:3])

    run_rows(ports, -1)
    venue.script[:] = [("before", OrderRejected("no stops here"))]
    run_rows(ports, 0)
    venue.script[:] = []
    run_rows(ports, 1, 2)

    trade = Trade.objects.get()
    assert trade.status == TradeStatus.CLOSED
    assert trade.exit_reason == "unprotected"
    assert Bot.objects.get().trading_state == "close_only"
    assert_books_balance()


def test_a_refused_exit_is_sold_by_the_next_tick() -> None:
    set_params(time_stop=1)
    ports, venue = flaky(ports_over(series([QUIET] * 3), enter_at(-1)))
    run_rows(ports, -1)
    venue.script[:] = [("before", OrderRejected("busy"))] * 2

    run_rows(ports, 0)
    still_open = Trade.objects.get()
    run_tick(ports, close_of(0) + SOON)

    assert still_open.status == TradeStatus.OPEN
    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason, trade.remaining) == (TradeStatus.CLOSED, "time", Decimal(0))
    assert_books_balance()


def test_a_fill_that_is_told_twice_is_booked_once() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1)
    order = Order.objects.get(role=OrderRole.ENTRY)
    report = ports.broker.find(order.client_id, symbol=SYMBOL, now=close_of(-1))
    assert report is not None

    execution.settle(order, report, context_at(ports, close_of(-1)))
    execution.settle(order, report, context_at(ports, close_of(-1)))

    assert order.fills.count() == 1
    assert Trade.objects.get().quantity == order.quantity
    assert_books_balance()


def test_a_lost_lease_stops_the_send() -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)))
    inner = ports.market_data

    class Thief:
        """Market data during whose answer another process takes the lease over."""

        def candles(self, symbol, timeframe, *, now, limit):  # type: ignore[no-untyped-def]
            Lease.objects.update(owner="thief", epoch=99)
            return inner.candles(symbol, timeframe, now=now, limit=limit)

        def tickers(self, symbols, *, now):  # type: ignore[no-untyped-def]
            return inner.tickers(symbols, now=now)

        def markets(self):  # type: ignore[no-untyped-def]
            return inner.markets()

    outcome = run_tick(replace(ports, market_data=Thief()), close_of(-1))

    assert outcome == "lease lost on the way"
    assert venue.sent == []
    assert not Order.objects.exists()


def test_a_lease_held_elsewhere_leaves_the_tick_to_its_holder() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1, 0))
    run_tick(ports, close_of(-1), owner="one")

    refused = run_tick(ports, close_of(-1) + SOON, owner="two")
    lease.release("one")  # its time is over
    taken_over = run_tick(ports, close_of(-1) + 2 * SOON, owner="two")

    assert (refused, taken_over) == ("lease held elsewhere", "ran")
    row = Lease.objects.get()
    assert (row.owner, row.epoch) == ("two", 2)


def test_client_ids_follow_from_what_the_order_is_for() -> None:
    set_params()
    run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1)

    orders = list(Order.objects.select_related("trade__signal").order_by("number"))

    assert [order.client_id for order in orders] == [
        execution.client_id(order.trade.signal, "paper", order.number) for order in orders
    ]
    assert all(order.client_id.isalnum() and len(order.client_id) <= 32 for order in orders)
    assert len({order.client_id for order in orders}) == len(orders)


def test_every_step_of_an_order_is_an_event_without_a_gap() -> None:
    set_params()
    ports, _ = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("after", OutcomeUnknown("cut")))
    run_tick(ports, close_of(-1))
    run_tick(ports, close_of(-1) + SOON)

    order = Order.objects.get(role=OrderRole.ENTRY)
    steps = list(order.events.order_by("seq").values_list("seq", "from_status", "to_status"))

    assert steps == [
        (1, "", "intent"),
        (2, "intent", "submitting"),
        (3, "submitting", "unknown"),
        (4, "unknown", "filled"),
    ]


def test_a_step_that_no_order_may_take_is_refused() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1)
    order = Order.objects.get(role=OrderRole.ENTRY)
    before = OrderEvent.objects.count()

    with pytest.raises(execution.IllegalTransition):
        execution.transition(order, OrderStatus.OPEN, context_at(ports, close_of(-1)))

    assert OrderEvent.objects.count() == before


def test_the_same_setup_makes_the_same_ids_in_any_database() -> None:
    set_params()
    run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1)

    assert Order.objects.get(role=OrderRole.ENTRY).client_id == execution.client_id(
        Signal(symbol=SYMBOL, timeframe="15m", bar_at=close_of(-2)), "paper", 1
    )


def _die_before_the_permit(monkeypatch: pytest.MonkeyPatch, ports) -> None:  # type: ignore[no-untyped-def]
    def die(order, context):  # type: ignore[no-untyped-def]
        raise ProcessDied

    with monkeypatch.context() as patched:
        patched.setattr(execution, "drive", die)
        with pytest.raises(ProcessDied):
            run_tick(ports, close_of(-1))
    assert Order.objects.get().status == OrderStatus.INTENT
