"""What BTC does beside a pair: aligned by time, from closed bars, and the filters that ask for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import measured, priced, prices, walk
from tests.unit.test_prefix import assert_does_not_peek
from trading.core import bitcoin, filters, timeframes
from trading.core.bitcoin import Bitcoin
from trading.core.candles import Candles
from trading.core.filters import Context
from trading.core.params import Params

PARAMS = Params.of({"bitcoin_filter": True, "correlation_bars": 48})
SPAN = timeframes.milliseconds("15m")


def beside(candles: Candles, leader: Candles | None, params: Params = PARAMS) -> Bitcoin:
    return bitcoin.beside(candles, leader, params)


def columns(made: Bitcoin) -> dict[str, np.ndarray]:
    return {
        "correlation": made.correlation,
        "relative_strength": made.relative_strength,
        "trend": made.trend,
        "rsi": made.rsi,
        "fall": made.fall,
    }


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(2, 300), data=st.data())
def test_nothing_changes_when_later_bars_of_the_pair_or_of_btc_arrive(
    seed: int, bars: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, bars - 1))
    leader = walk(seed + 1, bars)

    assert_does_not_peek(lambda pair: columns(beside(pair, leader)), walk(seed, bars), cut)
    whole, known = columns(beside(walk(seed, bars), leader)), columns(beside(walk(seed, bars), leader.slice(0, cut)))
    for name, column in whole.items():
        assert np.array_equal(column[:cut], known[name][:cut], equal_nan=column.dtype.kind == "f"), name


def test_the_correlation_is_pearsons_of_the_returns() -> None:
    pair, leader = walk(1, 200), walk(2, 200)
    made = beside(pair, leader)

    for bar in (48, 120, 199):
        own, theirs = (np.diff(np.log(each.close[bar - 48 : bar + 1])) for each in (pair, leader))
        assert made.correlation[bar] == pytest.approx(np.corrcoef(own, theirs)[0, 1], abs=1e-9)
    assert np.isnan(made.correlation[:48]).all()
    assert beside(pair, pair).correlation[199] == pytest.approx(1.0)


def test_bars_are_matched_by_time_not_by_place() -> None:
    leader = walk(2, 200)
    pair = walk(1, 200).slice(50, 200)

    assert np.array_equal(beside(pair, leader).correlation[60:], beside(walk(1, 200), leader).correlation[110:])
    gone = beside(pair, replace(leader, opened=leader.opened + 500 * SPAN))
    assert np.isnan(gone.correlation).all()
    assert not gone.trend.any()


@pytest.mark.parametrize("leader", [None, walk(1, 9).slice(0, 0), walk(1, 300, timeframe="1h")])
def test_without_btcs_bars_of_the_same_length_nothing_is_known(leader: Candles | None) -> None:
    made = beside(walk(1, 100), leader)

    assert all(np.isnan(column).all() for column in (made.correlation, made.relative_strength, made.rsi, made.fall))
    assert not made.trend.any()


def test_relative_strength_is_the_lead_over_btc() -> None:
    pair, leader = priced(np.linspace(100, 120, 60)), priced(np.linspace(100, 110, 60))

    strength = beside(pair, leader).relative_strength

    assert strength[59] == pytest.approx(pair.close[59] / pair.close[11] - leader.close[59] / leader.close[11])
    assert beside(leader, leader).relative_strength[59] == 0.0


def test_a_crash_is_remembered_for_the_pause_and_no_longer() -> None:
    close = np.full(60, 100.0)
    close[30:] = 94.0
    fall = beside(priced(close), priced(close), Params.of({"bitcoin_filter": True})).fall

    # 60 minutes are 4 bars in which it counts as fast; the pause of 30 adds one.
    assert fall[29] == 0.0
    assert fall[30:35] == pytest.approx(0.06)
    assert (fall[35:] == 0.0).all()


@pytest.mark.parametrize(("drift", "trend"), [(0.003, 1), (-0.003, -1)])
def test_the_trend_is_the_side_of_the_averages(drift: float, trend: int) -> None:
    leader = priced(prices(1, 100, deviation=0.0001, drift=drift))

    assert beside(leader, leader).trend[-1] == trend
    assert beside(leader, leader).trend[28] == 0


def context(leader: Candles | None, side: int, pair: Candles | None = None, **values: float) -> Context:
    candles = pair or walk(7, 100)
    params = Params.of({"bitcoin_filter": True, "correlation_bars": 48, **values})
    sides = np.full(len(candles), side, dtype=np.int8)
    return Context(
        candles=candles, analysis=measured(len(candles)), sides=sides, params=params, round_trip=0.002, leader=leader
    )


def test_a_pair_that_follows_btc_must_go_its_way() -> None:
    up = priced(prices(1, 100, deviation=0.001, drift=0.002))
    found = {side: filters.bitcoin_trend(context(up, side, up)).verdict(99) for side in (1, -1)}

    assert found[1].passed
    assert not found[-1].passed
    assert found[-1].reason == "bitcoin trend 1.00, against BTC allows at most 0.70"
    # Who does not follow may go where it likes.
    assert filters.bitcoin_trend(context(walk(3, 100), -1)).verdict(99).passed


@pytest.mark.parametrize(
    ("drift", "side", "passed"), [(0.01, 1, False), (0.01, -1, True), (-0.01, -1, False), (-0.01, 1, True)]
)
def test_btcs_extremes_refuse_the_side_that_would_follow_late(drift: float, side: int, passed: bool) -> None:
    leader = priced(prices(1, 100, deviation=0.0001, drift=drift))

    assert filters.bitcoin_rsi(context(leader, side)).verdict(99).passed is passed


def test_after_a_crash_both_sides_wait() -> None:
    close = np.full(100, 100.0)
    close[98:] = 94.0

    for side in (1, -1):
        verdict = filters.bitcoin_crash(context(priced(close), side)).verdict(99)
        assert not verdict.passed
        assert verdict.reason == "bitcoin crash 0.06, needs less than 0.05"


def test_without_btc_every_filter_that_asks_for_it_refuses() -> None:
    for rule in (filters.bitcoin_trend, filters.bitcoin_rsi, filters.bitcoin_crash):
        verdict = rule(context(None, 1)).verdict(99)
        assert not verdict.passed
        assert verdict.reason.endswith("has no value")


def test_filters_behind_a_switch_are_asked_only_where_it_is_on() -> None:
    on = Params.of({name: True for name, _ in filters.OPTIONAL})

    assert filters.in_force(Params()) == filters.FILTERS
    assert filters.bars_needed(Params()) == 0
    names = [column.name for column in filters.evaluate(replace_params(context(walk(2, 100), 1), on))]
    assert names[len(filters.FILTERS) :] == [
        "multi_timeframe",
        "bitcoin_trend",
        "bitcoin_rsi",
        "bitcoin_crash",
        "volume_divergence",
    ]
    assert filters.bars_needed(on) == 23 * 16


def replace_params(given: Context, params: Params) -> Context:
    return Context(
        candles=given.candles,
        analysis=given.analysis,
        sides=given.sides,
        params=params,
        round_trip=0.002,
        leader=given.leader,
    )


def test_a_divergence_refuses_the_side_that_follows_the_price() -> None:
    close = np.linspace(100.0, 110.0, 100)
    close[1::2] += 0.3
    # Small volume on the way up, large on the way down.
    volume = np.where(np.diff(close, prepend=close[0]) > 0, 1.0, 50.0)
    pair = priced(close, volume=volume)

    assert not filters.volume_divergence(context(None, 1, pair)).verdict(99).passed
    assert filters.volume_divergence(context(None, -1, pair)).verdict(99).passed
    assert filters.volume_divergence(context(None, 1, pair)).verdict(10).reason == "volume divergence has no value"
