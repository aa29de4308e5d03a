"""python -m tests.soak: the whole system for as long as asked, under load and faults, and a verdict as the last line."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.soak import machine, measures, system
from tests.soak.load import Readers, Sockets
from tests.soak.measures import Found, Sample

EVERY_S = 5.0
TICK_S = 2.0
RECOVERY_S = 45.0
"""So long after a blow nothing is held against the system: a child that died is started again after up to 30 s."""


def main() -> int:
    asked = _arguments()
    with ExitStack() as stack:
        folder = Path(asked.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="julaba-soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        running = stack.enter_context(system.running(folder))
        running.log_in()
        running.wait_for_trading()
        stack.enter_context(machine.bystander(folder / "woken.txt"))
        found = _soak(running, asked)
    for problem in found.problems:
        _say(f"  {problem}")
    _say(found.line)
    return 1 if found.problems else 0


def _soak(running: system.System, asked: argparse.Namespace) -> Found:
    fate, began, samples = random.Random(asked.seed), time.monotonic(), list[Sample]()
    breaks: list[tuple[float, float]] = []

    def is_broken() -> bool:
        return any(begin - 1 <= time.time() <= end for begin, end in breaks)

    sockets, readers = Sockets(running, asked.sockets), Readers(running, is_broken)
    sockets.start()
    readers.start()
    rows, blow_at = running.rows(), began + asked.faults
    end = began + asked.minutes * 60
    log_mb, others = 0.0, machine.Others()
    while time.monotonic() < end:
        samples += running.samples(began)
        others.note(running.pids(), running.makers_of_ticks())
        log_mb = max(log_mb, running.files_mb("*-wal"))
        if asked.faults and time.monotonic() > blow_at and end - time.monotonic() > RECOVERY_S:
            struck = time.time()
            breaks.append((struck, struck + RECOVERY_S))
            _say(f"  {(time.monotonic() - began) / 60:5.1f} min: {running.strike(fate)}")
            blow_at = time.monotonic() + max(RECOVERY_S, fate.expovariate(1 / asked.faults))
        time.sleep(EVERY_S)
    seconds = time.monotonic() - began
    is_well = running.becomes_well()
    sockets.end()
    readers.end()
    for failure in readers.failures[:20]:
        _say(f"  failed: {failure}")
    started = [at for at in running.started_at() if at > time.time() - seconds - 5]
    late = machine.lateness(running.folder / "woken.txt")
    held_up = machine.held_up(late, others.used)
    quiet = [*breaks, *held_up, *others.kept_waiting]
    return Found(
        seconds=seconds,
        violations=running.violations(),
        slopes=measures.slopes(samples),
        unjudged=measures.unjudged(samples),
        replaced=len(measures.replaced(samples)),
        jitter_ms=measures.jitter(started, every=TICK_S, breaks=breaks),
        quiet_jitter_ms=measures.jitter(started, every=TICK_S, breaks=quiet),
        quiet_ticks=measures.outside(started, breaks=quiet),
        woken_ms=measures.highest((ms for _, ms in late), share=0.99),
        others=others.mean,
        ticks=len(started),
        frames=sockets.frames,
        lost=sockets.lost,
        requests=readers.requests,
        failed=readers.failed,
        faults=len(breaks),
        files_mb=running.files_mb(),
        log_mb=log_mb,
        rows_a_minute=(running.rows() - rows) / (seconds / 60),
        is_well=is_well,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--sockets", type=int, default=200, help="browsers that listen all the time (200)")
    parser.add_argument("--faults", type=float, default=120.0, help="mean seconds between two blows (120); 0: none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="keep the data directory and the output in this folder")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
