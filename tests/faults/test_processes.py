"""A trading process is paused, runs out of something or fails as nobody thought of; the next tick mends what it left.

Each test is named with its id in the fault catalogue. Deaths by SIGKILL are in `test_crash_points`.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import Error
from pytest_django import DjangoDbBlocker

from tests.engine import START, assert_books_balance, close_of, enter_at, ports_over, run_tick, series, set_params
from tests.faults import forks
from tests.properties.world import PARAMS, World
from tests.race.test_one_bar import FILE_OPTIONS, QUIET
from trading import events
from trading.models import IN_DOUBT, RESTING, Lease, Order, OrderRole, OrderStatus, PaperOrder, Trade, TradeStatus
from trading.services import crash_points, invariants, lease, scratch

PAUSES = ("entry.recorded", "entry.permitted", "entry.answered", "entry.settled", "stop.permitted", "stop.answered")
FAILURES = (MemoryError("no memory"), RecursionError("too deep"), OSError(24, "Too many open files"), KeyError("x"))


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), events.silence():
        yield


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    made = tmp_path_factory.mktemp("processes") / "blank.sqlite3"
    with django_db_blocker.unblock(), scratch.database(str(made)):
        set_params(**{**PARAMS, "price_age": 600})
    return made


@pytest.fixture
def path(blank: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(blank, tmp_path / "account.sqlite3"))


def trade_and_stop_at(path: Path, point: str) -> None:
    """Enter, and be stopped by SIGSTOP at the point; the tick has to end well all the same."""

    def reach(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGSTOP)

    crash_points.reach = reach
    with scratch.attached(str(path), FILE_OPTIONS):
        outcome = run_tick(ports_over(series([QUIET, QUIET]), enter_at(-1)), close_of(-1), owner="paused")
    # With nothing left to write, it does not even notice.
    assert outcome == ("ran" if point == "entry.settled" else "lease lost on the way"), outcome


@pytest.mark.parametrize("point", PAUSES)
def test_pr_04_a_process_that_was_paused_and_replaced_does_no_harm(point: str, path: Path) -> None:
    paused = forks.start(lambda: trade_and_stop_at(path, point))
    forks.wait_until_stopped(paused)
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    with scratch.attached(str(path), FILE_OPTIONS):
        lease.release("paused")  # its time is over
        outcomes = [run_tick(ports, close_of(-1) + timedelta(seconds=s), owner="heir") for s in (5, 10)]

    os.kill(paused, signal.SIGCONT)

    assert forks.exit_code(paused) == 0
    assert outcomes == ["ran", "ran"]
    with scratch.attached(str(path), FILE_OPTIONS):
        run_tick(ports, close_of(-1) + timedelta(seconds=15), owner="heir")
        assert (Lease.objects.get().owner, Lease.objects.get().epoch) == ("heir", 2)
        bought = PaperOrder.objects.filter(side="buy", status="filled").count()
        assert bought == Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count()
        assert bought == (0 if point == "entry.permitted" else 1)
        assert not Order.objects.filter(status__in=IN_DOUBT).exists()
        assert Order.objects.filter(role=OrderRole.STOP, status__in=RESTING).count() == bought
        assert invariants.check(now=close_of(-1) + timedelta(seconds=15), since=START) == []
        assert_books_balance()


@pytest.mark.parametrize(("number", "point"), list(enumerate(crash_points.NAMES)), ids=crash_points.NAMES)
def test_pr_09_a_failure_of_any_kind_ends_one_tick_and_no_other(
    number: int, point: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = FAILURES[number % len(FAILURES)]

    def fail(name: str) -> None:
        if name == point:
            raise failure

    with scratch.attached(str(path), FILE_OPTIONS):
        world = at_a_setup()
        monkeypatch.setattr(crash_points, "reach", fail)
        with pytest.raises(type(failure)):
            enter_and_reach_a_target(world)
        monkeypatch.undo()
        world.assert_sound()

        world.settle_down()
        world.move("BTC/USDT", 90.0)
        world.settle_down()

        # A permit that was not used is not used by anybody else: that entry alone never happens.
        expected = TradeStatus.CANCELED if point == "entry.permitted" else TradeStatus.CLOSED
        assert Trade.objects.get().status == expected


def enter_and_reach_a_target(world: World) -> None:
    world.tick()
    world.move("BTC/USDT", 103.0)  # the stop is canceled for it
    world.wait(2)
    world.tick()


def at_a_setup() -> World:
    world = World()
    world.tick()
    world.close_bar()
    world.want("BTC/USDT")
    return world


def trade_without(limit: int, path: Path, bound: int) -> None:
    """Tick while the limit is in force, which fails or does not, and then without it."""
    with scratch.attached(str(path), FILE_OPTIONS):
        world = at_a_setup()
    usual = resource.getrlimit(limit)
    resource.setrlimit(limit, (bound, usual[1]))
    try:
        with scratch.attached(str(path), FILE_OPTIONS):
            world.tick()
    except (Error, OSError, MemoryError):
        failed = True
    else:
        failed = False
    finally:
        resource.setrlimit(limit, usual)
    with scratch.attached(str(path), FILE_OPTIONS):
        world.assert_sound()
        world.settle_down()
        assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1
    assert failed


def test_pr_11_without_file_descriptors_the_tick_fails_and_the_next_one_works(path: Path) -> None:
    assert forks.exit_code(forks.start(lambda: trade_without(resource.RLIMIT_NOFILE, path, 3))) == 0


def test_pr_06_without_memory_the_tick_fails_and_the_next_one_works(path: Path) -> None:
    def hungry() -> None:
        """Ask for more than there is in the middle of the tick, as a library would."""
        reach = crash_points.reach

        def allocate(name: str) -> None:
            reach(name)
            if name == "entry.answered" and resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
                bytearray(1 << 30)

        crash_points.reach = allocate
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        trade_without(resource.RLIMIT_AS, path, used + (256 << 20))

    assert forks.exit_code(forks.start(hungry)) == 0


def test_ck_02_a_clock_that_jumps_back_or_forward_decides_no_bar_twice(path: Path) -> None:
    with scratch.attached(str(path), FILE_OPTIONS):
        world = World()
        world.tick()
        world.close_bar()
        world.want("BTC/USDT", "ETH/USDT")
        right = world.now
        world.tick()
        entered = len(world.venue.placed)
        for jump in (-timedelta(hours=1), timedelta(0), timedelta(days=1), timedelta(seconds=4)):
            world.now = right + jump
            world.tick()
            world.assert_sound()
        world.now = right + timedelta(seconds=6)

        world.settle_down()

        assert Order.objects.filter(role=OrderRole.ENTRY).count() == 2
        assert entered <= len(world.venue.placed) <= entered + 2
