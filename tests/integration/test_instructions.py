"""What people ask of open positions: parts, stops and break-even go through the tick like every other exit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import pytest

from tests.engine import (
    START,
    Flaky,
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
from trading.core.ports import Capabilities, OrderRejected, OutcomeUnknown
from trading.models import (
    RESTING,
    AuditEntry,
    Event,
    Instruction,
    InstructionStatus,
    LastPrice,
    Order,
    OrderRole,
    OrderStatus,
    Trade,
    TradingState,
)
from trading.services import control, instructing, invariants, manual
from trading.services.context import Ports

pytestmark = pytest.mark.django_db
QUIET = (100.0, 100.5, 99.5, 100.0)
UP = (100.0, 104.0, 99.9, 104.0)
NOW = close_of(-1)
LOT = Decimal("0.00001")
DONE, REFUSED, WAITING = InstructionStatus.DONE, InstructionStatus.REFUSED, InstructionStatus.WAITING


def opened(*, side: int = 1, rows: tuple[tuple[float, float, float, float], ...] = (QUIET,) * 4) -> tuple[Ports, Trade]:
    """Return ports over these bars and a trade that was just entered and has its stop."""
    set_params(trailing=False, break_even=False)
    ports = ports_over(series(rows), enter_at(-1, side=side))
    run_rows(ports, -1, 0)
    return ports, Trade.objects.get()


def later(seconds: int) -> datetime:
    return close_of(0) + timedelta(seconds=seconds)


class Spot(Flaky):
    """A venue whose stops hold the coins that they will sell, and which takes no order below its least."""

    def capabilities(self, symbol: str) -> Capabilities:
        return replace(self.inner.capabilities(symbol), pays_notional=True)


def on_spot(ports: Ports, venue: type[Spot] = Spot) -> Ports:
    return replace(ports, broker=venue(ports.broker))  # type: ignore[arg-type]


def assert_protected(trade: Trade) -> None:
    """Exactly one stop rests, of what is held and where the trade wants it, and every promise holds."""
    trade.refresh_from_db()
    stop = trade.orders.get(role=OrderRole.STOP, status__in=RESTING)
    assert (stop.quantity, float(stop.trigger or 0), trade.unprotected_at) == (trade.remaining, trade.stop, None)
    assert invariants.check(now=later(30), since=START) == []
    assert_books_balance()


@pytest.mark.parametrize("place", [lambda ports: ports, on_spot], ids=["reduce-only", "spot"])
@pytest.mark.parametrize("side", [1, -1])
def test_a_part_is_closed_like_every_exit_and_the_rest_keeps_a_stop(side: int, place: Callable[[Ports], Ports]) -> None:
    ports, trade = opened(side=side)
    ports = place(ports)

    asked = instructing.close_part(trade.pk, fraction=0.25, by="anna", now=later(1))
    assert not trade.orders.filter(role=OrderRole.EXIT).exists()
    run_tick(ports, later(2))

    asked.refresh_from_db()
    order = trade.orders.get(role=OrderRole.EXIT)
    assert (asked.status, order.status, order.reason) == (DONE, OrderStatus.FILLED, "manual_part_1")
    assert order.quantity == (trade.quantity / 4).quantize(LOT, rounding=ROUND_DOWN)
    assert_protected(trade)
    assert trade.remaining == trade.quantity - order.quantity
    assert trade.remaining_fraction == pytest.approx(0.75, abs=1e-3)
    kinds = Event.objects.filter(payload__trade=trade.pk, kind__startswith="manual").values_list("kind", flat=True)
    assert list(kinds.order_by("pk")) == ["manual_act", "manual_done"]
    assert AuditEntry.objects.get(act="manual_part").actor == "anna"


def test_a_quantity_is_rounded_to_the_lot() -> None:
    ports, trade = opened()

    instructing.close_part(trade.pk, quantity=Decimal("1.000199"), by="anna", now=later(1))
    run_tick(ports, later(2))

    assert trade.orders.get(role=OrderRole.EXIT).filled == Decimal("1.00019")
    assert_protected(trade)


def test_parts_one_after_another_are_orders_of_their_own_and_targets_take_what_is_left() -> None:
    ports, trade = opened(rows=(QUIET, UP, UP, UP))
    for number in (1, 2):
        instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(number))
        run_tick(ports, later(number * 2))
    run_rows(ports, 1)

    reasons = list(trade.orders.filter(role=OrderRole.EXIT).order_by("number").values_list("reason", flat=True))
    assert reasons[:3] == ["manual_part_1", "manual_part_2", "target_1"]
    # A quarter was left, less than the half that the first target takes.
    trade.refresh_from_db()
    assert (trade.status, trade.remaining) == ("closed", Decimal(0))
    assert_books_balance()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"fraction": 0.000000001}, "the part would be less than a lot"),
        ({"quantity": Decimal("0.02")}, "the part would be worth 2.00, the venue takes 5"),
        ({"fraction": 0.9995}, "the rest at its stop would be worth"),
    ],
)
def test_what_is_too_small_is_refused_in_one_sentence_and_changes_nothing(
    asked: dict[str, float | Decimal], says: str
) -> None:
    ports, trade = opened()
    ports = on_spot(ports)

    row = instructing.close_part(trade.pk, by="anna", now=later(1), **asked)  # type: ignore[arg-type]
    run_tick(ports, later(2))

    row.refresh_from_db()
    assert (row.status, row.text.startswith(says)) == (REFUSED, True), row.text
    assert not trade.orders.filter(role=OrderRole.EXIT).exists()
    assert Event.objects.filter(kind="manual_refused", text__contains=says).count() == 1
    assert_protected(trade)


@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_is_moved_at_the_venue(side: int) -> None:
    ports, trade = opened(side=side)
    to = 100.0 - side * 0.5

    asked = instructing.move_stop(trade.pk, to=to, by="anna", now=later(1))
    run_tick(ports, later(2))

    asked.refresh_from_db()
    assert (asked.status, asked.stop_before, asked.text) == (
        DONE,
        trade.stop,
        f"the stop went from {trade.stop:g} to {to:g}",
    )
    assert_protected(trade)
    assert trade.stop == to
    assert list(trade.orders.filter(role=OrderRole.STOP).order_by("number").values_list("status", flat=True)) == [
        OrderStatus.CANCELED,
        OrderStatus.OPEN,
    ]


def test_a_stop_that_was_moved_is_the_one_that_fills() -> None:
    ports, trade = opened(rows=(QUIET, (100.0, 100.2, 99.6, 99.7), QUIET, QUIET))
    instructing.move_stop(trade.pk, to=99.8, by="anna", now=later(1))
    run_tick(ports, later(2))

    run_rows(ports, 1)

    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason) == ("closed", "stop")
    assert trade.orders.get(role=OrderRole.STOP, status=OrderStatus.FILLED).fills.get().price == Decimal("99.8")
    assert_books_balance()


def test_break_even_covers_the_costs() -> None:
    ports, trade = opened(rows=((100.0, 101.0, 99.9, 101.0), (101.0, 101.1, 100.1, 100.3), QUIET, QUIET))

    instructing.break_even(trade.pk, by="anna", now=later(1))
    run_tick(ports, later(2))

    assert_protected(trade)
    assert (trade.stop, trade.stop_reason) == (100.2, 1)  # two fees of a thousandth
    run_rows(ports, 1)
    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason) == ("closed", "break_even")
    assert trade.pnl == pytest.approx(Decimal(0), abs=Decimal("0.02"))


def test_break_even_before_the_price_is_there_is_refused() -> None:
    ports, trade = opened()

    asked = instructing.break_even(trade.pk, by="anna", now=later(1))
    run_tick(ports, later(2))

    asked.refresh_from_db()
    assert (asked.status, asked.text) == (
        REFUSED,
        "the price is 100: a stop lies below it, close the trade to leave now",
    )
    assert_protected(trade)


def test_a_stop_beyond_the_price_the_least_or_the_furthest_is_refused_when_asked() -> None:
    _, trade = opened()
    LastPrice.objects.update_or_create(symbol=trade.symbol, defaults={"price": 100.0, "at": NOW})
    for to, field, says in (
        (100.0, "price", "the price is 100"),
        (101.0, "price", "the price is 100"),
        (trade.stop, "price", "already"),
        (50.0, "price", "at most 3 times"),
        (float("nan"), "price", "no price"),
        (trade.first_stop - 0.5, "reason", "say why"),
    ):
        with pytest.raises(instructing.InstructionRefused, match=says) as caught:
            instructing.move_stop(trade.pk, to=to, by="anna", now=later(1))
        assert caught.value.field == field
    assert not Instruction.objects.exists()


def test_loosening_with_a_reason_is_done_and_kept_with_it_but_not_while_trading_is_restricted() -> None:
    ports, trade = opened()
    wider = trade.first_stop - 0.5
    control.tighten(TradingState.CLOSE_ONLY, reason="x", now=NOW)
    with pytest.raises(instructing.InstructionRefused, match="until trading runs again"):
        instructing.move_stop(trade.pk, to=wider, by="anna", now=later(1), reason="news at noon")

    control.loosen(TradingState.ACTIVE, reason="x", by="anna", now=NOW)
    instructing.move_stop(trade.pk, to=wider, by="anna", now=later(1), reason="news at noon")
    run_tick(ports, later(2))

    assert_protected(trade)
    assert (trade.stop, trade.first_stop) == (wider, wider + 0.5)
    assert "news at noon" in AuditEntry.objects.get(act="manual_stop").text


def test_a_halt_keeps_nobody_from_leaving_in_part_or_from_a_nearer_stop() -> None:
    ports, trade = opened()
    control.tighten(TradingState.HALTED, reason="x", now=NOW)

    instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))
    run_tick(ports, later(2))
    instructing.move_stop(trade.pk, to=99.5, by="anna", now=later(3))
    run_tick(ports, later(4))

    assert_protected(trade)
    assert (trade.stop, set(Instruction.objects.values_list("status", flat=True))) == (99.5, {DONE})


def test_a_stop_that_the_rules_would_take_back_is_refused() -> None:
    set_params(trailing=True, trail_start_r=0.5, trail_distance_r=0.5, break_even=False)
    ports = ports_over(series([(100.0, 101.5, 99.9, 101.5), *[(101.5, 101.6, 101.4, 101.5)] * 3]), enter_at(-1))
    run_rows(ports, -1, 0)
    trade = Trade.objects.get()
    assert trade.stop > trade.first_stop

    asked = instructing.move_stop(trade.pk, to=trade.first_stop, by="anna", now=later(1))
    run_tick(ports, later(2))

    asked.refresh_from_db()
    assert asked.status == REFUSED
    assert f"put the stop back to {trade.stop:g}" in asked.text


def test_the_same_key_asks_once_and_two_acts_wait_for_each_other() -> None:
    ports, trade = opened()
    first = instructing.close_part(trade.pk, fraction=0.5, by="anna", key="press", now=later(1))
    again = instructing.close_part(trade.pk, fraction=0.5, by="anna", key="press", now=later(1))
    assert first.pk == again.pk
    with pytest.raises(instructing.InstructionRefused, match="busy"):
        instructing.break_even(trade.pk, by="anna", now=later(1))
    run_tick(ports, later(2))

    # Pressed again after it was done: still the same press.
    assert instructing.close_part(trade.pk, fraction=0.5, by="anna", key="press", now=later(3)).status == DONE
    run_tick(ports, later(4))

    assert trade.orders.filter(role=OrderRole.EXIT).count() == 1
    with pytest.raises(instructing.InstructionRefused, match="another act"):
        instructing.close_part(trade.pk, fraction=0.4, by="anna", key="press", now=later(5))


def test_a_stop_that_fills_while_the_request_waits_wins() -> None:
    ports, trade = opened(rows=(QUIET, (100.0, 100.2, 90.0, 91.0), QUIET, QUIET))
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=close_of(1) - timedelta(seconds=1))

    run_rows(ports, 1)

    asked.refresh_from_db()
    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason, trade.remaining) == ("closed", "stop", Decimal(0))
    assert (asked.status, asked.text) == (REFUSED, "the position was closed before this could be done")
    assert not trade.orders.filter(role=OrderRole.EXIT).exists()
    assert_books_balance()


def test_the_whole_position_goes_first_where_both_were_asked() -> None:
    ports, trade = opened()
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))
    assert manual.request_close(trade.pk, by="anna", now=later(1))

    run_tick(ports, later(2))

    asked.refresh_from_db()
    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason, asked.status) == ("closed", "manual", REFUSED)
    assert_books_balance()


def test_nothing_is_done_minutes_after_it_was_asked() -> None:
    ports, trade = opened()
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))

    run_tick(ports, later(130))

    asked.refresh_from_db()
    assert (asked.status, "within 2 minutes" in asked.text) == (REFUSED, True)
    assert_protected(trade)


def test_a_part_that_the_venue_refuses_leaves_the_position_whole() -> None:
    ports, trade = opened()
    ports, _ = flaky(ports, ("before", OrderRejected("no such luck")))
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))

    run_tick(ports, later(2))

    asked.refresh_from_db()
    assert (asked.status, asked.text) == (REFUSED, "nothing was closed: no such luck")
    assert_protected(trade)
    assert (trade.remaining, trade.remaining_fraction) == (trade.quantity, 1.0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_about_a_part_is_settled_once(when: str) -> None:
    ports, trade = opened()
    ports, venue = flaky(ports, (when, OutcomeUnknown("lost")))
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))

    for seconds in (2, 8, 14, 20):
        run_tick(ports, later(seconds))

    asked.refresh_from_db()
    assert asked.status == (DONE if when == "after" else REFUSED)
    assert [sent.reduce_only for sent in venue.sent if sent.trigger is None] == [True]
    assert_protected(trade)
    assert trade.remaining_fraction == (pytest.approx(0.5, abs=1e-3) if when == "after" else 1.0)


def test_two_ticks_cannot_both_do_it() -> None:
    """Another process does it between our look and our write: ours is undone, and nothing is sent twice."""
    ports, trade = opened()
    asked = instructing.close_part(trade.pk, fraction=0.5, by="anna", now=later(1))

    class Late(Spot):
        def cancel(self, client_id: str, *, symbol: str, now: datetime) -> object:
            Instruction.objects.filter(pk=asked.pk).update(status=REFUSED)
            return self.inner.cancel(client_id, symbol=symbol, now=now)

    run_tick(on_spot(ports, Late), later(2))

    assert not Order.objects.filter(role=OrderRole.EXIT).exists()
    assert_protected(trade)
    assert trade.remaining_fraction == 1.0
