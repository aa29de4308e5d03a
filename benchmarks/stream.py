"""What a stream costs and how fast it is: REST calls in an hour for twenty pairs, how long it takes from a price that
crosses a level to the exit order recorded (a stop rests at the venue: to its fill in our books), and the memory of the
stream process under 500 prices a second.

Run with `make bench`; SECONDS sets how long the second part lasts (600: ten minutes). Real processes, real ccxt and
Redis, against the exchange of the tests.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = Path(tempfile.mkdtemp(prefix="julaba-bench-"))
SECONDS = int(os.environ.get("SECONDS", "90"))
PAIRS, PER_SECOND, ROUNDS, HELD = 50, 500, 10, 5
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
    "JULABA_DATA_DIR": str(FOLDER),
    "LOG_LEVEL": "ERROR",
    "EXCHANGE": "binance",
    "STRATEGIES": "tests.torture.world.EveryBar",
    "PYTHONPATH": str(ROOT),
}
for _name in ("REDIS_URL", "DATABASE_URL", "TRADING_MODE"):
    os.environ.pop(_name, None)

from tests.venue.launch import Venue, venue

COINS = tuple(f"S{number:02d}" for number in range(PAIRS))


def list_coins(exchange: Venue, count: int) -> list[str]:
    for coin in COINS[:count]:
        rules = {"tick": "0.0001", "lot": "0.001", "min_notional": "5", "price": "100"}
        exchange.market(f"{coin}USDT", base=coin, quote="USDT", exchange="binance", **rules)
    return [f"{coin}/USDT" for coin in COINS[:count]]


# --- An hour of calls ---------------------------------------------------------------------------------------


def hour() -> None:
    """Count the calls of a feed, and of a tick every two seconds and a scan every five minutes, in an hour of 60 s."""
    import django

    django.setup()
    from tests.accelerated import calls_in_an_hour

    with venue(FOLDER / "hour.db") as exchange:
        parts = asyncio.run(calls_in_an_hour(exchange, list_coins(exchange, 20), FOLDER / "hour"))
    for name, counts in zip(("at the start", "in the hour that follows"), parts, strict=True):
        listed = ", ".join(f"{count} {endpoint}" for endpoint, count in sorted(counts.items()))
        print(f"REST calls with 20 pairs {name}: {counts.total()}{f' ({listed})' if listed else ''}")


# --- Reaction and memory ------------------------------------------------------------------------------------


@contextmanager
def processes() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run Redis, the worker that trades, beat and the stream, as `make run` does."""
    from julaba_site import stack, startup

    trading = [*stack.CELERY, "-Ajulaba_site", *stack.WORKER, "-c1", "-Qtrading", "-ntrading@%h"]
    commands = {
        "redis": startup.redis_command(FOLDER),
        "trading": trading,
        "beat": [*stack.CELERY, "-Ajulaba_site.beat", "beat", "-lERROR"],
        "stream": [*stack.MANAGE, "stream"],
    }
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            running[name] = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **stack.ENVIRONMENT}, start_new_session=True
            )
            time.sleep(1.0 if name == "redis" else 0.0)
        yield running
    finally:
        for process in reversed(running.values()):
            os.killpg(process.pid, signal.SIGTERM)
        for process in running.values():
            process.wait(30)


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def reaction() -> None:
    """Move fifty prices all the time, push one after the other through a stop, and read when its order was filled."""
    with venue(FOLDER / "reaction.db") as exchange:
        os.environ["EXCHANGE_ENDPOINT"] = exchange.base_url
        symbols = list_coins(exchange, PAIRS)
        prepare(symbols)
        with processes() as running:
            memory, crossed = drive(exchange, symbols, running["stream"])
    print(f"{PER_SECOND} prices/s over {PAIRS} symbols for {SECONDS} s, of 1-minute bars:")
    for title, kind in (("targets", "target"), ("stops", "stop")):
        asked = {pk: at for (pk, what), at in crossed.items() if what == kind}
        spent = reactions(asked, kind)
        if len(spent) < 2:
            continue
        half, most = statistics.median(spent), statistics.quantiles(spent, n=100, method="inclusive")[98]
        what = "the exit order recorded" if kind == "target" else "the venue's stop booked"
        print(
            f"{title}: {len(spent)} of {len(asked)}, from the price at the venue to {what} "
            f"p50 {half * 1e3:.0f} ms, p99 {most * 1e3:.0f} ms, longest {max(spent) * 1e3:.0f} ms"
        )
    third = max(1, len(memory) // 3)
    early, late = statistics.mean(memory[third : 2 * third]), statistics.mean(memory[-third:])
    print(
        f"stream process: {max(memory):.0f} MB at most, {early:.0f} MB in the middle third, {late:.0f} MB in the last"
    )


def prepare(symbols: list[str]) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from tests.engine import OPEN_DOORS
    from trading.services import parameters

    call_command("migrate", verbosity=0)
    now = timezone.now()
    values: dict[str, Any] = {
        **OPEN_DOORS,
        "timeframe": "1m",
        "pairs": symbols,
        "max_open_trades": HELD,
        "max_open_risk": 0.5,
        "max_leverage": 100.0,
        "risk_fraction": 0.001,
        "risk_floor": 0.0005,
        "risk_ceiling": 0.002,
        "kelly": False,
        "cooldown_minutes": 0,
        "daily_loss": 1.0,
        "weekly_loss": 1.0,
        "target_one_r": 5,
        "target_two_r": 6,
        "target_three_r": 8,
    }
    from trading.core.params import SPECS

    given = {name: value for name, value in values.items() if name in SPECS}
    for name, value in given.items():
        spec = SPECS[name]
        if spec.low is not None and spec.high is not None and not isinstance(value, bool):
            given[name] = min(max(value, spec.low), spec.high)
    number = parameters.current(now=now).number
    parameters.revise(values=given, reason="benchmark", author=None, expected_number=number, now=now)


def drive(
    exchange: Venue, symbols: list[str], stream: subprocess.Popen[bytes]
) -> tuple[list[float], dict[tuple[int, str], datetime]]:
    """Move prices for SECONDS after trades are open; return the memory each second and when which level was crossed."""
    from trading.models import Trade

    prices, memory = dict.fromkeys(symbols, 100.0), list[float]()
    crossed: dict[tuple[int, str], datetime] = {}
    begun, step, opened = time.monotonic(), 0, False
    while not opened or time.monotonic() - begun < SECONDS:
        step += 1
        beat = time.monotonic()
        for symbol in symbols:
            prices[symbol] = round(prices[symbol] * (1 + random.uniform(-2e-4, 2e-4)), 4)
        if step % (3 * ROUNDS) == 0 and opened:  # when the rush of a new bar may be over, or not
            done = {pk for pk, _ in crossed}
            trade = Trade.objects.filter(status="open", unprotected_at=None).exclude(pk__in=done).order_by("?").first()
            if trade is not None:
                kind = "target" if len(crossed) % 2 else "stop"
                level = trade.stop * (1 - trade.sign * 1e-3)
                if kind == "target":
                    level = trade.rules["target_3"] * (1 + trade.sign * 1e-3)
                prices[trade.symbol] = round(level, 4)
                crossed[trade.pk, kind] = datetime.now(UTC)
                exchange.prices({trade.symbol: prices[trade.symbol]})
        exchange.prices(dict(prices))
        if step % ROUNDS == 0:
            memory.append(resident(stream.pid))
            if not opened and Trade.objects.filter(status="open").exists():
                opened, begun, memory = True, time.monotonic(), []
        time.sleep(max(0.0, beat + PAIRS / PER_SECOND - time.monotonic()))
    time.sleep(3.0)
    return memory, crossed


def reactions(crossed: dict[int, datetime], kind: str) -> list[float]:
    """Return the seconds from each crossing to what the trade's books say of it."""
    from trading.models import OrderEvent

    spent = []
    for pk, at in crossed.items():
        told = OrderEvent.objects.filter(order__trade=pk, at__gt=at).order_by("at")
        told = told.filter(order__role="exit") if kind == "target" else told.filter(to_status="filled")
        event = told.first()
        if event is not None and event.at - at < timedelta(seconds=10):
            spent.append((event.at - at).total_seconds())
    return spent


if __name__ == "__main__":
    if len(sys.argv) > 1:  # one part, in a process of its own: Django takes one venue
        {"hour": hour, "reaction": reaction}[sys.argv[1]]()
    else:
        for part in ("hour", "reaction"):
            subprocess.run([sys.executable, __file__, part], check=True)
