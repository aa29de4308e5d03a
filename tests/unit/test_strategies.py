from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.unit.core_values import NAN, EveryBar, measured, priced, walk
from trading.core import indicators, strategies
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.strategies import BandReversion, Sides, Strategy, StrategyError, TrendCross, first_entries
from trading.core.types import REGIMES, Regime

USER_PATH = "tests.unit.core_values.EveryBar"
BUILT_IN = ("trading.core.strategies.TrendCross", "trading.core.strategies.BandReversion")
WARMUP = indicators.warmup_bars(Params())


class Told:
    """Answers what it was told, from the first bar on."""

    def __init__(self, answer: Any, *, name: str = "told", warmup: int = 0) -> None:
        self.answer, self.name, self.warmup = answer, name, warmup

    def warmup_bars(self, params: Params) -> int:
        return self.warmup

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return self.answer  # type: ignore[no-any-return]


class Nameless:
    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.zeros(len(candles), dtype=np.int8)


class NeedsArguments(EveryBar):
    def __init__(self, secret: str) -> None:
        self.secret = secret


not_a_class = 5


def trend(fast: Sequence[float], slow: Sequence[float], params: Params | None = None, **columns: Any) -> list[int]:
    return sides(TrendCross(), params, sma_fast=np.array(fast), sma_slow=np.array(slow), **columns)


def reversion(closes: Sequence[float], params: Params | None = None, **columns: Any) -> list[int]:
    measures = {"regime": Regime.RANGING.code, "bollinger_low": 95.0, "bollinger_high": 105.0} | columns
    return sides(BandReversion(), params, closes=np.array(closes), **measures)


def sides(
    strategy: Strategy, params: Params | None = None, *, closes: Floats | None = None, **columns: Any
) -> list[int]:
    bars = len(closes) if closes is not None else len(columns["sma_fast"])
    candles = priced(np.full(bars, 100.0) if closes is None else closes)
    found = strategy.sides(candles, measured(bars, **columns), params or Params())
    return [int(side) for side in found]


def entries(found: Sequence[Strategy], bars: int = 5) -> tuple[list[int], list[int]]:
    side, finder = first_entries(found, priced(np.full(bars, 100.0)), measured(bars), Params())
    return side.tolist(), finder.tolist()


def test_a_cross_up_is_a_long_on_the_bar_that_closed_above() -> None:
    found = trend([1, 2, 4, 5, 5, 5], [3, 3, 3, 3, 4, 5])

    assert found == [0, 0, 1, 0, 0, 0]


def test_a_cross_down_is_a_short_on_the_bar_that_closed_below() -> None:
    found = trend([5, 4, 2, 1, 2, 3], [3, 3, 3, 3, 3, 3])

    assert found == [0, 0, -1, 0, 0, 0]


@pytest.mark.parametrize(
    ("_case", "fast", "expected"),
    [
        ("touched, then above", [2, 3, 4], [0, 0, 1]),
        ("touched, then below", [4, 3, 2], [0, 0, -1]),
        ("touched and back", [4, 3, 4], [0, 0, 1]),
        ("never apart", [3, 3, 3], [0, 0, 0]),
        ("from one side to the other at once", [1, 5, 1], [0, 1, -1]),
        ("above from the first bar on", [5, 5, 5], [0, 0, 0]),
        ("missing before", [NAN, 5, 5], [0, 0, 0]),
        ("missing on the bar", [1, NAN, 5], [0, 0, 0]),
    ],
)
def test_a_cross_needs_two_closed_bars(_case: str, fast: list[float], expected: list[int]) -> None:
    assert trend(fast, [3.0, 3.0, 3.0]) == expected


def test_a_bar_that_has_not_closed_yet_decides_nothing() -> None:
    # The average would cross on the third bar; while that bar forms, only the first two exist.
    assert trend([1, 2], [3, 3]) == [0, 0]
    assert trend([1, 2, 4], [3, 3, 3]) == [0, 0, 1]


