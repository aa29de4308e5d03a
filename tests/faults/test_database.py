"""The database fails in the middle of the order path: nothing is sent without a permit, nothing is lost or doubled.

Each test is named with its id in the fault catalogue.
"""

from __future__ import annotations

import math
import os
import random
import resource
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, Error, OperationalError, connection, transaction
from pytest_django import DjangoDbBlocker

from julaba_site import startup
from tests.engine import BALANCE, START, set_params
from tests.faults import forks
from tests.properties.world import MAY_LAG, PARAMS, World
from tests.race.test_one_bar import FILE_OPTIONS
from trading import events
from trading.models import Bot, Order, OrderRole, OrderStatus, Trade, TradingState
from trading.services import crash_points, execution, invariants, ledger, scratch

WRITERS, ROUNDS = 8, 15
IMPATIENT = {**FILE_OPTIONS, "timeout": 0.2}
"""Waits a fifth of a second for a lock, so that a test need not hold it for as long as in operation."""
STEPS = ("entry.recorded", "entry.permitted", "entry.answered", "stop.recorded", "stop.permitted", "stop.answered")


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), events.silence():
        yield


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    made = tmp_path_factory.mktemp("broken") / "blank.sqlite3"
    with django_db_blocker.unblock(), scratch.database(str(made)):
        set_params(**PARAMS)
    return made


