"""Fate: what happens to the traders, the venue and the database, drawn from one seed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.torture import by_hand
from tests.venue.launch import Venue
from trading.services.crash_points import NAMES

ORDER_FAULTS = {
    "accept_then_cut": 0.03,
    "accept_then_truncate": 0.02,
    "accept_then_html": 0.01,
    "accept_then_null": 0.01,
    "accept_then_empty": 0.01,
    "accept_then_5xx": 0.02,
    "lose_request": 0.03,
    "http_5xx": 0.02,
    "wrong_order": 0.01,
}
"""Probability of each, on every request that places an order."""
CANCEL_FAULTS = {"accept_then_cut": 0.03, "lose_request": 0.03, "http_5xx": 0.02}
QUESTION_FAULTS = {"lose_request": 0.004, "http_5xx": 0.004, "accept_then_truncate": 0.002}
"""Far fewer: one tick asks dozens of questions."""
BEATS = 2
NAP_S = (0.5, 5.5)
"""Pauses of a process; longer than the lease lives, so that it wakes up replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Mean seconds between two blows of each kind, and a factor on the probability of every fault of a request."""

    kill: float = 15.0
    pause: float = 45.0
    beat: float = 30.0
    database: float = 30.0
    venue: float = 50.0
    throttle: float = 40.0
    by_hand: float = 1.0
    faults: float = 1.0


MIXES = {
    "even": Mix(),
    "crashes": Mix(kill=6.0, pause=8.0, beat=10.0, database=60.0, venue=120.0, throttle=60.0, faults=0.3),
    "network": Mix(kill=40.0, pause=40.0, database=60.0, venue=15.0, throttle=15.0, faults=3.0),
    "database": Mix(kill=30.0, pause=30.0, database=6.0, venue=120.0, throttle=60.0, faults=0.5),
}


class Traders:
    """The trading processes, each brought back when it ends; some die at a crash point of their own.

    They are forked from one that has everything loaded and no connection open.
    """

    def __init__(self, count: int, log: Path, fate: random.Random) -> None:
        self._fate, self._log = fate, str(log)
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["tests.torture.trader"])
        self.kills = 0
        self._running = [self._start() for _ in range(count)]

    def look_after(self, *, may_crash: bool = True) -> None:
        for index, trader in enumerate(self._running):
            if not trader.is_alive():
                self.kills += 1
                self._running[index] = self._start(may_crash=may_crash)

    def kill(self) -> None:
        self._fate.choice(self._running).kill()

    def pause(self) -> None:
        victim = self._fate.choice(self._running)
        with suppress(ProcessLookupError):
            os.kill(victim.pid or 0, signal.SIGSTOP)
        waking = threading.Timer(self._fate.uniform(*NAP_S), _wake, [victim])
        waking.daemon = True
        waking.start()

    def stop(self) -> None:
        for trader in self._running:
            trader.kill()
            trader.join()

    def _start(self, *, may_crash: bool = True) -> ForkServerProcess:
        crash_point = None
        if may_crash and self._fate.random() < 0.7:
            crash_point = f"{self._fate.choice(NAMES)}:{self._fate.randint(1, 12)}"
        trader = self._forks.Process(target=_trade, args=(self._log, crash_point), daemon=True)
        trader.start()
        return trader


class Beats:
    """Two that send every hint, each brought back when it ends."""

    def __init__(self, folder: Path, log: Path, fate: random.Random) -> None:
        self._fate, self._folder, self._log = fate, str(folder), str(log)
        self._forks = multiprocessing.get_context("forkserver")
        self.kills = 0
        self._running = [self._start() for _ in range(BEATS)]

    def look_after(self) -> None:
        for index, beat in enumerate(self._running):
            if not beat.is_alive():
                self.kills += 1
                self._running[index] = self._start()

    def kill(self) -> None:
        self._fate.choice(self._running).kill()

    def stop(self) -> None:
        for beat in self._running:
            beat.kill()
            beat.join()

    def _start(self) -> ForkServerProcess:
        beat = self._forks.Process(target=_beat, args=(self._folder, self._log), daemon=True)
        beat.start()
        return beat


def _beat(folder: str, log: str) -> None:
    from tests.torture import hints, trader

    trader.write_to(log)
    hints.beat(folder)


def _trade(log: str, crash_point: str | None) -> None:
    from tests.torture import trader

    trader.run(log, crash_point)


def _wake(process: ForkServerProcess) -> None:
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGCONT)


def break_venue(venue: Venue, mix: Mix) -> None:
    """Let every kind of request fail now and then, for as long as nobody heals the venue."""
    for where, faults in (("POST order", ORDER_FAULTS), ("DELETE order", CANCEL_FAULTS), ("GET *", QUESTION_FAULTS)):
        for what, probability in faults.items():
            venue.fault(what, where, probability=probability * mix.faults)
    venue.fault("late_accept", "POST order", probability=0.02 * mix.faults, seconds=1.5)
    venue.fault("slow_reply", "POST order", probability=0.02 * mix.faults, seconds=1.0)
    venue.fault("not_found_for", "GET order", probability=0.05 * mix.faults, seconds=3)
    venue.fault("empty_balances", probability=0.05 * mix.faults)
    venue.fault("partial", "POST order", probability=0.05 * mix.faults, fraction="0.37")


class Fate:
    """One blow after the other, until told to stop."""

    def __init__(
        self, traders: Traders, beats: Beats, venue: Venue, database: str, fate: random.Random, mix: Mix
    ) -> None:
        self._venue, self._database, self._fate, self._mix = venue, database, fate, mix
        self._acts: list[tuple[float, Callable[[], None]]] = [
            (mix.kill, traders.kill),
            (mix.pause, traders.pause),
            (mix.beat, beats.kill),
            (mix.database, self._hold_database),
            (mix.venue, self._kill_venue),
            (mix.throttle, lambda: venue.fault("rate_limit", "*", times=1, retry_after=1)),
            (mix.by_hand, partial(by_hand.meddle, fate)),
        ]
        self._due = [fate.expovariate(1 / mean) for mean, _ in self._acts]
        self._began = time.monotonic()

    def strike(self) -> None:
        """Do what has come due."""
        now = time.monotonic() - self._began
        for index, (mean, act) in enumerate(self._acts):
            if now >= self._due[index]:
                self._due[index] = now + self._fate.expovariate(1 / mean)
                act()

    def _kill_venue(self) -> None:
        self._venue.kill()
        self._venue.restart()
        break_venue(self._venue, self._mix)

    def _hold_database(self) -> None:
        """Cut every connection to PostgreSQL, or keep everybody out of the SQLite file for a while."""
        if self._database.startswith("postgres"):
            with psycopg.connect(self._database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            return
        holder = sqlite3.connect(urlsplit(self._database).path[1:], timeout=5, isolation_level=None)
        try:
            holder.execute("BEGIN EXCLUSIVE")
            time.sleep(1.5)
        except sqlite3.OperationalError:
            return  # somebody else is writing all the time; the next blow will come
        finally:
            holder.close()
