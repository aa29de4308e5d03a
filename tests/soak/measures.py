"""What a soak measures, from samples that were taken of the running system; nothing here asks anybody."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median

WARM_S, WARM = 300.0, 0.3
"""So much of a process's life is left out, in seconds or as a part, whichever is more: it fills its caches."""
LEAST_LIFE_S = 600.0
"""A life that is shorter after that tells nothing: one step of a megabyte would be many an hour."""
APART_S, MOST_POINTS = 120.0, 150
MOST_SLOPE = 5.0
"""Megabytes an hour; of a run shorter than LONG_S it is told, not judged."""
STEP_MB = 3.0
"""What a life gains by less than this is a step of its allocator and no growth, however steep it looks in a short life."""
LONG_S = 1200.0
MOST_JITTER_MS = 500.0
LEAST_QUIET_TICKS = 50
"""Ticks that nobody else's load touched: of fewer nothing can be said."""
MOST_FILES_MB, MOST_LOG_MB, MOST_ROWS_A_MINUTE = 400.0, 64.0, 2_000.0
MOST_REPLACED_A_MINUTE = 10.0
"""A scan and what follows the refused each leave a process behind that is replaced; more, and tasks wait for forks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process at one moment: seconds since the beginning, and megabytes."""

    at: float
    role: str
    pid: int
    rss: float
    parent: int = 0
    """The process of the same role that made it, one of a pool's; 0 where nobody did."""


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was found; `problems` is empty where the soak passed."""

    seconds: float
    violations: Sequence[str] = ()
    slopes: Mapping[str, float] = field(default_factory=dict)
    unjudged: Sequence[str] = ()
    """Roles none of whose processes lived long enough."""
    replaced: int = 0
    """Processes of pools that came to their end by themselves."""
    jitter_ms: float = 0.0
    """Of all ticks but those of blows; what is judged is `quiet_jitter_ms`."""
    quiet_jitter_ms: float = 0.0
    quiet_ticks: int = 0
    """Pauses between ticks in which no load of others kept everybody waiting, and their jitter."""
    woken_ms: float = 0.0
    """By how much a process that only wakes woke late (99 % of seconds)."""
    others: float = 0.0
    """Processors that everything else on the machine used."""
    ticks: int = 0
    frames: int = 0
    lost: int = 0
    requests: int = 0
    failed: int = 0
    faults: int = 0
    files_mb: float = 0.0
    log_mb: float = 0.0
    """Of the database's write-ahead log, which long readers make grow."""
    rows_a_minute: float = 0.0
    is_well: bool = True

    @property
    def problems(self) -> list[str]:
        """Return each promise that did not hold, in words."""
        found = [f"broken: {violation}" for violation in self.violations]
        if self.seconds >= LONG_S:
            found += self._of_memory()
        if not self.ticks:
            found.append("there was no tick")
        elif self.quiet_ticks < min(LEAST_QUIET_TICKS, self.ticks // 3):
            found.append(
                f"only {self.quiet_ticks} of {self.ticks} ticks can be judged: others used {self.others:.1f} processors"
            )
        if not self.frames:
            found.append("no socket received anything")
        if self.lost:
            found.append(f"sockets missed {self.lost} frames without a snapshot")
        if self.failed:
            found.append(f"{self.failed} of {self.requests} requests failed while nothing was broken")
        if not self.is_well:
            found.append("in the end the system did not become healthy again")
        return found + self._of_bounds()

    def _of_memory(self) -> list[str]:
        found = [
            f"{role} grows by {slope:.1f} MB/h, {MOST_SLOPE:g} is the most"
            for role, slope in self.slopes.items()
            if slope > MOST_SLOPE
        ]
        if self.unjudged:
            found.append(f"nothing is known of the memory of {', '.join(self.unjudged)}: run longer")
        return found

    def _of_bounds(self) -> list[str]:
        minutes = self.seconds / 60
        measured = (
            (self.quiet_jitter_ms, MOST_JITTER_MS, "ticks came {:.0f} ms off (99 %), {:g} is the most"),
            (self.files_mb, MOST_FILES_MB, "the data directory has grown to {:.0f} MB, {:g} is the most"),
            (self.log_mb, MOST_LOG_MB, "the write-ahead log has grown to {:.0f} MB, {:g} is the most"),
            (self.rows_a_minute, MOST_ROWS_A_MINUTE, "{:.0f} rows came a minute, {:g} is the most"),
            (self.replaced / minutes, MOST_REPLACED_A_MINUTE, "pools replaced {:.1f} processes a minute, {:g} is the most"),
        )  # fmt: skip
        return [words.format(value, most) for value, most, words in measured if value > most]

    @property
    def line(self) -> str:
        steepest = max(self.slopes.items(), key=lambda item: item[1], default=("none", 0.0))
        return (
            f"minutes={self.seconds / 60:.0f} violations={len(self.violations)} ticks={self.ticks} "
            f"jitter_p99_ms={self.quiet_jitter_ms:.0f}(of {self.quiet_ticks} undisturbed) all_p99_ms={self.jitter_ms:.0f} "
            f"woken_p99_ms={self.woken_ms:.0f} others={self.others:.2f} slope_mb_h={steepest[1]:.1f}({steepest[0]}) "
            f"replaced={self.replaced} frames={self.frames} "
            f"lost={self.lost} "
            f"requests={self.requests} failed={self.failed} faults={self.faults} "
            f"files_mb={self.files_mb:.0f} log_mb={self.log_mb:.0f} rows_a_minute={self.rows_a_minute:.0f}"
        )


def slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """Return by role the steepest growth (megabytes an hour) of any of its processes that lived long enough, 0 for a step.

    A process of a pool that was replaced before the last sample is left out: what it may take is bounded by that.
    """
    found: dict[str, float] = {}
    ended = {life[0].pid for life in replaced(samples)}
    for life in _lives(samples):
        begin = life[0].at + max(WARM_S, WARM * (life[-1].at - life[0].at))
        points = [(sample.at, sample.rss) for sample in life if sample.at >= begin]
        if life[0].pid not in ended and points and points[-1][0] - points[0][0] >= LEAST_LIFE_S:
            role, steep = _role(life), slope(points)
            grown = steep * (points[-1][0] - points[0][0]) >= STEP_MB
            found[role] = max(found.get(role, -math.inf), 3600 * steep if grown else min(3600 * steep, 0.0))
    return found


def unjudged(samples: Sequence[Sample]) -> list[str]:
    """Return the roles of which `slopes` says nothing; processes of pools may all have been replaced."""
    told = slopes(samples)
    return sorted({_role(life) for life in _lives(samples) if not life[0].parent} - told.keys())


def replaced(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return the lives of those processes of pools that ended while what made them lived on."""
    lives = _lives(samples)
    ends = {life[0].pid: life[-1].at for life in lives}
    return [life for life in lives if life[0].parent and life[-1].at < ends.get(life[0].parent, math.inf)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of all pairs of points that lie apart (Theil, Sen): single peaks do not turn it."""
    thin = points[:: max(1, len(points) // MOST_POINTS)]
    pairs = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(thin, 2) if b[0] - a[0] >= APART_S]
    return median(pairs) if pairs else 0.0


def _lives(samples: Sequence[Sample]) -> list[list[Sample]]:
    lives: dict[tuple[str, int], list[Sample]] = {}
    for sample in samples:
        lives.setdefault((sample.role, sample.pid), []).append(sample)
    return list(lives.values())


def _role(life: Sequence[Sample]) -> str:
    return f"{life[0].role}-child" if life[0].parent else life[0].role


def jitter(
    started: Sequence[float], *, every: float, breaks: Sequence[tuple[float, float]], share: float = 0.99
) -> float:
    """Return how far (milliseconds) ticks came from their pause, at the given share of them; breaks are left out."""
    return highest((abs(pause - every) * 1000 for pause in _pauses(started, breaks)), share=share)


def outside(started: Sequence[float], *, breaks: Sequence[tuple[float, float]]) -> int:
    """Return of how many pauses between ticks `jitter` tells."""
    return len(_pauses(started, breaks))


def highest(values: Iterable[float], *, share: float) -> float:
    """Return what the given share of the values does not exceed, 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _pauses(started: Sequence[float], breaks: Sequence[tuple[float, float]]) -> list[float]:
    return [
        after - before
        for before, after in pairwise(started)
        if not any(begin <= after and before <= end for begin, end in breaks)
    ]
