"""The health of the whole as a list of checks: what was looked at, what was found, and what to do about it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from dashboard import health_more
from trading import selectors
from trading.models import Bot
from trading.selectors import Signs

OK, WARN, BAD = "ok", "warn", "bad"
TICK_WARN, TICK_BAD = timedelta(seconds=10), timedelta(seconds=30)
DATA_WARN, DATA_BAD = timedelta(seconds=30), timedelta(minutes=2)
COMPARED_WARN = timedelta(seconds=90)
WATCHED_WARN, WATCHED_BAD = timedelta(seconds=150), timedelta(minutes=10)
DISK_WARN, DISK_BAD = 2 * 1024**3, 512 * 1024**2
SLOW_MS = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: `at` is when what it looked at last happened, `advice` what to do unless it is well."""

    name: str
    state: str
    text: str
    advice: str = ""
    at: datetime | None = None


def checks(bot: Bot | None, *, now: datetime) -> list[Check]:
    """Return every check, in the order in which one looks for a cause."""
    signs = selectors.signs()
    return [
        _database(),
        _redis(),
        _disk(),
        _tick(bot, now),
        _data(bot, now),
        _trader(signs, now),
        _work(signs, now),
        _comparison(signs, now),
        _invariants(signs),
        _protection(signs),
        *_halt_file(),
        *(Check(name=n, state=s, text=t, advice=a, at=at) for n, s, t, a, at in health_more.findings(bot, now=now)),
    ]


def overall(checks: list[Check]) -> str:
    """Return the worst state among the checks."""
    states = {check.state for check in checks}
    return next((state for state in (BAD, WARN) if state in states), OK)


def _database() -> Check:
    begun = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return Check(name="Database", state=BAD, text=str(error)[:200], advice="Look at its log; trading stands still.")
    return _answered("Database", connection.vendor, begun)


def _redis() -> Check:
    begun = time.perf_counter()
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except (RedisError, OSError) as error:
        advice = "Without it nothing ticks and pages are not pushed: start Julaba with make run, or look at Redis' log."
        return Check(name="Redis", state=BAD, text=f"does not answer: {error}"[:200], advice=advice)
    return _answered("Redis", "answers", begun)


def _answered(name: str, what: str, begun: float) -> Check:
    took = 1000 * (time.perf_counter() - begun)
    state = WARN if took > SLOW_MS else OK
    return Check(
        name=name, state=state, text=f"{what}, {took:.1f} ms", advice="It is slow: the machine is busy or its disk is."
    )


def _disk() -> Check:
    free = shutil.disk_usage(settings.JULABA_DATA_DIR).free
    state = BAD if free < DISK_BAD else WARN if free < DISK_WARN else OK
    return Check(
        name="Disk", state=state, text=f"{free / 1024**3:.1f} GB free", advice="Make room: a full disk stops trading."
    )


def _tick(bot: Bot | None, now: datetime) -> Check:
    advice = "Nothing is followed without ticks: look at the log of the worker named trading, and at Redis."
    if bot is None or bot.last_tick_at is None:
        return Check(name="Tick", state=BAD, text="none so far", advice="make run starts trading on paper.")
    if bot.is_replaying:
        return Check(name="Tick", state=OK, text="the past is being replayed", at=bot.last_tick_at)
    state = _aged(now - bot.last_tick_at, TICK_WARN, TICK_BAD)
    return Check(name="Tick", state=state, text="last", at=bot.last_tick_at, advice=advice)


def _data(bot: Bot | None, now: datetime) -> Check:
    if bot is None or bot.data_at is None:
        return Check(name="Prices", state=WARN, text="none so far", advice="They come with the first tick.")
    state = OK if bot.is_replaying else _aged(now - bot.data_at, DATA_WARN, DATA_BAD)
    return Check(
        name="Prices", state=state, text="newest", at=bot.data_at, advice="The venue is silent: nothing is entered."
    )


def _trader(signs: Signs, now: datetime) -> Check:
    lease = signs.lease
    if lease is None:
        return Check(name="Trader", state=BAD, text="nobody trades", advice="make run starts the worker that does.")
    state = OK if lease.expires_at > now - TICK_WARN else BAD
    text = f"{lease.owner}, epoch {lease.epoch}"
    return Check(
        name="Trader", state=state, text=text, advice="Its lease has ended and nobody took it: look at the workers."
    )


def _work(signs: Signs, now: datetime) -> Check:
    """Take the check of the invariants, sent each minute, as the heartbeat of the second worker."""
    if signs.invariants is None:
        return Check(
            name="Worker for everything else",
            state=WARN,
            text="no sign so far",
            advice="Its first one comes within a minute.",
        )
    state = _aged(now - signs.invariants.at, WATCHED_WARN, WATCHED_BAD)
    advice = "Nobody checks the invariants or scans pairs: look at the log of the worker named work."
    return Check(
        name="Worker for everything else", state=state, text="last sign", at=signs.invariants.at, advice=advice
    )


def _comparison(signs: Signs, now: datetime) -> Check:
    run, name = signs.comparison, "Comparison with the venue"
    if run is None:
        return Check(name=name, state=WARN, text="none so far", advice="Nothing is entered before the first one.")
    if not run.passed:
        text = run.problem or "something needs people"
        return Check(
            name=name, state=BAD, text=text, at=run.at, advice="Open Reconciliation: it says on what the books differ."
        )
    state = OK if now - run.at < COMPARED_WARN else WARN
    return Check(
        name=name, state=state, text="agrees", at=run.at, advice="It is due every 30 s: the venue may not answer."
    )


def _invariants(signs: Signs) -> Check:
    run = signs.invariants
    if run is None:
        return Check(name="Invariants", state=WARN, text="not checked so far", advice="They are checked each minute.")
    broken = len(run.violations)
    if not broken:
        return Check(name="Invariants", state=OK, text=f"all {run.checked} hold", at=run.at)
    return Check(
        name="Invariants", state=BAD, text=f"{broken} broken", at=run.at, advice="Open Invariants: it names each one."
    )


def _protection(signs: Signs) -> Check:
    if not signs.unprotected:
        return Check(name="Stops", state=OK, text="every open position is protected")
    text = f"{signs.unprotected} open without a sure stop"
    return Check(
        name="Stops", state=BAD, text=text, advice="Each is sold after 8 s unless its stop is placed; open Positions."
    )


def _halt_file() -> Iterator[Check]:
    if (settings.JULABA_DATA_DIR / "HALT").exists():
        yield Check(
            name="HALT file", state=WARN, text="lies in the data directory", advice="Remove it to let entries go on."
        )


def _aged(age: timedelta, warn: timedelta, bad: timedelta) -> str:
    return BAD if age > bad else WARN if age > warn else OK
