"""Processes that trade until they die at a crash point: `python -m tests.faults.crashing [by-hand] PATH NAME:N [PATH NAME:N ...]`.

With `by-hand`, a person asks for a part to be closed before the tick of the first bar. What they need is imported once; each of
them is a fork that opens its database by itself. Prints their exit codes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import django

QUIET = (100.0, 100.5, 99.5, 100.0)
UP = (100.0, 104.0, 99.9, 100.0)
"""Reaches the first target and not the second."""
CRASH = (100.0, 100.2, 90.0, 91.0)
SECONDS = (0, 4, 6)
"""After each close: a tick, the first one of an heir, and the tick that follows it."""


def moments() -> list[datetime]:
    """Return when ticks happen: entry and stop, first target and new stop, the rest, and a quiet bar."""
    from tests.engine import close_of

    return [close_of(row) + timedelta(seconds=seconds) for row in range(-1, 3) for seconds in SECONDS]


def prepare(directory: Path) -> None:
    """Make an account in the directory, ready to trade, whose copies are died on."""
    from tests.engine import set_params
    from trading.services import scratch

    with scratch.database(str(directory / "new.sqlite3")):
        set_params(price_age=600, trailing=False, break_even=False)


def deaths(directory: Path, points: Sequence[str], *, by_hand: bool = False) -> dict[str, int]:
    """Let a process die at each point, over a copy of its own named after the point; return the exit codes."""
    words = ["by-hand"] * by_hand
    for point in points:
        shutil.copy(directory / "new.sqlite3", directory / f"{point}.sqlite3")
        words += [str(directory / f"{point}.sqlite3"), point]
    command = [sys.executable, "-m", "tests.faults.crashing", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    codes: dict[str, int] = json.loads(ended.stdout)
    return codes


def trade(path: str, *, by_hand: bool = False) -> Iterator[tuple[datetime, str]]:
    """Tick at every moment and yield how each tick ended, with the database at hand."""
    from tests.engine import close_of, enter_at, ports_over, run_tick, series
    from tests.race.test_one_bar import FILE_OPTIONS
    from trading.models import Trade
    from trading.services import instructing, lease, scratch

    bars = [QUIET] * 4 if by_hand else [UP, CRASH, QUIET, QUIET]
    ports = ports_over(series(bars), enter_at(-1))
    with scratch.attached(path, FILE_OPTIONS):
        for moment in moments():
            if by_hand and moment == close_of(0):
                # Whoever takes over asks again with the same key, as a browser does that got no answer.
                instructing.close_part(Trade.objects.get().pk, fraction=0.5, by="anna", key="press", now=moment)
            yield moment, run_tick(ports, moment, owner=lease.process_name())


def warm_up() -> None:
    """Load, before the forks that all need it, what is compiled at its first use; no database is opened."""
    import tests.race.test_one_bar  # noqa: F401
    from tests.engine import SYMBOL, enter_at, ports_over, series
    from trading.core import decision
    from trading.core.params import Params
    from trading.core.position import exit_rules, on_bar, open_position
    from trading.core.types import Side

    candles, params = series([UP]), Params.of({})
    ports = ports_over(candles, enter_at(0))
    market = ports.market_data.markets()[SYMBOL]
    decision.find_setup(candles, strategies=ports.strategies, params=params, market=market)
    rules = exit_rules(side=Side.LONG, entry=100.0, stop=98.0, params=params, market=market)
    on_bar(open_position(side=Side.LONG, entry=100.0, stop=98.0), rules, open=100.0, high=104.0, low=99.9)


def die(path: str, point: str, *, by_hand: bool = False) -> int:
    """Trade in a fork that dies at the point, and return its process number."""
    child = os.fork()
    if child:
        return child
    os.environ["JULABA_CRASH_POINT"] = point
    code = 1
    try:
        list(trade(path, by_hand=by_hand))
        code = 0
    finally:
        os._exit(code)


def main(*words: str) -> None:
    by_hand = words[0] == "by-hand"
    pairs = words[1:] if by_hand else words
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    warm_up()
    children = {point: die(path, point, by_hand=by_hand) for path, point in zip(pairs[::2], pairs[1::2], strict=True)}
    codes = {point: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for point, child in children.items()}
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
