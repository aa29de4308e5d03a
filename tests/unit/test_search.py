"""Searches: axes as people write them, every point of a grid, draws that repeat, and Optuna's way uphill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core_values import walk
from tests.unit.results_values import field, silent
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.research import search, trials
from trading.research.search import Axis, Plan, SearchError, axis


def plan(*texts: str, method: str = "grid", points: int = 8, seed: int = 1, min_trades: int = 1) -> Plan:
    return Plan(axes=[axis(text) for text in texts], method=method, points=points, seed=seed, min_trades=min_trades)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("stop_atr=1,2.5", (1.0, 2.5)),
        ("stop_atr=1:2:0.25", (1.0, 1.25, 1.5, 1.75, 2.0)),
        ("risk_fraction=0.01:0.03:0.01", (0.01, 0.02, 0.03)),
        ("fast_sma=5:16:5", (5, 10, 15)),
        ("fast_sma=7", (7,)),
        ("trailing", (False, True)),
        ("trailing=true", (True,)),
        ("entry_fallback", ("market", "abandon")),
    ],
)
def test_an_axis_has_the_values_that_are_written(text: str, values: tuple[Any, ...]) -> None:
    made = axis(text)

    assert made.values == values
    assert [type(each) for each in made.values] == [type(each) for each in values]


def test_an_axis_without_values_has_a_range() -> None:
    assert axis("stop_atr=1:4") == Axis(name="stop_atr", low=1.0, high=4.0)
    assert axis("slow_sma") == Axis(name="slow_sma", low=3, high=400)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stop", "'stop' is no parameter that can be searched"),
        ("pairs=BTC/USDT", "'pairs' is no parameter that can be searched"),
        ("stop_atr=1,99", "stop_atr: 99 is outside 0.2 to 10"),
        ("stop_atr=wide", "stop_atr: 'wide' is not a number"),
        ("stop_atr=nan", "stop_atr: nan is not a finite number"),
        ("fast_sma=2.5", "fast_sma: 2.5 is not a whole number"),
        ("stop_atr=4:1", "'stop_atr=4:1' is empty"),
        ("stop_atr=1:4:0", "'stop_atr=1:4:0' is no range"),
        ("stop_atr=1:4:1e-9", "is no range"),
        ("stop_atr=1:2:3:4", "is no range"),
        ("trailing=maybe", "'maybe' is neither true nor false"),
        ("entry_fallback=pray", "'pray' is not one of market, abandon"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        axis(text)


@given(name=st.sampled_from([name for name in SPECS if name not in search.NOT_SOUGHT]), seed=st.integers(0, 99))
def test_whatever_is_drawn_from_a_parameters_range_is_one_of_its_values(name: str, seed: int) -> None:
    drawn = axis(name).draw(np.random.default_rng(seed))

    assert SPECS[name].clean(drawn) == drawn


def test_a_grid_has_every_combination_in_order() -> None:
    assert search.grid([axis("fast_sma=5,10"), axis("trailing")]) == [
        {"fast_sma": 5, "trailing": False},
        {"fast_sma": 5, "trailing": True},
        {"fast_sma": 10, "trailing": False},
        {"fast_sma": 10, "trailing": True},
    ]


@pytest.mark.parametrize(
    ("_case", "asked", "words"),
    [
        ("no step", plan("stop_atr=1:4"), "a grid needs values: write stop_atr=from:to:step"),
        ("too many", plan("stop_atr=1:4:0.001", "fast_sma=2:40:1"), "points is too large"),
        ("nothing", plan(), "name each parameter to search once"),
        ("twice", plan("fast_sma=5", "fast_sma=6"), "name each parameter to search once"),
        ("all contradict", plan("fast_sma=50", "slow_sma=20,30"), "all 2 points contradict themselves"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(_case: str, asked: Plan, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        search.search(field(walk(1, 400)), asked, silent)


def test_points_that_contradict_themselves_are_counted_and_the_best_comes_first() -> None:
    ground = field(walk(3, 900))

    found = search.search(ground, plan("fast_sma=5,10,50", "slow_sma=20,40"), silent)

    assert found.contradictions == 2
    assert [dict(each.values) for each in found.trials][:2] == [
        {"fast_sma": 5, "slow_sma": 20},
        {"fast_sma": 5, "slow_sma": 40},
    ]
    scores = [each.figures["sharpe"] for each in found.ranked("sharpe", min_trades=1)]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert found.ranked("sharpe", min_trades=10_000) == []


def test_a_trial_is_the_backtest_of_its_parameters() -> None:
    ground = field(walk(3, 900))
    result = trials.result_of(ground, Params.of({**ground.stretch.params.as_json(), "stop_atr": 3.0}))

    made = trials.run(ground, {"stop_atr": 3.0})

    assert made.trades == len([each for each in result.trades if each.closed_at])
    assert made.figures["return_fraction"] == pytest.approx(float(result.equity) / 10_000 - 1.0)
    assert made.figures != trials.run(ground, {}).figures
    with pytest.raises(ParamsError):
        trials.run(ground, {"fast_sma": 200, "slow_sma": 20})


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_a_seed_tries_the_same_points_again_and_another_one_others(method: str) -> None:
    ground = field(walk(3, 500))

    found = [
        search.search(ground, plan("stop_atr=1:4", "fast_sma=5:60", "trailing", method=method, seed=seed), silent)
        for seed in (1, 1, 2)
    ]

    points = [[dict(each.values) for each in one.trials] for one in found]
    assert points[0] == points[1] != points[2]
    assert len(points[0]) + found[0].contradictions == 8
    assert all(1 <= each["stop_atr"] <= 4 and 5 <= each["fast_sma"] <= 60 for each in points[0])


def test_optuna_comes_closer_to_the_best_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    def hill(ground: trials.Field, values: dict[str, Any]) -> trials.Trial:
        score = -abs(values["stop_atr"] - 7.0) - abs(values["fast_sma"] - 100) / 20
        return trials.Trial(values=values, trades=99, figures={"sharpe": score}, daily=np.empty(0))

    monkeypatch.setattr(trials, "run", hill)
    found = {
        method: search.search(
            field(walk(1, 300)), plan("stop_atr", "fast_sma", method=method, points=60), silent
        ).ranked("sharpe", min_trades=1)
        for method in ("random", "optuna")
    }

    best = {method: ranked[0].figures["sharpe"] or -99.0 for method, ranked in found.items()}
    assert best["optuna"] > best["random"]
    assert best["optuna"] > -0.5
