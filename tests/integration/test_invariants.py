"""Every promise is checked against an account that breaks it, and a sound account breaks none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from tests.engine import START, assert_books_balance, close_of, enter_at, ports_over, run_rows, series, set_params
from trading.models import (
    Bot,
    Event,
    Fill,
    InvariantRun,
    Lease,
    LedgerEntry,
    LedgerKind,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    Signal,
    StateChange,
    Trade,
    TradeStatus,
)
from trading.services import invariants

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
CRASH = (100.0, 100.2, 90.0, 91.0)
NOW = close_of(2) + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _healthy() -> None:
    """Make an account with one closed trade and one open one."""
    set_params()
    run_rows(ports_over(series([CRASH, QUIET, QUIET, QUIET]), enter_at(-1, 1)), -1, 0, 1, 2)
    assert list(Trade.objects.order_by("pk").values_list("status", flat=True)) == ["closed", "open"]


def found() -> set[str]:
    return {violation.id for violation in invariants.check(now=NOW, since=START)}


def old_entry() -> Order:
    return Order.objects.get(role=OrderRole.ENTRY, trade__status=TradeStatus.CLOSED)


def resting_stop() -> Order:
    return Order.objects.get(role=OrderRole.STOP, status=OrderStatus.OPEN)


def step(order: Order, origin: str, to: str, *, skipped: int = 0) -> None:
    seq = order.events.count() + 1 + skipped
    OrderEvent.objects.create(order=order, seq=seq, from_status=origin, to_status=to, at=NOW, epoch=1)


def without_keys(table: str) -> None:
    """Replace a table by a copy of its rows that has no key and no constraint; the test's end brings it back."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bare AS SELECT * FROM {table}")
        cursor.execute(f"DROP TABLE {table}")
        cursor.execute(f"ALTER TABLE bare RENAME TO {table}")


def second_entry() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_live_entry")
    entry = old_entry()
    with_another = Order.objects.get(role=OrderRole.STOP, trade=entry.trade)
    Order.objects.filter(pk=with_another.pk).update(role=OrderRole.ENTRY)


def gap_in_events() -> None:
    step(old_entry(), "unknown", "filled", skipped=3)


def no_permit() -> None:
    Order.objects.filter(pk=old_entry().pk).update(epoch=None)


def slot_twice() -> None:
    without_keys("trading_tickrun")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO trading_tickrun SELECT * FROM trading_tickrun")


def illegal_step() -> None:
    step(old_entry(), "canceled", "filled")


def nameless_at_venue() -> None:
    Order.objects.filter(pk=resting_stop().pk).update(venue_order_id="")


def more_filled_than_fills() -> None:
    Order.objects.filter(pk=old_entry().pk).update(filled=Decimal("0.5"))


def more_held_than_bought() -> None:
    trade = Trade.objects.get(status=TradeStatus.OPEN)
    Trade.objects.filter(pk=trade.pk).update(remaining=trade.remaining + 1)


def fill_of_nothing() -> None:
    Fill.objects.create(order=old_entry(), venue_fill_id="planted", quantity=0, price=100, fee=0, at=NOW)


def money_from_nowhere() -> None:
    LedgerEntry.objects.create(kind=LedgerKind.TRANSFER, amount=Decimal(1), at=NOW)


def closed_with_a_rest() -> None:
    Trade.objects.filter(status=TradeStatus.CLOSED).update(remaining=Decimal(1))


def forgotten_doubt() -> None:
    entry = old_entry()
    step(entry, "submitting", "unknown")
    Order.objects.filter(pk=entry.pk).update(status=OrderStatus.UNKNOWN)


def bare_position() -> None:
    stop = resting_stop()
    step(stop, "open", "canceled")
    Order.objects.filter(pk=stop.pk).update(status=OrderStatus.CANCELED)
    Trade.objects.filter(pk=stop.trade_id).update(unprotected_at=NOW - timedelta(seconds=11))


