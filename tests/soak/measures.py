"""What a soak measures, from samples that were taken of the running system; nothing here asks anybody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WARM = 0.3
"""This part of a process's life is left out: it fills its caches."""
LEAST_SAMPLES = 10
MOST_SLOPE = 5.0
"""Megabytes an hour; of a run shorter than LONG_S it is told, not judged."""
LONG_S = 1200.0
MOST_JITTER_MS = 500.0
MOST_FILES_MB, MOST_ROWS_A_MINUTE = 400.0, 2_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process at one moment: seconds since the beginning, and megabytes."""

    at: float
    role: str
    pid: int
    rss: float


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was found; `problems` is empty where the soak passed."""

    seconds: float
    violations: Sequence[str] = ()
    slopes: Mapping[str, float] = field(default_factory=dict)
    jitter_ms: float = 0.0
    ticks: int = 0
    frames: int = 0
    lost: int = 0
    requests: int = 0
    failed: int = 0
    faults: int = 0
    files_mb: float = 0.0
    rows_a_minute: float = 0.0
    is_well: bool = True

    @property
    def problems(self) -> list[str]:
        """Return each promise that did not hold, in words."""
        found = [f"broken: {violation}" for violation in self.violations]
        if self.seconds >= LONG_S:
            found += [
                f"{role} grows by {slope:.1f} MB/h, {MOST_SLOPE:g} is the most"
                for role, slope in self.slopes.items()
                if slope > MOST_SLOPE
            ]
        if not self.ticks:
            found.append("there was no tick")
        elif self.jitter_ms > MOST_JITTER_MS:
            found.append(f"ticks came {self.jitter_ms:.0f} ms off (99 %), {MOST_JITTER_MS:g} is the most")
        if not self.frames:
            found.append("no socket received anything")
        if self.lost:
            found.append(f"sockets missed {self.lost} frames without a snapshot")
        if self.failed:
            found.append(f"{self.failed} of {self.requests} requests failed while nothing was broken")
        if self.files_mb > MOST_FILES_MB:
            found.append(f"the data directory has grown to {self.files_mb:.0f} MB, {MOST_FILES_MB:g} is the most")
        if self.rows_a_minute > MOST_ROWS_A_MINUTE:
            found.append(f"{self.rows_a_minute:.0f} rows came a minute, {MOST_ROWS_A_MINUTE:g} is the most")
        if not self.is_well:
            found.append("in the end the system did not become healthy again")
        return found

    @property
    def line(self) -> str:
        steepest = max(self.slopes.items(), key=lambda item: item[1], default=("none", 0.0))
        return (
            f"minutes={self.seconds / 60:.0f} violations={len(self.violations)} ticks={self.ticks} "
            f"jitter_p99_ms={self.jitter_ms:.0f} slope_mb_h={steepest[1]:.1f}({steepest[0]}) frames={self.frames} "
            f"lost={self.lost} requests={self.requests} failed={self.failed} faults={self.faults} "
            f"files_mb={self.files_mb:.0f} rows_a_minute={self.rows_a_minute:.0f}"
        )


def slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """Return by role how many megabytes an hour its longest-lived process has grown by, after its beginning."""
    lives: dict[tuple[str, int], list[Sample]] = {}
    for sample in samples:
        lives.setdefault((sample.role, sample.pid), []).append(sample)
    longest: dict[str, list[Sample]] = {}
    for (role, _), life in lives.items():
        if len(life) > len(longest.get(role, [])):
            longest[role] = life
    found = {}
    for role, life in longest.items():
        begin = life[0].at + WARM * (life[-1].at - life[0].at)
        points = [(sample.at, sample.rss) for sample in life if sample.at >= begin]
        if len(points) >= LEAST_SAMPLES:
            found[role] = 3600 * slope(points)
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits best (least squares)."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def jitter(
    started: Sequence[float], *, every: float, breaks: Sequence[tuple[float, float]], share: float = 0.99
) -> float:
    """Return how far (milliseconds) ticks came from their pause, at the given share of them; breaks are left out."""
    off = sorted(
        abs(after - before - every) * 1000
        for before, after in pairwise(started)
        if not any(begin <= after and before <= end for begin, end in breaks)
    )
    return off[min(len(off) - 1, math.ceil(share * len(off)) - 1)] if off else 0.0
