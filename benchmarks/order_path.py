"""How fast the order path is: the permit against a bare commit of one row, the stop against one round trip of 50 ms
to the venue, and how long a restart takes until the first entry may be permitted.

Run with `make bench`. The permit runs on SQLite as in operation, and on PostgreSQL where DATABASE_URL names one; the
rest over the real adapters, against the exchange of the tests behind a proxy that waits.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading.services.context import Ports

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = Path(tempfile.mkdtemp(prefix="julaba-bench-"))
os.environ |= {"DJANGO_SETTINGS_MODULE": "julaba_site.settings", "JULABA_DATA_DIR": str(FOLDER), "LOG_LEVEL": "ERROR"}
GIVEN = os.environ.pop("DATABASE_URL", "")

from tests import ports as tcp
from tests import postgres
from tests.torture import world  # adds its timeframe before anything reads which there are

ROUND_TRIP_S = 0.050
TIMES = 200
ENTRIES = 20
ORDERS, POSITIONS = 20, 5


def set_up(address: str) -> None:
    """Point Django to a database, and make its tables."""
    os.environ["DATABASE_URL"] = address
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@contextmanager
def slow_road(port: int) -> Iterator[int]:
    """Yield the port of a proxy to `port` that keeps every request for a round trip."""
    listener = socket.create_server(("127.0.0.1", tcp.free()))

    def carry(source: socket.socket, sink: socket.socket, wait_s: float) -> None:
        while block := source.recv(65536):
            time.sleep(wait_s)
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # closed: the benchmark is over
                return
            far = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=carry, args=(near, far, ROUND_TRIP_S), daemon=True).start()
            threading.Thread(target=carry, args=(far, near, 0.0), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def centiles(spent: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return statistics.median(spent), statistics.quantiles(spent, n=100, method="inclusive")[98]


def permit() -> None:
    """Time the transaction that permits an entry, beside one that writes one row."""
    from django.db import connection, transaction

    from tests.properties.world import World
    from trading.models import Event, Order, OrderStatus
    from trading.services import execution, lease, tick

    here = World()
    here.tick()
    here.close_bar()
    here.want("BTC/USDT")
    drive = execution.drive
    execution.drive = lambda order, context: None
    here.tick()
    execution.drive = drive
    held = lease.acquire(owner="process 1")
    assert held is not None
    context = tick._with_prices(tick._context(here.ports, held, here.now), [])  # noqa: SLF001
    order, spent, bare = Order.objects.get(), [], []
    for number in range(TIMES):
        Order.objects.filter(pk=order.pk).update(status=OrderStatus.INTENT, permit_at=None)
        order.refresh_from_db()
        spent.append(timed(lambda: execution._permit(order, context)))  # noqa: SLF001
        assert order.status == OrderStatus.SUBMITTING

        def one_row(number: int = number) -> None:
            with transaction.atomic():
                Event(at=here.now, kind="note", text=str(number)).save()

        bare.append(timed(one_row))
    (half, most), (row, _) = centiles(spent), centiles(bare)
    print(
        f"permit on {connection.vendor}: p50 {half * 1e3:.1f} ms, p99 {most * 1e3:.1f} ms, {half / row:.1f} x one row"
    )


@contextmanager
def far_venue(pairs: int) -> Iterator[Any]:
    """Yield an exchange whose prices stand still, far away, where so many coins are watched."""
    from tests.torture.__main__ import _list_coins, _prepare
    from tests.venue.gate import API_KEY, API_SECRET
    from tests.venue.launch import venue

    world.PARAMS["pairs"] = list(world.SYMBOLS[:pairs])
    with venue(FOLDER / f"venue-{pairs}.db") as exchange, slow_road(exchange.port) as port:
        os.environ |= {
            "JULABA_TORTURE_VENUE": f"http://127.0.0.1:{port}",
            "JULABA_TORTURE_KEY": API_KEY,
            "JULABA_TORTURE_SECRET": API_SECRET,
        }
        _list_coins(exchange)
        exchange.prices({f"{coin}USDT": Decimal(100) for coin in world.COINS})
        _prepare()
        yield exchange


def trading_ports() -> Ports:
    from django.utils import timezone

    from trading.services.context import Ports

    market, broker = world.market_and_broker()
    return Ports(
        market_data=market,
        broker=broker,
        strategies=(world.EveryBar(),),
        initial_balance=Decimal(100_000),
        code_version="bench",
        venue="torture",
        clock=timezone.now,
    )


def protect() -> None:
    """Time, over several entries, from the venue's fill until the venue has said that the stop rests."""
    from trading.models import OrderEvent, OrderRole

    with far_venue(ENTRIES):
        ports, spent = trading_ports(), list[float]()
        while len(spent) < ENTRIES:
            run(ports, "one")
            live = OrderEvent.objects.filter(order__role=OrderRole.STOP, order__number=2, to_status="open")
            spent = [
                (event.at - event.order.trade.opened_at).total_seconds()
                for event in live.select_related("order__trade")
                if event.order.trade.opened_at
            ]
    half, most = centiles(spent)
    print(
        f"entry filled to stop live, {len(spent)} times: p50 {half * 1e3:.0f} ms, p99 {most * 1e3:.0f} ms, "
        f"{half / ROUND_TRIP_S:.1f} round trips"
    )


def run(ports: Ports, owner: str) -> None:
    from django.utils import timezone

    from trading.services import tick

    tick.run(ports=ports, now=timezone.now(), owner=owner)


def restart() -> None:
    """Time a new process from its first tick until the comparison with the venue has passed."""
    from trading.models import Bot, ReconcileRun, Trade
    from trading.services import lease

    with far_venue(POSITIONS) as exchange:
        before = trading_ports()
        while Trade.objects.filter(status="open", unprotected_at=None).count() < POSITIONS:
            run(before, "one")
        for number in range(ORDERS - POSITIONS):
            symbol = f"{world.COINS[number % POSITIONS]}/USDT"
            exchange.external_order(symbol, "BUY", Decimal("0.1"), type="LIMIT", price=str(90 - number))
        lease.release("one")
        epoch, begun = Bot.objects.get().reconciled_epoch, time.perf_counter()
        ports = trading_ports()
        while Bot.objects.get().reconciled_epoch == epoch:
            run(ports, "two")
        spent = time.perf_counter() - begun
    seen = ReconcileRun.objects.latest("pk")
    print(
        f"restart with {seen.orders} open orders and {seen.positions} positions: {spent:.1f} s until the first permit, "
        f"{spent / ROUND_TRIP_S:.0f} round trips"
    )


def main() -> None:
    if len(sys.argv) > 1:  # one part, in a process of its own: Django takes one database
        set_up(sys.argv[2])
        {"permit": permit, "protect": protect, "restart": restart}[sys.argv[1]]()
        return

    def part(name: str, address: str) -> None:
        subprocess.run([sys.executable, __file__, name, address], check=True)

    part("permit", f"sqlite:///{FOLDER / 'permit.sqlite3'}")
    if GIVEN:
        os.environ["DATABASE_URL"] = GIVEN
        with postgres.database("julaba_bench") as address:
            part("permit", address)
    for name in ("protect", "restart"):
        part(name, f"sqlite:///{FOLDER / f'{name}.sqlite3'}")


if __name__ == "__main__":
    main()
