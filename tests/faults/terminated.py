"""Trades on a PostgreSQL that fails in one transaction after the other: `python -m tests.faults.terminated KIND`.

KIND is terminate (the server ends the connection), cut (the network does, while a commit is under way) or stop (the
server dies and comes back). Prints how often. Needs DATABASE_URL or the programs of PostgreSQL; stop needs the latter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import django
import psycopg

from tests import postgres
from tests.faults.wire import Cable

MOST = {"terminate": 8, "cut": 6, "stop": 3}
Blow = Callable[[int], None]
"""Takes its number, inside the transaction that it shall break."""


@contextmanager
def terminating(address: str) -> Iterator[tuple[str, Blow]]:
    from django.db import connection

    with psycopg.connect(address, autocommit=True) as other:

        def blow(number: int) -> None:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

        yield address, blow


@contextmanager
def cutting(address: str) -> Iterator[tuple[str, Blow]]:
    """Every other commit is cut after it has reached the server, the others before."""
    parts = urlsplit(address)
    with Cable((parts.hostname or "127.0.0.1", parts.port or 5432)) as cable:
        user = f"{parts.username}:{parts.password}@" if parts.password else f"{parts.username}@"
        through = parts._replace(netloc=f"{user}127.0.0.1:{cable.port}").geturl()
        yield through, lambda number: cable.cut_at(b"COMMIT", passes_on=number % 2 == 0)


@contextmanager
def stopping(address: str) -> Iterator[tuple[str, Blow]]:
    with psycopg.connect(address) as asking:
        folder = str((asking.execute("SHOW data_directory").fetchone() or ("",))[0])
    command = [str(postgres._programs() / "pg_ctl"), "-D", folder, "-m", "immediate", "-w", "-s"]

    def control(*words: str) -> None:
        silent = subprocess.DEVNULL
        subprocess.run(
            [*command, *words], user=postgres._unprivileged(), cwd="/", check=True, stdout=silent, timeout=60
        )

    try:
        yield address, lambda number: control("-l", "/dev/null", "restart")
    finally:
        control("stop")  # the first one was ours to end, this one is nobody's


KINDS = {"terminate": terminating, "cut": cutting, "stop": stopping}


def main(kind: str, address: str) -> None:
    os.environ |= {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.close()
    with KINDS[kind](address) as (through, blow):
        parts = urlsplit(through)
        connection.settings_dict |= {"HOST": parts.hostname, "PORT": parts.port}
        sys.stdout.write(f"{trade(blow, MOST[kind])}\n")
        connection.close()


def trade(blow: Blow, most: int) -> int:
    """Trade while one transaction about orders after the other is broken, and return how many were."""
    from django.db import InterfaceError, OperationalError, connection

    from tests.properties.world import World
    from trading.models import Order, OrderRole, OrderStatus
    from trading.services import lease

    world, check, broken = World(), lease.check, 0
    for number in range(1, most + 1):
        passes = 0

        def check_and_break(held: lease.Held, number: int = number) -> None:
            nonlocal passes, broken
            check(held)
            passes += 1
            if passes == number:
                broken += 1
                blow(number)

        world.close_bar()
        world.want("BTC/USDT", "ETH/USDT")
        lease.check = check_and_break
        try:
            world.tick()
        except (OperationalError, InterfaceError):
            connection.close()
        finally:
            lease.check = check
        world.assert_sound()
        for symbol in world.seen:
            world.move(symbol, 90.0)  # below every stop, so that the next bar enters again
        world.settle_down()
        for symbol in world.seen:
            world.move(symbol, 100.0)
        world.seen = {symbol: [100.0] for symbol in world.seen}  # or the next stop would be as wide as this fall
    assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).exists()
    return broken


if __name__ == "__main__":
    if sys.argv[1] == "stop":
        os.environ.pop("DATABASE_URL", None)  # others use that one too
    with postgres.server() if sys.argv[1] == "stop" else postgres.database("julaba_terminated") as url:
        main(sys.argv[1], url)
