"""python -m tests.torture: many signals under kills, pauses and a failing venue, and a verdict as the last line."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests import postgres
from tests.torture import hints

BALANCE = "100000"
LEAST = 20
"""Signals a minute: with fewer, nothing was put to the test."""


def main() -> int:
    asked = _arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="julaba-torture-")))
        if asked.keep:
            folder = Path(asked.keep)
            folder.mkdir(parents=True, exist_ok=True)
        database = stack.enter_context(_database(asked.database, folder))
        os.environ |= {
            "REDIS_URL": stack.enter_context(hints.redis()),
            "DATABASE_URL": database,
            "JULABA_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.torture.settings",
            "JULABA_TORTURE_BALANCE": BALANCE,
        }
        return _run(asked, folder, database)


def _run(asked: argparse.Namespace, folder: Path, database: str) -> int:
    import django

    from tests.torture import world  # noqa: F401 - adds its timeframe before anything reads which there are

    django.setup()
    from tests.torture import chaos, verdict
    from tests.venue.gate import API_KEY, API_SECRET
    from tests.venue.launch import venue

    fate = random.Random(asked.seed)
    with venue(folder / "venue.db", seed=asked.seed) as exchange:
        os.environ |= {
            "JULABA_TORTURE_VENUE": exchange.base_url,
            "JULABA_TORTURE_KEY": API_KEY,
            "JULABA_TORTURE_SECRET": API_SECRET,
        }
        _list_coins(exchange)
        _prepare()
        with _moving_prices(exchange) as moving:
            mix = chaos.MIXES[asked.mix]
            chaos.break_venue(exchange, mix)
            traders = chaos.Traders(asked.workers, folder / "traders.log", fate)
            beats = chaos.Beats(folder, folder / "beats.log", fate)
            try:
                _torture(asked, traders, beats, chaos.Fate(traders, beats, exchange, database, fate, mix))
                faults = sum(moving.faults().values())
                exchange.heal()
                _settle(traders, beats)
            finally:
                beats.stop()
                traders.stop()
        found = verdict.judge(exchange.state())
    for problem in found.problems[:50]:
        print("  " + problem)
    print(
        f"signals={found.signals} kills={traders.kills + beats.kills} faults={faults} duplicates={found.duplicates} "
        f"orphans={found.orphans} missed={found.missed} unprotected_max_s={found.unprotected_max_s:.1f} "
        f"ledger_error={found.ledger_error.normalize():f}"
    )
    return 0 if found.holds and found.signals >= min(asked.signals, LEAST * asked.minutes) else 1


def _torture(asked: argparse.Namespace, traders: Any, beats: Any, fate: Any) -> None:
    """Strike until there were enough signals; an operator lifts again and again what the software restricted."""
    from django.db import Error, connection

    from trading.models import Trade, TradingState
    from trading.services import control

    end = time.monotonic() + asked.minutes * 60
    said = time.monotonic()
    while time.monotonic() < end:
        traders.look_after()
        beats.look_after()
        try:
            fate.strike()
            count = Trade.objects.count()
            control.loosen(TradingState.ACTIVE, reason="torture goes on", now=datetime.now().astimezone(), by="torture")
        except Error:
            connection.close()  # it was cut on purpose
            continue
        if time.monotonic() - said > 15:
            said = time.monotonic()
            print(f"  {count} signals, {traders.kills} kills", flush=True)
        if count >= asked.signals:
            return
        time.sleep(0.25)


def _settle(traders: Any, beats: Any, within_s: float = 60.0) -> None:
    """Enter nothing more, and wait until nothing is in doubt and every trade is closed."""
    from django.db import Error, connection

    from trading.models import (
        IN_DOUBT,
        OPEN_INSTRUCTIONS,
        Instruction,
        Order,
        OrderStatus,
        Trade,
        TradeStatus,
        TradingState,
    )
    from trading.services import control

    end = time.monotonic() + within_s
    while time.monotonic() < end:
        traders.look_after(may_crash=False)
        beats.look_after()
        with suppress(Error):
            control.tighten(TradingState.CLOSE_ONLY, reason="the end", now=datetime.now().astimezone(), by="torture")
            doubtful = Order.objects.filter(status__in=(*IN_DOUBT, OrderStatus.INTENT, OrderStatus.CANCELING)).exists()
            asked = Instruction.objects.filter(status__in=OPEN_INSTRUCTIONS).exists()
            held = Trade.objects.filter(status__in=(TradeStatus.OPEN, TradeStatus.OPENING)).exists()
            if not (doubtful or asked or held):
                time.sleep(2)  # what is being written ends
                return
        connection.close()
        time.sleep(0.5)


def _list_coins(exchange: Any) -> None:
    from tests.torture import world

    now = time.time()
    for coin in world.COINS:
        exchange.market(
            f"{coin}USDT", base=coin, quote="USDT", tick="0.01", lot="0.001", min_notional="5",
            price=str(world.price(coin, now)),
        )  # fmt: skip


def _prepare() -> None:
    from django.core.management import call_command

    from tests.engine import OPEN_DOORS
    from tests.torture import world
    from trading.services import parameters

    call_command("migrate", verbosity=0, interactive=False)
    now = datetime.now().astimezone()
    number = parameters.current(now=now).number
    parameters.revise(
        values={**OPEN_DOORS, **world.PARAMS}, reason="torture", author=None, expected_number=number, now=now
    )


class _Moving:
    """Moves the prices four times a second, and counts faults over the venue's own deaths."""

    def __init__(self, exchange: Any) -> None:
        self._exchange, self._stop = exchange, threading.Event()
        self._gone: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def faults(self) -> dict[str, int]:
        return {name: self._gone.get(name, 0) + self._now.get(name, 0) for name in {**self._gone, **self._now}}

    def end(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        from tests.torture import world

        while not self._stop.wait(0.25):
            try:
                self._exchange.prices({f"{coin}USDT": world.price(coin, time.time()) for coin in world.COINS})
                fresh = {k: v for k, v in self._exchange.faults().items() if isinstance(v, int)}
            except (OSError, ValueError):
                continue  # it was killed, and comes back
            if sum(fresh.values()) < sum(self._now.values()):
                self._gone = self.faults()
            self._now = fresh


@contextmanager
def _moving_prices(exchange: Any) -> Iterator[_Moving]:
    moving = _Moving(exchange)
    try:
        yield moving
    finally:
        moving.end()


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    """Make a database for this run alone, and remove it afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'torture.sqlite3'}"
        return
    with postgres.database("julaba_torture") as address:
        yield address


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--signals", type=int, default=1000, help="entries to make (1000)")
    parser.add_argument("--workers", type=int, default=3, help="trading processes (3)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so many, whatever there is (60)")
    parser.add_argument("--mix", choices=("even", "crashes", "network", "database"), default="even")
    parser.add_argument("--keep", help="keep database and logs in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
