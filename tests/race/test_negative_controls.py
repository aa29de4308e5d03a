"""Each guard is taken away once: what it prevents then happens, and is found. A proof that never fails proves nothing."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model, UniqueConstraint
from pytest_django import DjangoDbBlocker

from tests.engine import (
    START,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    ports_over,
    run_rows,
    series,
    set_params,
)
from tests.properties.world import World
from tests.race.test_one_bar import FILE_OPTIONS, QUIET, THREADS, in_threads
from trading import events
from trading.core.ports import OrderReport
from trading.models import Bot, Fill, Order, OrderRole, OrderStatus, PaperOrder, Signal, TickRun, Trade
from trading.services import (
    accounts,
    crash_points,
    entries,
    execution,
    invariants,
    lease,
    ledger,
    permits,
    scratch,
    settling,
    tick,
)

Guard = Callable[[pytest.MonkeyPatch], None]


def drop_constraint(model: type[Model], name: str) -> Guard:
    def drop(patch: pytest.MonkeyPatch) -> None:
        key = next(c for c in model._meta.constraints if c.name == name)
        assert isinstance(key, UniqueConstraint)
        patch.setattr(model._meta, "constraints", [c for c in model._meta.constraints if c is not key])
        with connection.schema_editor() as editor:
            editor.remove_constraint(model, key)

    return drop


def drop_unique(model: type[Model], name: str) -> Guard:
    """Drop the unique key of one column."""

    def drop(patch: pytest.MonkeyPatch) -> None:
        field: Any = model._meta.get_field(name)
        plain = copy(field)
        plain._unique = False
        plain.__dict__.pop("unique", None)  # it remembers what it was
        with connection.schema_editor() as editor:
            editor.alter_field(model, field, plain)
        patch.setattr(field, "_unique", False)
        patch.setitem(field.__dict__, "unique", False)

    return drop


def see_no_open_trades(patch: pytest.MonkeyPatch) -> None:
    snapshot = accounts.snapshot

    def blind(*args: Any, **named: Any) -> Any:
        account = snapshot(*args, **named)
        return replace(account, open_symbols=frozenset(), open_risk=Decimal(0), open_notional=Decimal(0))

    patch.setattr(accounts, "snapshot", blind)


GUARDS: dict[str, Guard] = {
    "the bar's key": drop_constraint(Signal, "one_decision_per_bar"),
    "the symbol's key": drop_constraint(Trade, "one_open_trade_per_symbol"),
    "the order's id": drop_unique(Order, "client_id"),
    "the look at open trades": see_no_open_trades,
}
"""What keeps one bar from being entered twice, when lease, slot and watermark have let two processes through."""


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    # The tests here bring their own files, which pytest-django knows nothing of.
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return an empty database with parameters in force."""
    made = tmp_path_factory.mktemp("controls") / "blank.sqlite3"
    with django_db_blocker.unblock(), scratch.database(str(made)):
        set_params(price_age=600)
    return made


@pytest.fixture
def path(blank: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(blank, tmp_path / "race.sqlite3"))


@pytest.fixture
def keys(path: Path) -> Iterator[None]:
    """Work in a database whose keys a test may drop."""
    with scratch.attached(str(path)), events.silence():
        yield


@pytest.fixture
def world(keys: None) -> World:
    made = World()
    assert made.tick() == "ran"
    return made


def enter(world: World, *fates: str) -> None:
    """Tick at the close of a bar with a setup, whose requests fare as told."""
    world.close_bar()
    world.want("BTC/USDT")
    world.venue.script = list(fates)
    world.tick()


def entries_of_a_race(path: Path, patch: pytest.MonkeyPatch, *, without: Sequence[str]) -> int:
    """Let every thread judge one bar at once, and return how many entry orders that made."""
    with scratch.attached(str(path)):
        for name in without:
            GUARDS[name](patch)
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    now = close_of(-1)
    all_there = threading.Barrier(THREADS, timeout=30)

    def act(number: int) -> None:
        ledger.open_account(initial_balance=lambda: ports.initial_balance, mode="paper", venue=ports.venue, now=now)
        held = lease.acquire(owner="everybody")
        assert held is not None
        Bot.objects.update(reconciled_epoch=held.epoch)
        context = tick._with_prices(tick._context(ports, held, now), [])
        bot = Bot.objects.get(pk=1)
        all_there.wait()
        entries.judge("BTC/USDT", close_of(-2), bot=bot, context=context)

    patch.setattr(execution, "drive", lambda order, context: None)
    patch.setattr("trading.services.protection.ensure", lambda trade, context: False)
    with scratch.attached(str(path), FILE_OPTIONS):
        in_threads(path, act)
        return Order.objects.filter(role=OrderRole.ENTRY).count()


