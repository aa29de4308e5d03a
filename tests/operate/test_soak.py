"""What a soak makes of its samples: slopes, jitter, and that each broken promise fails it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.soak import measures
from tests.soak.measures import Found, Sample

WELL = Found(seconds=3600, slopes={"trading": 1.0}, jitter_ms=200, ticks=1800, frames=100, requests=50, faults=3)


def life(role: str, pid: int, *, begin: float = 0.0, end: float = 3600.0, growth: float) -> list[Sample]:
    """Return a process that grows by so many megabytes an hour after it has filled its caches."""
    times = [begin + (end - begin) * step / 100 for step in range(101)]
    return [
        Sample(
            at=at, role=role, pid=pid, rss=100 + growth * at / 3600 + (0 if at - begin > 0.2 * (end - begin) else -50)
        )
        for at in times
    ]


def test_growth_is_told_an_hour_and_the_beginning_is_left_out() -> None:
    samples = [*life("trading", 1, growth=7.0), *life("work", 2, growth=0.0)]

    found = measures.slopes(samples)

    assert found["trading"] == pytest.approx(7.0)
    assert found["work"] == pytest.approx(0.0, abs=1e-9)


def test_of_a_role_the_longest_life_counts() -> None:
    short = life("work", 2, begin=0, end=5, growth=4000.0)[:50]

    assert measures.slopes([*life("work", 1, growth=1.0), *short])["work"] == pytest.approx(1.0)
    assert measures.slopes(short[:5]) == {}


def test_jitter_is_the_distance_from_the_pause_and_blows_are_left_out() -> None:
    started = [0.0, 2.0, 4.1, 6.1, 30.0, 32.0]

    assert measures.jitter(started, every=2.0, breaks=[(7.0, 29.0)]) == pytest.approx(100.0)
    assert measures.jitter(started, every=2.0, breaks=[]) == pytest.approx(21_900.0)
    assert measures.jitter([1.0], every=2.0, breaks=[]) == 0.0


def test_a_system_that_kept_every_promise_passes() -> None:
    assert WELL.problems == []
    assert WELL.line.startswith("minutes=60 violations=0 ticks=1800 jitter_p99_ms=200 slope_mb_h=1.0(trading)")


@pytest.mark.parametrize(
    "changed",
    [
        {"violations": ["I-14 a: b"]},
        {"slopes": {"web": 5.1}},
        {"jitter_ms": 501.0},
        {"ticks": 0},
        {"frames": 0},
        {"lost": 1},
        {"failed": 1},
        {"files_mb": 401.0},
        {"rows_a_minute": 2001.0},
        {"is_well": False},
    ],
    ids=str,
)
def test_each_broken_promise_fails_it(changed: dict[str, Any]) -> None:
    assert len(replace(WELL, **changed).problems) == 1


def test_a_short_run_tells_growth_and_does_not_judge_it() -> None:
    assert replace(WELL, seconds=600, slopes={"web": 50.0}).problems == []