def test_a_cross_is_found_on_the_bar_where_the_averages_of_closes_cross() -> None:
    params = Params.of({"fast_sma": 2, "slow_sma": 3, "hurst_window": 100})
    close = np.r_[np.linspace(120, 100, 150), 100.0, 100.5, 103.0, 104.0]
    candles = priced(close)
    analysis = analyse(candles, params)

    found = TrendCross().sides(candles, analysis, params)

    # Two-bar and three-bar means: 100.00, 100.04 then 100.25, 100.17: the third bar from the end is the first above.
    assert np.flatnonzero(found).tolist() == [len(close) - 3]
    assert found[-3] == 1


@pytest.mark.parametrize(
    ("_case", "rsi", "long", "short"),
    [
        ("hot at the bound", 75.0, 1, -1),
        ("too hot for a long", 75.01, 0, -1),
        ("cold at the bound", 25.0, 1, -1),
        ("too cold for a short", 24.99, 1, 0),
        ("missing", NAN, 0, 0),
    ],
)
def test_an_extreme_rsi_vetoes_a_cross(_case: str, rsi: float, long: int, short: int) -> None:
    assert trend([1, 5], [3, 3], rsi=rsi) == [0, long]
    assert trend([5, 1], [3, 3], rsi=rsi) == [0, short]


def test_a_cross_is_found_in_every_regime() -> None:
    for kind in REGIMES:
        assert trend([1, 5], [3, 3], regime=kind.code) == [0, 1]


@pytest.mark.parametrize(
    ("_case", "close", "rsi", "expected"),
    [
        ("at the lower band, cold", 95.0, 29.99, 1),
        ("below it, cold", 90.0, 10.0, 1),
        ("at the lower band, not cold enough", 95.0, 30.0, 0),
        ("just inside the lower band", 95.01, 10.0, 0),
        ("at the upper band, hot", 105.0, 70.01, -1),
        ("above it, hot", 110.0, 90.0, -1),
        ("at the upper band, not hot enough", 105.0, 70.0, 0),
        ("just inside the upper band", 104.99, 90.0, 0),
        ("at the lower band, but hot", 95.0, 90.0, 0),
        ("rsi missing", 90.0, NAN, 0),
    ],
)
def test_a_band_with_an_extreme_rsi_is_an_entry_against_it(_case: str, close: float, rsi: float, expected: int) -> None:
    assert reversion([close], rsi=rsi) == [expected]


def test_missing_bands_are_no_entry() -> None:
    assert reversion([90.0, 110.0], rsi=np.array([10.0, 90.0]), bollinger_low=NAN, bollinger_high=NAN) == [0, 0]


@pytest.mark.parametrize("kind", REGIMES)
def test_reversion_trades_in_a_ranging_market_only(kind: Regime) -> None:
    expected = 1 if kind is Regime.RANGING else 0

    assert reversion([90.0], rsi=10.0, regime=kind.code) == [expected]


def test_parameters_switch_each_strategy_off() -> None:
    no_trend, no_reversion = Params.of({"trend_entries": False}), Params.of({"reversion_entries": False})

    assert trend([1, 5], [3, 3], no_trend) == [0, 0]
    assert trend([1, 5], [3, 3], no_reversion) == [0, 1]
    assert reversion([90.0], no_reversion, rsi=10.0) == [0]
    assert reversion([90.0], no_trend, rsi=10.0) == [1]


def test_the_strategy_listed_first_wins_a_bar() -> None:
    one, other = Told([0, 1, 0, -1, 0], name="one"), Told([1, -1, 0, 1, -1], name="other")

    assert entries([one, other]) == ([1, 1, 0, -1, -1], [1, 0, -1, 0, 1])
    assert entries([other, one]) == ([1, -1, 0, 1, -1], [0, 0, -1, 0, 0])


def test_no_strategy_finds_nothing() -> None:
    assert entries([]) == ([0] * 5, [-1] * 5)


def test_a_strategy_is_silent_while_it_warms_up() -> None:
    hasty, other = Told([1] * 5, name="hasty", warmup=3), Told([-1] * 5, name="other", warmup=1)

    assert entries([hasty, other]) == ([0, -1, -1, 1, 1], [-1, 1, 1, 0, 0])
    assert entries([Told([1] * 5, warmup=9)]) == ([0] * 5, [-1] * 5)