def stop_that_buys() -> None:
    Order.objects.filter(pk=resting_stop().pk).update(side="buy")


def live_trade_on_paper() -> None:
    Trade.objects.filter(status=TradeStatus.CLOSED).update(mode="live")


def older_lease() -> None:
    Lease.objects.update(epoch=0)


def software_loosened() -> None:
    StateChange.objects.create(at=NOW, from_state="halted", to_state="active", reason="all is well")


def signal_that_waits() -> None:
    Signal.objects.filter(trade__status=TradeStatus.CLOSED).update(status="awaiting", advice_due_at=START)


PLANTED: dict[str, Callable[[], None]] = {
    "I-01": second_entry,
    "I-02": gap_in_events,
    "I-03": no_permit,
    "I-06": slot_twice,
    "I-08": illegal_step,
    "I-09": nameless_at_venue,
    "I-12": more_filled_than_fills,
    "I-12b": more_held_than_bought,
    "I-13": fill_of_nothing,
    "I-14": money_from_nowhere,
    "I-15": closed_with_a_rest,
    "I-16": forgotten_doubt,
    "I-20": bare_position,
    "I-21": stop_that_buys,
    "I-29": live_trade_on_paper,
    "I-41": older_lease,
    "I-43": software_loosened,
    "I-49": signal_that_waits,
}


def test_a_sound_account_breaks_nothing() -> None:
    assert_books_balance()
    assert invariants.check(now=NOW, since=START) == []


def test_every_invariant_is_broken_once_here() -> None:
    assert set(PLANTED) == {rule.id for rule in invariants.INVARIANTS}


@pytest.mark.parametrize("id", PLANTED)
def test_what_breaks_one_promise_is_reported_as_that_one_alone(id: str) -> None:
    PLANTED[id]()

    assert found() == {id}


def test_a_stop_beyond_its_position_would_turn_it_around() -> None:
    stop = resting_stop()
    Order.objects.filter(pk=stop.pk).update(quantity=stop.quantity + 1)

    assert found() == {"I-15"}


def test_a_doubt_that_was_asked_about_within_a_minute_is_no_breach() -> None:
    forgotten_doubt()
    Order.objects.filter(status=OrderStatus.UNKNOWN).update(asked_at=NOW - timedelta(seconds=59))

    assert found() == set()


def test_a_position_may_be_bare_for_ten_seconds() -> None:
    bare_position()
    Trade.objects.filter(status=TradeStatus.OPEN).update(unprotected_at=NOW - timedelta(seconds=10))

    assert found() == set()


def test_a_broken_promise_about_money_leaves_exits_only() -> None:
    money_from_nowhere()

    violations = invariants.watch(now=NOW, since=START)

    assert [violation.id for violation in violations] == ["I-14"]
    bot, run, event = Bot.objects.get(), InvariantRun.objects.get(), Event.objects.get(kind="invariant_broken")
    assert bot.trading_state == "close_only"
    assert bot.state_reason.startswith("I-14 is broken (the balance is the sum of the ledger)")
    assert (run.at, run.checked, [row["id"] for row in run.violations]) == (NOW, 18, ["I-14"])
    assert event.payload["id"] == "I-14"


def test_a_look_that_finds_nothing_is_kept_and_restricts_nothing() -> None:
    assert invariants.watch(now=NOW, since=START) == []

    assert InvariantRun.objects.get().violations == []
    assert Bot.objects.get().trading_state == "active"
    assert not Event.objects.filter(kind="invariant_broken").exists()


def test_the_command_ends_with_one_where_something_is_broken() -> None:
    money_from_nowhere()
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("check_invariants", "--json", "--since", "0", stdout=out)

    assert ended.value.code == 1
    assert [row["id"] for row in json.loads(out.getvalue())["violations"]] == ["I-14"]


def test_the_command_ends_well_where_all_holds() -> None:
    out = StringIO()

    call_command("check_invariants", "--json", "--since", "0", stdout=out)

    assert json.loads(out.getvalue())["violations"] == []
