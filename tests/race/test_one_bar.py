"""Many threads and processes at one bar: one decision, one entry order; and what happens without the key."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.engine import assert_books_balance, close_of, enter_at, ports_over, run_tick, series, set_params
from trading.core import decision
from trading.models import Bot, Order, OrderRole, OrderStatus, PaperOrder, Signal, TickRun, Trade
from trading.services import entries, lease, ledger, scratch, tick

QUIET = (100.0, 100.5, 99.5, 100.0)
THREADS = 8
FILE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;",
}


def in_threads(path: Path, act: Callable[[int], object]) -> list[object]:
    """Run `act(number)` in THREADS threads at once, each with its own connection to the file; return what each gave."""
    barrier = threading.Barrier(THREADS, timeout=30)
    with scratch.attached(str(path), FILE_OPTIONS):
        connection.ensure_connection()  # one alone sets the journal's mode, for which nobody is waited for

    def work(number: int) -> object:
        with scratch.attached(str(path), FILE_OPTIONS):
            connection.ensure_connection()
            barrier.wait()
            return act(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    # The tests here bring their own files, which pytest-django knows nothing of.
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "race.sqlite3"


@pytest.mark.parametrize("same_slot", [True, False], ids=["same slot", "slots of their own"])
def test_eight_threads_make_one_decision_and_one_order(path: Path, same_slot: bool) -> None:
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    with scratch.database(str(path)):
        set_params(price_age=600)
    with scratch.attached(str(path), FILE_OPTIONS):
        results = in_threads(
            path,
            lambda number: run_tick(ports, close_of(-1) + timedelta(seconds=0 if same_slot else 5 * number)),
        )

        assert results.count(tick.Outcome.RAN) == (1 if same_slot else THREADS)
        assert Signal.objects.count() == Trade.objects.count() == 1
        assert Order.objects.filter(role=OrderRole.ENTRY).count() == 1
        # With every thread in a time of its own, one may take another's stop for lost and sell; none enters again.
        assert PaperOrder.objects.filter(kind="market", side="buy", status="filled").count() == 1
        assert_books_balance()


def test_eight_owners_share_one_lease(path: Path) -> None:
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    with scratch.database(str(path)):
        set_params()
    with scratch.attached(str(path), FILE_OPTIONS):
        results = in_threads(path, lambda number: run_tick(ports, close_of(-1), owner=f"worker {number}"))

        assert results.count(tick.Outcome.RAN) == 1
        assert results.count(tick.Outcome.LEASE_HELD) == THREADS - 1
        assert TickRun.objects.count() == 1


def judge_at_once(path: Path) -> None:
    in_threads(path, judging())


def judging() -> Callable[[int], None]:
    """Return what judges the same bar in every thread, past slot, lease and watermark, knowing of no other's writes."""
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    now = close_of(-1)
    candles = ports.market_data.candles("BTC/USDT", "15m", now=now, limit=400)
    found_at_the_same_time = threading.Barrier(THREADS, timeout=30)

    def act(number: int) -> None:
        ledger.open_account(initial_balance=lambda: ports.initial_balance, mode="paper", venue=ports.venue, now=now)
        held = lease.acquire(owner="everybody")
        assert held is not None
        Bot.objects.update(reconciled_epoch=held.epoch)
        context = tick._with_prices(tick._context(ports, held, now), [])
        found = decision.find_setup(
            candles, strategies=ports.strategies, params=context.params, market=context.markets["BTC/USDT"]
        )
        assert found is not None
        found_at_the_same_time.wait()
        entries.judge("BTC/USDT", close_of(-2), bot=Bot.objects.get(pk=1), context=context)

    return act


def test_the_unique_key_alone_keeps_a_bar_from_being_decided_twice(path: Path) -> None:
    with scratch.database(str(path)):
        set_params()
    with scratch.attached(str(path), FILE_OPTIONS):
        judge_at_once(path)

        assert Signal.objects.count() == 1
        assert Order.objects.filter(role=OrderRole.ENTRY).count() == 1


def test_without_the_unique_key_the_same_race_decides_a_bar_many_times(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch.database(str(path)):
        set_params()
        key = next(c for c in Signal._meta.constraints if c.name == "one_decision_per_bar")
        monkeypatch.setattr(Signal._meta, "constraints", [c for c in Signal._meta.constraints if c is not key])
        with connection.schema_editor() as editor:
            editor.remove_constraint(Signal, key)
    with scratch.attached(str(path), FILE_OPTIONS):
        judge_at_once(path)

        assert Signal.objects.count() == THREADS


def test_three_workers_and_two_beats_make_one_decision_per_bar(path: Path) -> None:
    """Three real processes run every slot of the same file twice each, with no lease between them."""
    with scratch.database(str(path)):
        set_params()

    workers = [subprocess.Popen([sys.executable, "-m", "tests.race.worker", str(path)]) for _ in range(3)]

    assert [worker.wait(timeout=90) for worker in workers] == [0] * 3
    with scratch.attached(str(path), FILE_OPTIONS):
        bars = list(Signal.objects.values_list("bar_at", flat=True))
        assert len(bars) == len(set(bars)) >= 2
        entries_of_bars = Order.objects.filter(role=OrderRole.ENTRY)
        assert entries_of_bars.count() == Trade.objects.count()
        # A take-over may leave an entry unsent, which then expires; what was sent arrived once.
        filled = entries_of_bars.filter(status=OrderStatus.FILLED).count()
        assert filled == PaperOrder.objects.filter(reduce_only=False, status="filled").count() > 0
        assert TickRun.objects.count() == TickRun.objects.values("slot").distinct().count()
        assert_books_balance()
