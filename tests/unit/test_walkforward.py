"""Walking forward: windows by hand, choices that know nothing of what follows, and the efficiency of made-up walks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.unit.core_values import walk as made_bars
from tests.unit.results_values import field, silent
from trading.core.candles import Candles
from trading.research import search, trials, walkforward
from trading.research.search import Plan, SearchError, axis
from trading.research.trials import Trial
from trading.research.walkforward import Step, Walk, Window

PLAN = Plan(axes=[axis("fast_sma=5,15"), axis("stop_atr=1,3")], method="grid", points=1, seed=1, min_trades=1)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def test_rolling_windows_have_one_length_and_the_last_may_end_early() -> None:
    found = walkforward.windows(day(1, 6), day(20), train=5, test=4, is_anchored=False)

    # 6 hours after the first midnight, so the first split is the next midnight after day 6, 6 o'clock.
    assert found == [
        Window(begin=day(2), split=day(7), end=day(11)),
        Window(begin=day(6), split=day(11), end=day(15)),
        Window(begin=day(10), split=day(15), end=day(19)),
    ]
    assert walkforward.windows(day(1), day(13), train=5, test=5, is_anchored=False)[-1] == Window(
        begin=day(1), split=day(6), end=day(11)
    )
    assert walkforward.windows(day(1), day(14), train=5, test=5, is_anchored=False)[-1].end == day(14)


def test_anchored_windows_all_begin_with_the_stretch() -> None:
    found = walkforward.windows(day(1, 6), day(20), train=5, test=4, is_anchored=True)

    assert [each.begin for each in found] == [day(1, 6)] * 3
    assert [each.split for each in found] == [day(7), day(11), day(15)]


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [(0, 5, "give 1 or more of each"), (5, 0, "give 1 or more of each"), (25, 5, "19.0 days are too few for a window")],
)
def test_windows_that_do_not_fit_are_refused(train: int, test: int, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        walkforward.windows(day(1), day(20), train=train, test=test, is_anchored=False)


def walked(bars: Candles) -> Walk:
    ground = field(bars)
    splits = walkforward.windows(ground.stretch.first, ground.stretch.last, train=5, test=3, is_anchored=False)
    return walkforward.walk(ground, PLAN, splits, silent)


def test_what_follows_a_split_does_not_change_the_choice_before_it() -> None:
    bars = made_bars(3, 96 * 14)
    ground = field(bars)
    last = walkforward.windows(ground.stretch.first, ground.stretch.last, train=5, test=3, is_anchored=False)[-1]
    later = np.arange(len(bars)) >= int(np.searchsorted(bars.opened, last.split.timestamp() * 1000))
    crash = np.exp(np.cumsum(np.where(later, -0.002, 0.0)))
    columns = {name: getattr(bars, name) * crash for name in ("open", "high", "low", "close")}
    columns["high"] = np.maximum(columns["high"], columns["open"])

    one, other = walked(bars), walked(replace(bars, **columns))

    assert [each.chosen.values for each in one.steps if each.chosen] == [
        each.chosen.values for each in other.steps if each.chosen
    ]
    assert [each.chosen.figures for each in one.steps if each.chosen] == [
        each.chosen.figures for each in other.steps if each.chosen
    ]
    assert one.steps[-1].usual.figures != other.steps[-1].usual.figures


def test_each_window_trades_what_was_best_before_it_and_the_days_follow_each_other() -> None:
    bars = made_bars(5, 96 * 14)
    ground = field(bars)

    found = walked(bars)

    assert len(found.steps) == 3
    for step in found.steps:
        assert step.chosen is not None
        assert step.tested is not None
        before = ground.between(step.window.begin, step.window.split)
        best = max(trials.run(before, point).figures["sharpe"] or -99.0 for point in search.grid(PLAN.axes))
        assert step.chosen.figures["sharpe"] == best
        assert step.tested.values == step.chosen.values
        after = ground.between(step.window.split, step.window.end)
        assert step.tested.figures == trials.run(after, step.chosen.values).figures
    assert len(found.daily) == len(found.usual_daily) == 8  # the last window has two days


def made(*, before: float | None, after: float) -> Step:
    def trial(mean: float) -> Trial:
        return Trial(values={}, trades=9, figures={"return_fraction": mean}, daily=np.array([mean - 0.01, mean + 0.01]))

    window = Window(begin=day(1), split=day(2), end=day(3))
    chosen = None if before is None else trial(before)
    return Step(window=window, chosen=chosen, tested=trial(after) if chosen else None, usual=trial(0.0))


def walk_of(*steps: Step) -> Walk:
    daily = [each.tested.daily if each.tested else np.zeros(2) for each in steps]
    return Walk(steps=steps, daily=np.concatenate(daily), usual_daily=np.zeros(2 * len(steps)))


def test_efficiency_is_the_share_of_the_gain_that_is_left_after_the_split() -> None:
    found = walk_of(made(before=0.004, after=0.001), made(before=0.002, after=0.002), made(before=0.003, after=-0.0015))

    assert found.efficiency == pytest.approx(0.0005 / 0.003)
    assert found.profitable_fraction == pytest.approx(2 / 3)


def test_there_is_no_share_of_nothing_and_no_window_that_traded_has_none() -> None:
    assert walk_of(made(before=-0.001, after=0.004)).efficiency is None
    assert walk_of(made(before=None, after=0.0)).efficiency is None
    assert walk_of(made(before=None, after=0.0)).profitable_fraction is None


def test_a_field_between_two_moments_knows_nothing_later() -> None:
    ground = field(made_bars(1, 500))
    last = ground.stretch.last - timedelta(hours=20)

    part = ground.between(ground.stretch.first + timedelta(hours=50), last)

    assert len(part.stretch.series["BTC/USDT"]) == 420
    assert part.stretch.series["BTC/USDT"].closed_at(419) == last