@pytest.fixture
def path(blank: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(blank, tmp_path / "account.sqlite3"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the whole file, as another process would that hangs in a transaction."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def at_a_setup() -> World:
    world = World()
    world.tick()
    world.close_bar()
    world.want("BTC/USDT")
    return world


def test_db_01_a_locked_file_fails_the_tick_in_one_sentence_and_the_next_one_works(path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        with locked(path), pytest.raises(OperationalError, match=r"^database is locked$"):
            world.tick()
        sent_under_lock = len(world.venue.placed)

        world.settle_down()

        assert sent_under_lock == 0
        assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1


@pytest.mark.parametrize("step", STEPS)
def test_db_01_a_lock_that_comes_in_the_middle_loses_and_doubles_nothing(
    step: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        holder = sqlite3.connect(path, isolation_level=None)

        def lock(name: str) -> None:
            if name == step:
                holder.execute("BEGIN EXCLUSIVE")

        monkeypatch.setattr(crash_points, "reach", lock)
        with pytest.raises(OperationalError, match="locked"):
            world.tick()
        monkeypatch.undo()
        holder.close()
        world.assert_sound()

        world.settle_down()

        # A permit that was not used in its second is used by nobody.
        entered = Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count()
        assert entered == 1


def test_db_08_a_full_disk_stops_sending_and_loses_nothing(path: Path) -> None:
    """The file may grow by a few pages more each time, so that another write of the path fails."""

    def trade_on_a_full_disk() -> None:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        failed = 0
        with scratch.attached(str(path), {**IMPATIENT, "init_command": "PRAGMA journal_mode=WAL;"}):
            world = at_a_setup()
            for pages in range(0, 40, 4):
                # Whatever is written goes to the log first, which may be smaller than the file beside it.
                log = path.with_name(f"{path.name}-wal")
                size = log.stat().st_size if log.exists() else 0
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + pages * 4096, resource.RLIM_INFINITY))
                try:
                    world.tick()
                except OperationalError:
                    failed += 1
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                    connection.close()
                world.assert_sound()
                world.wait(2)
            world.settle_down()
            assert failed > 0
            assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1

    assert forks.exit_code(forks.start(trade_on_a_full_disk)) == 0


def test_db_02_eight_writers_that_read_first_never_fail_for_a_lock(path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        at_a_setup()
    together = threading.Barrier(WRITERS, timeout=30)

    def write(_: int) -> None:
        with scratch.attached(str(path), settings.SQLITE_OPTIONS):
            connection.ensure_connection()
            together.wait()
            for _ in range(ROUNDS):
                with transaction.atomic():
                    read_then_write()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    with scratch.attached(str(path), IMPATIENT):
        assert Bot.objects.get().balance == BALANCE + WRITERS * ROUNDS


def test_db_02_transactions_that_only_ask_for_the_lock_when_they_write_do_fail(path: Path) -> None:
    deferred = {**IMPATIENT, "transaction_mode": "DEFERRED"}
    with scratch.attached(str(path), deferred):
        at_a_setup()
        with transaction.atomic():
            assert Bot.objects.get().balance == BALANCE
            with scratch.attached(str(path), deferred), transaction.atomic():
                read_then_write()
            with pytest.raises(OperationalError, match="locked"):
                read_then_write()
            transaction.set_rollback(True)


def read_then_write() -> None:
    ledger.add_to_balance(Decimal(1))


def test_db_09_on_a_read_only_disk_nothing_is_sent_and_all_can_be_read(path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        keeps_open = sqlite3.connect(path)
        keeps_open.execute("SELECT count(*) FROM trading_bot").fetchone()
    with scratch.attached(f"file:{path}?mode=ro", IMPATIENT):
        with pytest.raises(OperationalError, match="readonly database"):
            world.tick()
        assert Bot.objects.get().balance == BALANCE
    keeps_open.close()
    sent = len(world.venue.placed)

    with scratch.attached(str(path), IMPATIENT):
        world.wait(2)
        world.settle_down()

        assert sent == 0
        assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1


def test_db_10_a_damaged_file_is_refused_at_the_start_and_sends_nothing(path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        startup.check_database()
        page = int(first_value("SELECT rootpage FROM sqlite_master WHERE name = 'trading_order'"))
        size = int(first_value("PRAGMA page_size"))
        first_value("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff")

    with scratch.attached(str(path), IMPATIENT):
        with pytest.raises(startup.StartupError, match=r"is damaged .*restore a copy"):
            startup.check_database()
        with pytest.raises(DatabaseError, match="malformed"):
            world.tick()

    assert world.venue.placed == []


def test_db_10_a_file_that_lost_its_last_minutes_halts_before_it_enters_again(path: Path) -> None:
    older = path.with_suffix(".older")
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        first_value("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(path, older)
        world.tick()
        assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1
    sent = len(world.venue.placed)

    with scratch.attached(str(older), IMPATIENT):
        world.replace_process()
        for _ in range(3):
            world.wait(2)
            world.tick()

        assert Bot.objects.get().trading_state == TradingState.HALTED
        assert "was a backup restored?" in Bot.objects.get().state_reason
        assert len(world.venue.placed) == sent
        assert not Order.objects.exclude(status=OrderStatus.DENIED).exists()


def test_db_11_whenever_the_power_fails_every_permit_that_was_used_is_there(path: Path) -> None:
    """The writer is stopped at random moments and what lies in its files then is opened as a start would."""
    said = path.with_suffix(".said")

    def trade_and_say() -> None:
        def say(name: str) -> None:
            if name.endswith(".permitted") and name != "cancel.permitted":
                with said.open("a") as file:
                    file.write(f"{Order.objects.filter(permit_at__isnull=False).latest('permit_at', 'pk').pk}\n")

        crash_points.reach = say
        with scratch.attached(str(path), settings.SQLITE_OPTIONS):
            world = World()
            world.tick()
            for _ in range(4):
                world.close_bar()
                world.want("BTC/USDT", "ETH/USDT")
                world.tick()
                for symbol in world.seen:
                    world.move(symbol, 90.0)
                    world.move(symbol, 100.0)
                world.wait(2)
                world.tick()
                world.seen = {symbol: [100.0] for symbol in world.seen}

    writer, copies, chance = forks.start(trade_and_say), 0, random.Random(1)
    while True:
        time.sleep(chance.uniform(0.0, 0.02))
        if os.waitpid(writer, os.WNOHANG)[0]:
            break
        os.kill(writer, signal.SIGSTOP)
        used = said.read_text().split() if said.exists() else []
        copy = path.with_name(f"copy-{copies}.sqlite3")
        for suffix in ("", "-wal"):
            if path.with_name(path.name + suffix).exists():
                shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
        os.kill(writer, signal.SIGCONT)
        copies += 1
        with scratch.attached(str(copy), IMPATIENT):
            assert first_value("PRAGMA integrity_check") == "ok"
            assert {int(pk) for pk in used} <= set(Order.objects.exclude(permit_at=None).values_list("pk", flat=True))
            assert [v for v in invariants.check(now=START, since=START) if v.id not in MAY_LAG] == []
    assert copies >= 5
    assert len(said.read_text().split()) >= 12
    assert "synchronous=FULL" in settings.SQLITE_OPTIONS["init_command"]


def test_db_12_a_reader_that_stays_for_long_stops_nobody_and_leaves_no_log_behind(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    with scratch.attached(str(path), {**IMPATIENT, "init_command": "PRAGMA journal_mode=WAL;"}):
        world = at_a_setup()
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM trading_order").fetchone()

        world.settle_down()
        under_reader = log.stat().st_size
        still_sees = reader.execute("SELECT count(*) FROM trading_order").fetchone()
        reader.close()
        busy = first_value("PRAGMA wal_checkpoint(TRUNCATE)")

        assert still_sees == (0,)
        assert under_reader > 0
        assert (busy, log.stat().st_size) == (0, 0)
        assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1


@pytest.mark.parametrize("quantity", [math.nan, math.inf, Decimal("NaN"), Decimal("Infinity"), Decimal(0), Decimal(-1)])
def test_db_13_what_is_no_quantity_is_refused_before_it_is_kept(quantity: object, path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        world = at_a_setup()
        world.tick()
        trade = Trade.objects.get()

        with pytest.raises((Error, ValidationError, ArithmeticError)), transaction.atomic():
            execution.record(
                trade, role=OrderRole.EXIT, reason="test", quantity=cast("Decimal", quantity), now=world.now
            )

        assert not trade.orders.filter(role=OrderRole.EXIT).exists()
        world.settle_down()


def test_db_13_a_time_without_a_zone_is_refused(path: Path) -> None:
    with scratch.attached(str(path), IMPATIENT):
        at_a_setup()

        with pytest.raises(RuntimeWarning, match="naive datetime"):
            Bot.objects.update(last_tick_at=START.replace(tzinfo=None))


def first_value(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
