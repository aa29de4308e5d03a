"""PostgreSQL ends connections, dies, is cut off in a commit, races and deadlocks: nothing is lost or doubled.

Each test is named with its id in the fault catalogue.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from django.db import OperationalError, connection

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
