"""The lease: one trader at a time, by the database's clock, and a dead one is not waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from trading.models import Lease
from trading.services import lease
from trading.services.lease import Held

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def let_expire() -> None:
    Lease.objects.update(expires_at=LONG_AGO)


def name_of(pid: int, *, machine: str | None = None) -> str:
    host, _, own_machine, _ = lease.process_name().split(":")
    return f"{host}:{pid}:{machine or own_machine}:00000000"


def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_the_first_comer_holds_it_and_keeps_its_epoch() -> None:
    first = lease.acquire(owner="one")
    again = lease.acquire(owner="one")

    assert first == again == Held(owner="one", epoch=1)


def test_a_second_owner_waits_until_the_first_is_late() -> None:
    lease.acquire(owner="one")

    refused = lease.acquire(owner="two")
    let_expire()
    taken = lease.acquire(owner="two")

    assert refused is None
    assert taken == Held(owner="two", epoch=2)


def test_the_database_says_when_it_expires() -> None:
    lease.acquire(owner="one")

    ends_in = Lease.objects.get().expires_at - datetime.now(tz=UTC)

    assert timedelta(seconds=lease.TIME_TO_LIVE_S - 2) < ends_in < timedelta(seconds=lease.TIME_TO_LIVE_S + 2)


def test_an_owner_that_was_late_goes_on_where_nobody_came() -> None:
    lease.acquire(owner="one")
    let_expire()

    assert lease.acquire(owner="one") == Held(owner="one", epoch=1)


def test_an_owner_that_was_replaced_may_write_nothing() -> None:
    held = lease.acquire(owner="one")
    assert held is not None
    let_expire()
    lease.acquire(owner="two")

    with pytest.raises(lease.LeaseLost, match="taken over by two"), transaction.atomic():
        lease.check(held)
    assert lease.acquire(owner="one") is None


def test_a_check_renews_it() -> None:
    held = lease.acquire(owner="one")
    assert held is not None
    let_expire()

    with transaction.atomic():
        lease.check(held)

    assert lease.acquire(owner="two") is None


def test_a_process_that_died_on_this_machine_is_replaced_at_once() -> None:
    lease.acquire(owner=name_of(dead_pid()))

    assert lease.acquire(owner=lease.process_name()) == Held(owner=lease.process_name(), epoch=2)


def test_a_process_that_stands_still_on_this_machine_is_replaced_at_once() -> None:
    stopped = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lease.acquire(owner=name_of(stopped.pid))
        before = lease.acquire(owner=lease.process_name())
        stopped.send_signal(signal.SIGSTOP)
        os.waitpid(stopped.pid, os.WUNTRACED)

        after = lease.acquire(owner=lease.process_name())
    finally:
        stopped.kill()
        stopped.wait()

    assert before is None
    assert after == Held(owner=lease.process_name(), epoch=2)


@pytest.mark.parametrize(
    ("_case", "owner"),
    [
        ("it lives", lambda: name_of(1)),
        ("it ran on another machine or in another container", lambda: name_of(dead_pid(), machine="deadbeef")),
        ("its name says nothing", lambda: "somebody"),
    ],
)
def test_any_other_holder_is_waited_for(_case: str, owner) -> None:  # type: ignore[no-untyped-def]
    lease.acquire(owner=owner())

    assert lease.acquire(owner=lease.process_name()) is None


def test_what_is_released_is_free_for_the_next() -> None:
    lease.acquire(owner="one")

    lease.release("one")

    assert lease.acquire(owner="two") == Held(owner="two", epoch=2)
