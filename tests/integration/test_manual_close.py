"""Closing by hand: asked for in a row, done by the next tick like every other exit."""

from __future__ import annotations

import pytest

from tests.engine import assert_books_balance, close_of, enter_at, ports_over, run_rows, series, set_params
from trading.models import Event, Order, OrderRole, OrderStatus, Trade, TradeStatus, TradingState
from trading.services import control, invariants, manual

pytestmark = pytest.mark.django_db
QUIET = (100.0, 100.5, 99.5, 100.0)
NOW = close_of(-1)


@pytest.mark.parametrize("side", [1, -1])
def test_the_next_tick_closes_what_was_asked_for(side: int) -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1, side=side))
    run_rows(ports, -1, 0)
    trade = Trade.objects.get()
    assert trade.status == TradeStatus.OPEN

    assert manual.request_close(trade.pk, by="anna", now=NOW)
    assert not Order.objects.filter(role=OrderRole.EXIT).exists()
    run_rows(ports, 1)

    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason) == ("closed", "manual")
    assert trade.remaining == 0
    assert [(order.role, order.status) for order in trade.orders.order_by("number")][1:] == [
        (OrderRole.STOP, OrderStatus.CANCELED),
        (OrderRole.EXIT, OrderStatus.FILLED),
    ]
    assert Event.objects.get(kind="manual_close").text == f"anna asked to close trade {trade.pk}, BTC/USDT {trade.side}"
    assert invariants.check(now=close_of(1), since=NOW) == []
    assert_books_balance()


def test_a_halt_does_not_keep_a_position_from_being_closed() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1, 0)
    control.tighten(TradingState.HALTED, reason="x", now=NOW, by="anna")

    manual.request_close_all(by="anna", now=NOW)
    run_rows(ports, 1)

    assert Trade.objects.get().status == TradeStatus.CLOSED


def test_asking_twice_asks_once_and_what_is_closed_cannot_be_asked_for() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1, 0)
    trade = Trade.objects.get()

    assert manual.request_close_all(by="anna", now=NOW) == [trade.pk]
    assert manual.request_close_all(by="anna", now=NOW) == []
    run_rows(ports, 1, 2)

    assert not manual.request_close(trade.pk, by="anna", now=NOW)
    assert not manual.request_close(trade.pk + 1, by="anna", now=NOW)
    assert (Event.objects.filter(kind="manual_close").count(), trade.orders.filter(role=OrderRole.EXIT).count()) == (
        1,
        1,
    )


def test_a_quote_that_rests_is_canceled_and_nothing_is_entered() -> None:
    set_params(entry_order="limit", entry_limit_offset=0.02)
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1)
    trade = Trade.objects.get()
    assert (trade.status, trade.is_entering) == (TradeStatus.OPENING, True)

    assert manual.request_close(trade.pk, by="anna", now=NOW)
    run_rows(ports, 0)

    trade.refresh_from_db()
    assert (trade.status, trade.is_entering) == ("canceled", False)
    assert trade.quantity == 0
    assert_books_balance()


def test_what_is_closed_by_hand_after_a_target_says_so() -> None:
    set_params(break_even=False, trailing=False)
    ports = ports_over(series([(100.0, 104.0, 99.5, 103.0), (103.0, 103.5, 102.5, 103.0), QUIET]), enter_at(-1))
    run_rows(ports, -1, 0)
    trade = Trade.objects.get()
    assert trade.orders.get(role=OrderRole.EXIT).reason == "target_1"

    manual.request_close(trade.pk, by="anna", now=NOW)
    run_rows(ports, 1)

    assert Trade.objects.get().exit_reason == "manual"
