"""How busy others keep the machine meanwhile: what a process notices that only wakes, and whose the processors are.

As a program (`python -m tests.soak.machine FILE`) it is that process: it writes each second by how much it woke late.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAKES_S = 0.02
LATE_MS = 50.0
WAITED_S = 0.25
"""So long, between two looks, may those that make a tick have waited for a processor together; more is a delay."""
OTHERS = 0.25
"""Processors that others must have used before a late second is theirs: without that the lateness is our own load."""


@contextmanager
def bystander(file: Path) -> Iterator[None]:
    """Run the process that only wakes, beside everything and with the same priority."""
    process = subprocess.Popen([sys.executable, "-m", "tests.soak.machine", str(file)], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def lateness(file: Path) -> list[tuple[float, float]]:
    """Return for each second its end and by how much (milliseconds) the latest wake in it was late."""
    return [(float(at), float(late)) for at, _, late in (line.partition(" ") for line in file.read_text().splitlines())]


class Others:
    """How many processors all but ours use; `note` is called again and again with the numbers of our processes,
    and of those among them that make a tick."""

    def __init__(self) -> None:
        self._before: tuple[float, float, dict[int, float]] | None = None
        self._waited: dict[int, float] = {}
        self.used: list[tuple[float, float, float]] = []
        """From when to when, and how many."""
        self.kept_waiting: list[tuple[float, float]] = []
        """From when to when others had processors for which a tick waited."""

    def note(self, pids: Iterable[int], makers: Iterable[int] = ()) -> None:
        now, busy = time.time(), _busy_s()
        ours = {pid: _of_process_s(pid) for pid in pids}
        if self._before is not None:
            then, busy_then, ours_then = self._before
            own = sum(spent - ours_then.get(pid, 0.0) for pid, spent in ours.items())
            self.used.append((then, now, max(0.0, busy - busy_then - own) / (now - then)))
        waited = {pid: _waited_s(pid) for pid in makers}
        delay = sum(seconds - self._waited.get(pid, seconds) for pid, seconds in waited.items())
        if self._before is not None and self.used[-1][2] > OTHERS and delay > WAITED_S:
            self.kept_waiting.append(self.used[-1][:2])
        self._before, self._waited = (now, busy, ours), waited

    @property
    def mean(self) -> float:
        seconds = sum(end - begin for begin, end, _ in self.used)
        return sum(used * (end - begin) for begin, end, used in self.used) / seconds if seconds else 0.0


def held_up(
    late: Sequence[tuple[float, float]], used: Sequence[tuple[float, float, float]]
) -> list[tuple[float, float]]:
    """Return the spans in which somebody else's load kept us waiting: a late second while others used the processors."""
    seconds = [(after - span, after, ms) for (before, _), (after, ms) in pairwise(late) if (span := after - before) > 0]
    return [
        (begin, end)
        for begin, end, ms in seconds
        if ms > LATE_MS and any(since < end and begin < until and part > OTHERS for since, until, part in used)
    ]


def _busy_s() -> float:
    """Return the seconds that all processors together have worked since the start of the machine."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _of_process_s(pid: int) -> float:
    """Return the seconds of a process and of those children that it has collected."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _waited_s(pid: int) -> float:
    """Return the seconds for which a process could have run and had no processor."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def _wake(file: Path) -> None:
    with file.open("w", buffering=1) as out:
        while True:
            end, latest = time.monotonic() + 1, 0.0
            while (before := time.monotonic()) < end:
                time.sleep(WAKES_S)
                latest = max(latest, time.monotonic() - before - WAKES_S)
            out.write(f"{time.time():.3f} {1000 * latest:.1f}\n")


if __name__ == "__main__":
    _wake(Path(sys.argv[1]))