def test_without_any_guard_one_bar_is_entered_by_everybody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries_of_a_race(path, monkeypatch, without=list(GUARDS)) == THREADS


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_alone_keeps_a_bar_from_being_entered_twice(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entries_of_a_race(path, monkeypatch, without=[other for other in GUARDS if other != name]) == 1


def test_without_its_keys_an_id_is_given_to_two_orders(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1)
    twin = Order.objects.get(role=OrderRole.ENTRY)

    def insert() -> None:
        """Write what a process writes that counted the trade's orders before another one had written its own."""
        twin.pk, twin.role = None, OrderRole.EXIT
        with transaction.atomic():
            twin.save(force_insert=True)

    for drop in (drop_unique(Order, "client_id"), drop_constraint(Order, "one_number_per_trade")):
        with pytest.raises(IntegrityError):
            insert()
        drop(monkeypatch)
    insert()

    assert Order.objects.filter(client_id=twin.client_id).count() == 2


def test_without_the_slots_key_one_slot_runs_twice(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1)
    drop_constraint(TickRun, "one_run_per_slot")(monkeypatch)
    row = TickRun.objects.get()

    lease.claim_slot(job=row.job, slot=row.slot, owner="two", now=row.started_at)

    assert _broken(close_of(-1)) == {"I-06"}


def replaced_while_sending(world: World) -> tick.Outcome | None:
    """Let an heir ask in vain about an entry that is under way, and return how the old process's tick ends."""

    def heir() -> None:
        world.replace_process()
        world.wait(2)
        world.venue.deaf = 100
        world.tick()
        world.venue.deaf = 0

    world.close_bar()
    world.want("BTC/USDT")
    world.venue.script, world.venue.meanwhile = ["slow"], heir
    return world.tick()


def test_a_replaced_process_writes_nothing_about_its_order(world: World) -> None:
    assert replaced_while_sending(world) is tick.Outcome.LEASE_LOST

    assert Order.objects.get().status == OrderStatus.UNKNOWN
    world.settle_down()


def test_without_the_lease_it_does_and_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "check", lambda held: None)

    assert replaced_while_sending(world) is tick.Outcome.RAN

    assert "I-41" in _broken(world.now)


def test_without_the_fills_key_a_fill_is_booked_twice(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    run_rows(ports, -1)
    order, now = Order.objects.get(role=OrderRole.ENTRY), close_of(-1)
    report = ports.broker.find(order.client_id, symbol="BTC/USDT", now=now)
    assert report is not None

    def look_before_the_other_has_written(**named: Any) -> tuple[Fill, bool]:
        return Fill.objects.create(venue_fill_id=named["venue_fill_id"], **named["defaults"]), True

    monkeypatch.setattr(Fill.objects, "get_or_create", look_before_the_other_has_written)
    with pytest.raises(IntegrityError):
        execution.settle(order, report, context_at(ports, now))
    assert_books_balance()
    drop_unique(Fill, "venue_fill_id")(monkeypatch)
    execution.settle(order, report, context_at(ports, now))

    assert "I-12" in _broken(now)
    with pytest.raises(AssertionError):
        assert_books_balance()


def test_an_order_sent_without_a_permit_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def permit(order: Order, context: Any) -> bool:
        with transaction.atomic():
            return execution.transition(order, OrderStatus.SUBMITTING, context)

    monkeypatch.setattr(execution, "_permit", permit)
    enter(world)

    assert "I-03" in _broken(world.now)
    with pytest.raises(AssertionError):
        world.assert_sound()


def test_an_order_in_doubt_that_is_sent_again_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def resend(order: Order, context: Any) -> OrderReport:
        return context.ports.broker.submit(execution._request(order, context.moment()))  # type: ignore[no-any-return]

    monkeypatch.setattr(settling, "_find", resend)
    enter(world, "lost_reply")
    world.wait(2)
    world.tick()

    with pytest.raises(AssertionError, match="accepted more than once"):
        world.assert_sound()


def test_an_order_given_up_without_a_proof_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_absence", lambda order, context: OrderStatus.ABSENT)
    enter(world, "late 3")
    for _ in range(3):
        world.wait(2)
        world.tick()

    assert _raises(world.settle_down)


def test_a_halt_that_the_permit_does_not_read_lets_an_entry_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    for refusal in (permits.refusal, lambda order, context: None):
        monkeypatch.setattr(permits, "refusal", refusal)
        monkeypatch.setattr(crash_points, "reach", _halt_at_recorded)
        enter(world)
        sent.append(len(world.venue.placed))
        Bot.objects.update(trading_state="active", state_reason="")

    assert sent[0] == 0
    assert sent[1] > 0


def _halt_at_recorded(name: str) -> None:
    if name == "entry.recorded":
        Bot.objects.update(trading_state="halted", state_reason="now")


def test_nothing_is_broken_where_nothing_was_taken_away(world: World) -> None:
    enter(world, "lost_reply")

    world.settle_down()

    assert _broken(world.now) == set()
    assert not PaperOrder.objects.exists()


def _broken(now: datetime) -> set[str]:
    return {violation.id for violation in invariants.check(now=now, since=START)}


def _raises(act: Callable[[], object]) -> bool:
    with pytest.raises(AssertionError):
        act()
    return True
