"""PostgreSQL ends connections, dies, is cut off in a commit, races and deadlocks: nothing is lost or doubled.

Each test is named with its id in the fault catalogue.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection

from tests import postgres
from tests.engine import START, assert_books_balance, set_params
from tests.faults.test_database import at_a_setup
from tests.race.test_one_bar import THREADS, judging
from trading.models import Order, OrderRole, OrderStatus, Signal, Trade
from trading.services import invariants, ledger

pytestmark = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="needs a PostgreSQL in DATABASE_URL"
)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        pytest.param("stop", 3, id="db_03 the server dies and comes back"),
        pytest.param("terminate", 7, id="db_04 the server ends the connection"),
        pytest.param("cut", 5, id="db_05 the network is cut while a commit is under way"),
    ],
)
def test_db_03_04_05_transactions_that_are_broken_lose_and_double_nothing(kind: str, least: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.terminated", kind], capture_output=True, text=True, timeout=90
    )

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert int(ended.stdout.split()[-1]) >= least


@pytest.mark.usefixtures("roles_put_back")
@pytest.mark.django_db(transaction=True)
def test_db_06_eight_workers_on_the_same_signal_are_decided_by_the_key() -> None:
    set_params()
    judge = judging()

    def work(number: int) -> None:
        try:
            judge(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))

    assert Signal.objects.count() == Trade.objects.count() == 1
    assert Order.objects.filter(role=OrderRole.ENTRY).count() == 1
    assert invariants.check(now=START, since=START) == []
    assert_books_balance()


@pytest.mark.usefixtures("roles_put_back")
@pytest.mark.django_db(transaction=True)
def test_db_07_a_deadlock_ends_the_tick_and_the_next_one_books_what_was_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    world = at_a_setup()
    add, other = ledger.add_to_balance, psycopg.connect(connection.connection.info.dsn)
    locking: list[threading.Thread] = []

    def add_against_the_order(amount: Decimal) -> None:
        """Let somebody who has the account ask for the trade, which this transaction has, as it asks for the account."""
        if not locking:
            other.execute("SET deadlock_timeout = '30s'")  # so that it is the tick that is ended
            other.execute("SELECT 1 FROM trading_bot FOR UPDATE")
            locking.append(threading.Thread(target=other.execute, args=["SELECT 1 FROM trading_trade FOR UPDATE"]))
            locking[0].start()
        add(amount)

    monkeypatch.setattr(ledger, "add_to_balance", add_against_the_order)
    with pytest.raises(OperationalError, match="deadlock detected"):
        world.tick()
    locking[0].join(timeout=10)
    other.close()
    sent = len(world.venue.placed)
    world.wait(2)

    world.settle_down()

    assert sent == 1
    assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() == 1


CONNECTIONS, PAGES = 14, 40


@pytest.fixture(scope="module")
def small_server() -> Iterator[str]:
    with postgres.own_server(max_connections=CONNECTIONS, superuser_reserved_connections=0) as address:
        yield address


def flood(address: str, folder: Path, *, seconds: str, **environment: str) -> tuple[int, int, int]:
    """Ask for PAGES pages at once; return how many were answered, their connections, and how often trading had none."""
    given = {"DATABASE_URL": address, "JULABA_DATA_DIR": str(folder), "SECRET_KEY": "s" * 60, "PGAPPNAME": "pages"}
    command = [sys.executable, "-m", "tests.faults.flooding", str(PAGES), seconds]
    refused = 0
    with subprocess.Popen(
        command, env={**os.environ, **given, **environment}, stdout=subprocess.PIPE, text=True
    ) as web:
        while web.poll() is None:
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError:
                refused += 1
        answered, most = (web.stdout.read() if web.stdout else "").split()
    return int(answered), int(most), refused


def test_db_14_pages_that_are_asked_for_all_at_once_leave_trading_its_connections(
    small_server: str, tmp_path: Path
) -> None:
    answered, most, refused = flood(small_server, tmp_path, seconds="0.2", JULABA_ROLE="web")

    assert (answered, refused) == (PAGES, 0)
    assert 2 <= most <= 8


def test_db_14_without_a_bound_the_same_pages_take_every_connection(small_server: str, tmp_path: Path) -> None:
    answered, _, refused = flood(small_server, tmp_path, seconds="3")

    assert answered < PAGES
    assert refused > 0