def test_silencing_a_warm_up_leaves_the_strategys_own_array_alone() -> None:
    answer = np.ones(5, dtype=np.int8)

    entries([Told(answer, warmup=5)])

    assert answer.tolist() == [1] * 5


@pytest.mark.parametrize("strategy", [TrendCross(), BandReversion()])
def test_the_built_in_strategies_warm_up_with_their_indicators(strategy: Strategy) -> None:
    slow = Params.of({"slow_sma": 400, "fast_sma": 100})

    assert strategy.warmup_bars(Params()) == WARMUP == 201
    assert strategy.warmup_bars(slow) == 400


@pytest.mark.parametrize(
    ("_case", "answer"),
    [
        ("too short", [1] * 4),
        ("too long", [1] * 6),
        ("one number", 1),
        ("a table", [[1] * 5]),
        ("an unknown side", [0, 0, 2, 0, 0]),
        ("half a side", [0, 0.5, 0, 0, 0]),
        ("missing", [0, NAN, 0, 0, 0]),
        ("words", ["long"] * 5),
        ("nothing", None),
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused_by_name(_case: str, answer: Any) -> None:
    with pytest.raises(StrategyError, match="strategy 'told' must return one of -1, 0, 1 for each of 5 bars"):
        entries([Told(answer)])


@pytest.mark.parametrize("answer", [[True] * 5, [1.0] * 5, (1,) * 5, np.ones(5, dtype=np.int64)])
def test_an_answer_in_another_type_is_taken(answer: Any) -> None:
    assert entries([Told(answer)]) == ([1] * 5, [0] * 5)


def test_the_built_in_strategies_load_in_the_order_they_are_listed() -> None:
    loaded = strategies.load(BUILT_IN)

    assert [strategy.name for strategy in loaded] == ["trend", "reversion"]
    assert [strategy.name for strategy in strategies.load(BUILT_IN[::-1])] == ["reversion", "trend"]
    assert strategies.load([]) == ()


def test_a_users_own_class_runs_beside_the_built_in_ones() -> None:
    loaded = strategies.load([*BUILT_IN, USER_PATH])
    candles = walk(1, WARMUP + 300)

    side, finder = first_entries(loaded, candles, analyse(candles, Params()), Params())

    assert loaded[2].name == "every_bar"
    assert side.all()
    assert (finder[:WARMUP] == 2).all()
    assert set(finder[WARMUP:].tolist()) >= {0, 2}


@pytest.mark.parametrize(
    ("_case", "path"),
    [
        ("no such package", "mine.Strategy"),
        ("no such module", "trading.core.mine.Strategy"),
        ("no such class", "trading.core.strategies.Mine"),
        ("no module", "TrendCross"),
        ("nothing", ""),
        ("only a dot", "."),
        ("relative", ".strategies.TrendCross"),
        ("a module", "trading.core.strategies"),
        ("a number", "tests.unit.test_strategies.not_a_class"),
        ("the protocol itself", "trading.core.strategies.Strategy"),
        ("needs arguments", "tests.unit.test_strategies.NeedsArguments"),
        ("has no name", "tests.unit.test_strategies.Nameless"),
        ("no strategy at all", "trading.core.types.StrEnum"),
    ],
)
def test_what_cannot_be_loaded_is_named(_case: str, path: str) -> None:
    with pytest.raises(StrategyError) as refusal:
        strategies.load([USER_PATH, path])

    assert str(refusal.value).startswith("STRATEGIES: ")
    assert repr(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_member_is_named() -> None:
    with pytest.raises(StrategyError, match=r"Nameless' has no 'name'; see trading\.core\.strategies\.Strategy"):
        strategies.load(["tests.unit.test_strategies.Nameless"])


def test_two_strategies_of_one_name_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"two strategies have the same name among \['every_bar', 'every_bar'\]"):
        strategies.load([USER_PATH, USER_PATH])
