"""No value may change when later bars arrive: indicators, strategies and filters, and how to test one of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.core_values import MARKET, EveryBar, floats_that_raise, walk
from trading.core import decision, filters, indicators, regime, scoring
from trading.core import strategies as entries
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.strategies import Strategy, first_entries
from trading.core.types import Regime

Columns = Mapping[str, NDArray[Any]]

# Every class of the module with the protocol's method is covered, also one that is written tomorrow.
STRATEGIES: tuple[Strategy, ...] = tuple(
    cls()
    for cls in vars(entries).values()
    if isinstance(cls, type) and hasattr(cls, "sides") and cls is not entries.Strategy
)
PARAMS = {
    "defaults": Params(),
    "short and quick": Params.of(
        {"fast_sma": 2, "slow_sma": 5, "rsi_period": 2, "atr_period": 3, "adx_period": 3, "hurst_window": 100}
        | {"volatility_long": 30, "macd_fast": 3, "macd_slow": 6, "macd_signal": 2, "volume_period": 5}
        | {"adx_danger": True, "trend_rsi_long_max": 100, "trend_rsi_short_min": 0, "reversion_rsi_long_max": 50}
    ),
    "a slow signal line": Params.of(
        {"macd_fast": 2, "macd_slow": 3, "macd_signal": 100, "rsi_period": 2, "atr_period": 2, "adx_period": 2}
        | {"hurst_window": 100, "volatility_short": 5, "volatility_long": 20}
    ),
    "long and slow": Params.of(
        {"adx_period": 40, "rsi_period": 60, "macd_slow": 80, "hurst_window": 300, "hurst_choppy": 0.2}
        | {"reversion_rsi_long_max": 50, "reversion_rsi_short_min": 50}
    ),
}

each_params = pytest.mark.parametrize("name", PARAMS)


@pytest.fixture(autouse=True)
def strict_floats() -> Iterator[None]:
    with floats_that_raise():
        yield


def everything(candles: Candles, params: Params) -> dict[str, NDArray[Any]]:
    """Return all that the core says about each bar, by name."""
    analysis = analyse(candles, params)
    found: dict[str, NDArray[Any]] = {field.name: getattr(analysis, field.name) for field in fields(Analysis)}
    points = scoring.parts(
        adx=analysis.adx,
        hurst=analysis.hurst,
        volume_ratio=analysis.volume_ratio,
        rsi=analysis.rsi,
        regime=analysis.regime,
    )
    found |= {f"score.{part}": column for part, column in points.items()}
    for strategy in STRATEGIES:
        found[f"sides.{strategy.name}"] = strategy.sides(candles, analysis, params)
    found["side"], found["finder"] = first_entries(STRATEGIES, candles, analysis, params)
    for sign in (1, -1):
        sides = np.full(len(candles), sign, dtype=np.int8)
        context = filters.Context(candles=candles, analysis=analysis, sides=sides, params=params, round_trip=0.003)
        for column in filters.evaluate(context):
            for part in ("passed", "value", "limit"):
                found[f"{column.name}.{part}.{sign}"] = getattr(column, part)
    return found


def with_a_wild_future(candles: Candles, cut: int) -> Candles:
    """Return the bars with prices and volumes from `cut` on that dwarf all that went before."""
    later = np.arange(len(candles)) >= cut
    columns = {name: np.where(later, 50.0, 1.0) * getattr(candles, name) for name in ("open", "high", "low", "close")}
    volume = np.where(later, 1e15, 1.0) * candles.volume
    return Candles(symbol=candles.symbol, timeframe=candles.timeframe, opened=candles.opened, volume=volume, **columns)


def assert_does_not_peek(measure: Callable[[Candles], Columns], candles: Candles, cut: int) -> None:
    """Fail where a value of the first `cut` bars depends on what comes after them."""
    alone = measure(candles.slice(0, cut))
    for longer in (candles, with_a_wild_future(candles, cut)):
        for name, column in measure(longer).items():
            assert len(column) == len(longer), name
            assert np.array_equal(column[:cut], alone[name], equal_nan=column.dtype.kind == "f"), name


@each_params
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(2, 700), data=st.data())
def test_nothing_changes_when_later_bars_arrive(name: str, seed: int, bars: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, bars - 1))

    assert_does_not_peek(lambda candles: everything(candles, PARAMS[name]), walk(seed, bars), cut)


def test_the_test_looks_at_every_field_strategy_and_filter() -> None:
    quick, slow = (everything(walk(1, 1500), PARAMS[name]) for name in ("short and quick", "long and slow"))
    columns = [name for name in quick if name.split(".")[1:2] in (["passed"], ["value"], ["limit"])]

    assert set(quick) >= {field.name for field in fields(Analysis)}
    assert {strategy.name for strategy in STRATEGIES} == set(regime.TRADES)
    assert len(columns) == len(filters.FILTERS) * 3 * 2
    # Of what never happens nothing would be proved.
    assert {*np.unique(quick["sides.trend"])} == {*np.unique(slow["sides.reversion"])} == {-1, 0, 1}
    assert len(np.unique(quick["regime"])) > 4


def centred_mean(candles: Candles) -> Floats:
    return np.convolve(candles.close, np.ones(3) / 3, mode="same")


def next_close(candles: Candles) -> Floats:
    return np.append(candles.close[1:], np.nan)


def share_of_the_highest(candles: Candles) -> Floats:
    return np.asarray(candles.close / candles.close.max())


def busy_against_the_busiest(candles: Candles) -> NDArray[np.bool_]:
    return np.asarray(candles.volume > 1e-12 * candles.volume.max())


def filled_backwards(candles: Candles) -> Floats:
    mean = indicators.sma(candles.close, 20)
    return np.where(np.isnan(mean), mean[-1], mean)


PEEKING = [centred_mean, next_close, share_of_the_highest, busy_against_the_busiest, filled_backwards]


@pytest.mark.parametrize("peeking", PEEKING)
def test_an_indicator_that_peeks_is_caught(peeking: Callable[[Candles], NDArray[Any]]) -> None:
    with pytest.raises(AssertionError, match="peeking"):
        assert_does_not_peek(lambda candles: {"peeking": peeking(candles)}, walk(1, 300), 200)


class PeekingCross(EveryBar):
    """Buys on the bar before the price rises."""

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> entries.Sides:
        return np.append(np.diff(candles.close) > 0, False).astype(np.int8)


def test_a_strategy_that_peeks_is_caught() -> None:
    params = Params()

    def sides(candles: Candles) -> Columns:
        return {"sides": PeekingCross().sides(candles, analyse(candles, params), params)}

    with pytest.raises(AssertionError, match="sides"):
        assert_does_not_peek(sides, walk(1, 300), 200)


@each_params
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), earlier=st.integers(1, 3000))
def test_the_bars_that_are_loaded_read_as_the_whole_past(name: str, seed: int, earlier: int) -> None:
    params = PARAMS[name]
    needed = decision.history_bars(params, STRATEGIES)
    past = walk(seed, needed + earlier)

    whole, loaded = everything(past, params), everything(past.tail(needed), params)

    for key, column in whole.items():
        # A difference of averages is as exact as the averages, so it is compared with the price.
        scale = 1e-9 * past.close[-1] if key == "macd_histogram" else 0.0
        np.testing.assert_allclose(loaded[key][-1], column[-1], rtol=1e-9, atol=scale, err_msg=key)


@each_params
def test_everything_has_a_value_after_the_warm_up(name: str) -> None:
    bars = indicators.warmup_bars(PARAMS[name]) + 1

    found = everything(walk(4, bars), PARAMS[name])

    assert all(np.isfinite(column[-1]) for column in found.values())
    assert found["regime"][-1] != Regime.UNKNOWN.code


@pytest.mark.parametrize("earlier", [1, 500, 2500])
def test_a_setup_is_the_same_from_the_loaded_bars_and_from_the_whole_past(earlier: int) -> None:
    params = Params()
    needed = decision.history_bars(params, STRATEGIES)
    past = walk(3, needed + earlier + 300)
    sides = everything(past, params)["side"]
    last = int(np.flatnonzero(sides[needed + earlier :])[0]) + needed + earlier

    whole = decision.find_setup(past.slice(0, last + 1), strategies=STRATEGIES, params=params, market=MARKET)
    loaded = decision.find_setup(
        past.slice(0, last + 1).tail(needed), strategies=STRATEGIES, params=params, market=MARKET
    )

    assert whole is not None
    assert loaded is not None
    (setup, verdicts), (short, short_verdicts) = whole, loaded
    assert (setup.bar_at, setup.strategy, setup.side) == (short.bar_at, short.strategy, short.side)
    assert setup.side.sign == sides[last]
    assert setup.atr == pytest.approx(short.atr, rel=1e-9)
    assert [(v.name, v.passed, v.reason) for v in verdicts] == [(v.name, v.passed, v.reason) for v in short_verdicts]
