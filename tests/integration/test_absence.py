"""When an order that the venue denies may be given up: never before it is proved that it cannot come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.engine import (
    assert_books_balance,
    close_of,
    enter_at,
    flaky,
    ports_over,
    run_rows,
    run_tick,
    series,
    set_params,
)
from trading.core.ports import Capabilities, FillReport, NotSent, OrderReport, OrderSide, OutcomeUnknown, StopSupport
from trading.models import Bot, Order, OrderRole, OrderStatus, PaperOrder, Signal, Trade, TradeStatus
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
WINDOW = timedelta(seconds=5)
PROVABLE = Capabilities(stop=StopSupport.MARKET, receive_window=WINDOW)
UNPROVABLE = Capabilities(stop=StopSupport.MARKET, receive_window=None)


@dataclass
class Venue:
    """A venue as real ones are: `find` only asks, and answers what `knows` says."""

    inner: Any
    able: Capabilities = PROVABLE
    knows: Callable[[str], bool] = lambda client_id: True
    hides_lists: bool = False
    asked: list[datetime] = field(default_factory=list)
    by_hand: list[FillReport] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def capabilities(self, symbol: str) -> Capabilities:
        return self.able

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        self.asked.append(now)
        if not self.knows(client_id) or not PaperOrder.objects.filter(client_id=client_id).exists():
            return None
        found: OrderReport | None = self.inner.find(client_id, symbol=symbol, now=now)
        return found

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        return [] if self.hides_lists else self.inner.open_orders(symbols, now=now)

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[Any]:
        return [] if self.hides_lists else [*self.inner.fills(symbols, since=since, now=now), *self.by_hand]


def entered(when: str, **venue: Any) -> tuple[Ports, Venue]:
    """Tick once, with an entry whose reply is lost `before` or `after` it took effect."""
    set_params()
    ports, inner = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), (when, OutcomeUnknown("cut")))
    made = Venue(inner, **venue)
    ports = replace(ports, broker=made)
    run_rows(ports, -1)
    assert Order.objects.get().status == OrderStatus.UNKNOWN
    return ports, made


def tick_at(ports: Ports, *seconds: float) -> None:
    for second in seconds:
        run_tick(ports, close_of(-1) + timedelta(seconds=second))


def test_a_denial_inside_the_receive_window_proves_nothing() -> None:
    ports, _ = entered("before")

    tick_at(ports, 2, 4, 6)

    order = Order.objects.get()
    assert (order.status, order.missing_at) == (OrderStatus.UNKNOWN, None)
    assert order.asked_at == close_of(-1) + timedelta(seconds=6)


def test_two_denials_three_seconds_apart_after_the_window_prove_it() -> None:
    ports, _ = entered("before")

    tick_at(ports, 8, 10)
    after_one = Order.objects.get().status
    tick_at(ports, 12)

    assert after_one == OrderStatus.UNKNOWN
    assert Order.objects.get().status == OrderStatus.ABSENT
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert_books_balance()


def test_a_venue_that_denies_an_order_for_a_while_does_not_lose_it() -> None:
    ports, venue = entered("after", knows=lambda client_id: False, hides_lists=True)
    tick_at(ports, 8)

    venue.knows = lambda client_id: True
    tick_at(ports, 12)

    assert Order.objects.get(role=OrderRole.ENTRY).status == OrderStatus.FILLED
    assert Trade.objects.get().status == TradeStatus.OPEN
    assert_books_balance()


def test_an_order_that_only_the_lists_show_is_not_given_up() -> None:
    ports, _ = entered("after", knows=lambda client_id: False)

    tick_at(ports, 8, 12, 16)

    assert Order.objects.get().status == OrderStatus.UNKNOWN
    assert Trade.objects.get().status == TradeStatus.OPENING


def test_what_somebody_trades_by_hand_keeps_an_order_in_doubt_for_a_minute_and_no_longer() -> None:
    ports, venue = entered("before")
    theirs = FillReport(
        venue_fill_id="by-hand",
        client_id="",
        venue_order_id="77",
        symbol="BTC/USDT",
        side=OrderSide.BUY,
        quantity=Decimal("0.001"),
        price=Decimal(100),
        fee=Decimal(0),
        base_fee=Decimal(0),
        at=close_of(-1),
    )
    venue.by_hand = [theirs]

    tick_at(ports, 8, 12, 30, 62)
    within_a_minute = Order.objects.get().status
    tick_at(ports, 70)

    assert within_a_minute == OrderStatus.UNKNOWN
    assert Order.objects.get().status == OrderStatus.ABSENT


def test_a_denial_that_was_taken_back_counts_no_more() -> None:
    set_params()
    venue = Venue(ports_over(series([QUIET, QUIET]), enter_at(-1)).broker)
    ports = replace(ports_over(series([QUIET, QUIET]), enter_at(-1)), broker=venue)
    run_rows(ports, -1)
    stop = Order.objects.get(role=OrderRole.STOP)
    seen = []
    for second, is_known in ((8, False), (12, True), (60, False), (62, True)):
        venue.knows = lambda client_id, is_known=is_known: is_known  # type: ignore[misc]
        venue.hides_lists = not is_known
        tick_at(ports, second)
        stop.refresh_from_db()
        seen.append((stop.status, stop.missing_at is not None))

    assert seen == [("open", True), ("open", False), ("open", True), ("open", False)]


def test_a_question_that_failed_is_no_denial() -> None:
    ports, venue = entered("before")

    def fail(client_id: str) -> bool:
        raise OutcomeUnknown("timeout")

    venue.knows = fail
    tick_at(ports, 8, 12, 16)

    order = Order.objects.get()
    assert (order.status, order.missing_at) == (OrderStatus.UNKNOWN, None)


def test_without_a_receive_window_an_entry_is_given_up_unproved_and_its_symbol_blocked() -> None:
    set_params()
    rows = [QUIET] * 3
    ports, inner = flaky(ports_over(series(rows), enter_at(-1, 0)), ("before", OutcomeUnknown("cut")))
    ports = replace(ports, broker=Venue(inner, able=UNPROVABLE))
    run_rows(ports, -1)
    tick_at(ports, 14, 18)

    run_rows(ports, 0)

    lost, denied = Order.objects.order_by("pk")
    assert (lost.status, denied.status) == (OrderStatus.LOST, OrderStatus.DENIED)
    assert "may still appear" in Signal.objects.order_by("pk").last().reason  # type: ignore[union-attr]


def test_an_order_that_comes_up_after_it_was_given_up_is_adopted_and_people_are_told() -> None:
    ports, venue = entered("after", knows=lambda client_id: False, hides_lists=True, able=UNPROVABLE)
    tick_at(ports, 14, 18)
    given_up = Order.objects.get().status
    venue.knows, venue.hides_lists = lambda client_id: True, False
    Bot.objects.update(reconciled_epoch=0)  # the next comparison is due

    tick_at(ports, 20)

    trade = Trade.objects.get()
    assert given_up == OrderStatus.LOST
    assert (trade.status, trade.remaining > 0) == (TradeStatus.OPEN, True)
    assert trade.orders.filter(role=OrderRole.STOP, status=OrderStatus.OPEN).count() == 1
    assert Bot.objects.get().trading_state == "close_only"
    assert_books_balance()


def test_what_certainly_never_left_is_over_at_once() -> None:
    set_params()
    ports, inner = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("before", NotSent("connection refused")))
    run_rows(ports, -1)

    assert Order.objects.get().status == OrderStatus.EXPIRED
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert len(inner.sent) == 1


def test_the_paper_venue_burns_an_id_that_it_was_asked_for_in_vain() -> None:
    """A paused process that wakes up and sends what was given up meanwhile is refused by the venue itself."""
    set_params()
    ports, inner = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)), ("before", OutcomeUnknown("cut")))
    run_rows(ports, -1)
    tick_at(ports, 2)
    request = inner.sent[0]

    with pytest.raises(Exception, match="given up"):
        inner.inner.submit(request)

    assert Order.objects.get().status == OrderStatus.ABSENT
