"""What a soak makes of its samples: slopes, jitter, and that each broken promise fails it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.processes import eventually
from tests.soak import machine, market, measures
from tests.soak.measures import Found, Sample
from trading.core.candles import resample

WELL = Found(
    seconds=3600,
    slopes={"trading": 1.0},
    jitter_ms=200,
    quiet_jitter_ms=200,
    quiet_ticks=1500,
    ticks=1800,
    frames=100,
    requests=50,
    faults=3,
)


def life(
    role: str, pid: int, *, begin: float = 0.0, end: float = 3600.0, growth: float, parent: int = 0
) -> list[Sample]:
    """Return a process that grows by so many megabytes an hour after it has filled its caches, with a peak now and then."""
    steps = round((end - begin) / 5)
    found = []
    for step in range(steps + 1):
        at = begin + (end - begin) * step / steps
        cold = -50 if at - begin < 0.2 * (end - begin) else 0
        peak = 200 if step % 60 == 59 or at > end - 10 else 0
        found.append(Sample(at=at, role=role, pid=pid, rss=100 + growth * at / 3600 + cold + peak, parent=parent))
    return found


def test_growth_is_told_an_hour_and_neither_the_beginning_nor_peaks_turn_it() -> None:
    samples = [*life("trading", 1, growth=7.0), *life("work", 2, growth=0.0)]

    found = measures.slopes(samples)

    assert found["trading"] == pytest.approx(7.0, abs=0.01)
    assert found["work"] == pytest.approx(0.0, abs=1e-9)
    assert measures.unjudged(samples) == []


def test_of_a_role_the_process_that_grows_most_counts_and_short_lives_do_not() -> None:
    short = life("work", 3, begin=0, end=800, growth=4000.0)
    samples = [*life("work", 1, begin=1000, growth=1.0), *life("work", 2, end=1800, growth=9.0), *short]

    assert measures.slopes(samples)["work"] == pytest.approx(9.0, abs=0.01)
    assert measures.slopes(short) == {}
    assert measures.unjudged(short) == ["work"]


def restless(draw: random.Random, *, end: float, growth: float) -> list[Sample]:
    """Return a process whose memory wavers by a megabyte and takes a step of at most one and a half at some moment."""
    step_at, step = draw.uniform(0, end), draw.uniform(0, 1.5)
    return [
        replace(each, rss=each.rss + draw.gauss(0, 1.0) + (step if each.at > step_at else 0))
        for each in life("web", 1, end=end, growth=growth)
    ]


def test_what_only_wavers_is_never_taken_for_growth_and_growth_is_never_missed() -> None:
    draw = random.Random(7)
    flat = [measures.slopes(restless(draw, end=draw.uniform(1000, 3600), growth=0.0)) for _ in range(25)]
    leaking = [measures.slopes(restless(draw, end=3600.0, growth=9.0)) for _ in range(15)]

    assert len(flat[0]) == 1
    assert max(found["web"] for found in flat) <= measures.MOST_SLOPE
    assert min(found["web"] for found in leaking) > measures.MOST_SLOPE


def test_a_child_that_was_replaced_is_counted_and_one_that_stays_is_judged() -> None:
    master, stays = life("work", 1, growth=0.0), life("work", 2, growth=6.0, parent=1)
    recycled = life("work", 3, begin=100, end=2000, growth=400.0, parent=1)
    killed_with_its_parent = life("work", 5, end=1800, growth=9.0, parent=4)
    samples = [*master, *stays, *recycled, *life("work", 4, end=1800, growth=0.0), *killed_with_its_parent]

    assert [each[0].pid for each in measures.replaced(samples)] == [3]
    assert measures.slopes(samples) == {
        "work": pytest.approx(0.0, abs=1e-9),
        "work-child": pytest.approx(9.0, abs=0.01),
    }


def test_an_hour_of_the_simulated_market_passes_in_a_minute() -> None:
    now = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)
    fast = market.SimulatedMarket(seed=7)

    minutes = fast.candles("BTC/USDT", "1m", now=now, limit=45)
    longer = fast.candles("BTC/USDT", "15m", now=now, limit=3)
    last = fast.tickers(["BTC/USDT"], now=now.replace(second=0))["BTC/USDT"]

    assert len(minutes) == 45
    assert last.price == minutes.close[-1]
    assert timedelta(0) <= now.replace(second=0) - last.at <= timedelta(milliseconds=84)
    assert np.array_equal(resample(minutes, "15m").close, longer.close)
    assert market._inside(now + timedelta(minutes=1)) - market._inside(now) == timedelta(hours=1)


def test_jitter_is_the_distance_from_the_pause_and_blows_are_left_out() -> None:
    started = [0.0, 2.0, 4.1, 6.1, 30.0, 32.0]

    assert measures.jitter(started, every=2.0, breaks=[(7.0, 29.0)]) == pytest.approx(100.0)
    assert measures.jitter(started, every=2.0, breaks=[]) == pytest.approx(21_900.0)
    assert measures.jitter([1.0], every=2.0, breaks=[]) == 0.0


def test_only_what_others_did_is_no_fault_of_ours() -> None:
    late = [(100.0, 0.0), (101.0, 3.0), (102.0, 80.0), (103.0, 2.0), (104.0, 400.0)]

    assert machine.held_up(late, [(95.0, 103.0, 1.5), (103.0, 108.0, 0.1)]) == [(101.0, 102.0)]
    assert machine.held_up(late, []) == []
    assert measures.outside([99.0, 101.5, 103.0, 105.0], breaks=[(101.0, 102.0)]) == 1


def test_the_processors_that_others_use_are_all_but_ours() -> None:
    others, burner = machine.Others(), "while True: pass"
    others.note([os.getpid()])
    with subprocess.Popen([sys.executable, "-c", burner]) as foreign:
        time.sleep(1.5)
        others.note([os.getpid()])
        time.sleep(1.5)
        others.note([os.getpid(), foreign.pid])  # what it has used so far counts as ours now
        foreign.kill()

    assert others.used[0][2] > 0.25
    assert others.mean > 0


def test_a_tick_that_waits_for_a_processor_that_others_have_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    others, waited, busy = machine.Others(), iter([1.0, 1.1, 1.9, 2.9]), iter([0.0, 100.0, 200.0, 200.0])
    monkeypatch.setattr(machine, "_waited_s", lambda pid: next(waited))
    monkeypatch.setattr(machine, "_busy_s", lambda: next(busy))
    for _ in range(4):
        others.note([], [7])

    # At first it hardly waited, and at last nobody else was there.
    assert others.kept_waiting == [others.used[1][:2]]


def test_a_process_among_others_that_want_the_same_processor_waits() -> None:
    before = machine._waited_s(os.getpid())
    burner = [sys.executable, "-c", "import os\nos.sched_setaffinity(0, {0})\nwhile True: pass"]
    mine = os.sched_getaffinity(0)
    with subprocess.Popen(burner) as one, subprocess.Popen(burner) as other:
        os.sched_setaffinity(0, {0})
        try:
            assert eventually(lambda: sum(range(200_000)) > 0 and machine._waited_s(os.getpid()) > before + 0.2)
        finally:
            os.sched_setaffinity(0, mine)
            one.kill()
            other.kill()


def test_a_second_is_told_by_its_latest_wake(tmp_path: Path) -> None:
    with machine.bystander(tmp_path / "woken"):
        assert eventually(lambda: (tmp_path / "woken").exists() and len(machine.lateness(tmp_path / "woken")) > 1)

    (first, late), (second, _), *_ = machine.lateness(tmp_path / "woken")
    assert late > 0
    assert second - first >= 1


def test_a_system_that_kept_every_promise_passes() -> None:
    assert WELL.problems == []
    assert WELL.line.startswith("minutes=60 violations=0 ticks=1800 jitter_p99_ms=200(of 1500 undisturbed) ")


@pytest.mark.parametrize(
    "changed",
    [
        {"violations": ["I-14 a: b"]},
        {"slopes": {"web": 5.1}},
        {"unjudged": ["web"]},
        {"replaced": 601},
        {"log_mb": 65.0},
        {"quiet_jitter_ms": 501.0},
        {"quiet_ticks": 49},
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
    assert replace(WELL, seconds=600, slopes={"web": 50.0}, unjudged=["web"]).problems == []
