"""Chance: orders counted out, deviations by formula, blocks that stay whole, noise that keeps the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import MARKET, walk
from trading.core.candles import Candles, Floats
from trading.research import metrics, montecarlo


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_drawdowns_of_every_order_come_up_as_often_as_they_should() -> None:
    # Of the six orders of two wins and two losses of 10: LLWW falls by 20 of 100; WLLW by 20 of 110; WWLL by 20 of 120;
    # LWLW, LWWL and WLWL by 10: LWLW and LWWL from 100 (WL of the latter from 110), WLWL from 110.
    found = montecarlo.shuffled_drawdowns(np.array([10.0, 10.0, -10.0, -10.0]), balance=100.0, draws=30_000, rng=rng())

    values, counts = np.unique(np.round(found, 9), return_counts=True)
    expected = {20 / 100: 1 / 6, 20 / 110: 1 / 6, 20 / 120: 1 / 6, 10 / 100: 2 / 6, 10 / 110: 1 / 6}
    assert dict(zip(values.tolist(), (counts / 30_000).tolist(), strict=True)) == pytest.approx(
        {round(fall, 9): share for fall, share in expected.items()}, abs=0.01
    )


def test_the_deviation_of_a_bootstrapped_mean_is_that_of_the_formula() -> None:
    returns = rng(2).normal(0.001, 0.02, 400)

    drawn = montecarlo.blocks(returns, length=1, draws=20_000, rng=rng()).mean(axis=1)

    assert drawn.mean() == pytest.approx(returns.mean(), abs=5e-5)
    assert drawn.std() == pytest.approx(returns.std() / math.sqrt(400), rel=0.03)
    low, high = metrics.interval(drawn, confidence=0.95) or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.96 * returns.std() / math.sqrt(400), rel=0.04)


def test_blocks_keep_what_days_in_a_row_have_in_common() -> None:
    steps = rng(3).normal(0.0, 0.01, 2000)
    related = np.convolve(steps, np.ones(5), mode="valid")[:1950]  # each day has four fifths of the one before

    alone = montecarlo.blocks(related, length=1, draws=4000, rng=rng()).mean(axis=1).std()
    kept = montecarlo.blocks(related, length=50, draws=4000, rng=rng()).mean(axis=1).std()

    # 39 blocks drawn with replacement: the deviation of all blocks' means over root 39.
    means = np.convolve(related, np.ones(50) / 50, mode="valid")
    assert kept == pytest.approx(means.std() / math.sqrt(39), rel=0.05)
    assert kept > 1.8 * alone


@given(count=st.integers(1, 60), length=st.integers(1, 80), seed=st.integers(0, 99))
def test_a_row_is_as_long_as_the_days_and_made_of_runs_of_them(count: int, length: int, seed: int) -> None:
    rows = montecarlo.blocks(np.arange(float(count)), length=length, draws=5, rng=rng(seed))

    assert rows.shape == (5, count)
    inside = np.arange(1, count) % min(length, count) != 0
    assert (np.diff(rows, axis=1)[:, inside] == 1.0).all()


def test_the_figures_of_a_row_are_those_of_the_metrics() -> None:
    returns = rng(4).normal(0.001, 0.02, (3, 90))

    found = montecarlo.figures(returns)

    for row in range(3):
        worth: Floats = np.cumprod(np.r_[1.0, 1.0 + returns[row]]).astype(np.float64)
        falls = metrics.drawdown(worth)
        assert falls is not None
        assert found["sharpe"][row] == pytest.approx(metrics.sharpe(returns[row]))
        assert found["drawdown_fraction"][row] == pytest.approx(falls.fraction)
        assert found["return_fraction"][row] == pytest.approx(worth[-1] - 1.0)


def test_days_without_a_move_have_no_sharpe_ratio_and_are_left_out_of_the_interval() -> None:
    drawn = montecarlo.figures(np.zeros((4, 10)))["sharpe"]

    found = montecarlo.spread(None, drawn)

    assert (found.draws, found.median, found.low, found.high) == (0, None, None, None)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.0, 5.0))
def test_candles_with_noise_keep_the_contract_and_the_grid(seed: int, scale: float) -> None:
    made = montecarlo.noisy(walk(seed, 300), MARKET, scale=scale, rng=rng(seed))

    columns = {name: getattr(made, name) for name in ("opened", "open", "high", "low", "close", "volume")}
    Candles.checked(symbol=made.symbol, timeframe=made.timeframe, **columns)
    for name in ("open", "high", "low", "close"):
        assert (np.round(columns[name], 2) == columns[name]).all()


def test_noise_is_as_large_as_asked_and_the_same_for_the_same_seed() -> None:
    bars = walk(1, 5000)
    size = 0.5 * float(np.median(np.log(bars.high / bars.low)))

    made, again = (montecarlo.noisy(bars, MARKET, scale=0.5, rng=rng(7)) for _ in range(2))

    assert np.log(made.close / bars.close).std() == pytest.approx(size, rel=0.05)
    # What one bar closes at, the next opens at, as before.
    assert np.allclose(made.open[1:], made.close[:-1], atol=0.02)
    assert np.array_equal(made.close, again.close)


def test_the_usual_block_is_the_cube_root_of_the_days() -> None:
    assert [montecarlo.usual_length(count) for count in (1, 8, 90, 1000)] == [1, 2, 4, 10]
