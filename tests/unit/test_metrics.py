"""Key figures: by hand, against an independent library, and None where there is no value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core.candles import Floats
from trading.research import metrics
from trading.research.metrics import Drawdown

SOME = np.array([0.02, -0.01, 0.03, -0.02, 0.0, 0.01])


def test_ratios_by_hand() -> None:
    mean = 0.005
    deviation = math.sqrt(sum((r - mean) ** 2 for r in SOME.tolist()) / 5)
    downside = math.sqrt((0.01**2 + 0.02**2) / 6)

    assert metrics.sharpe(SOME) == pytest.approx(mean / deviation * math.sqrt(365))
    assert metrics.sortino(SOME) == pytest.approx(mean / downside * math.sqrt(365))
    assert metrics.omega(SOME) == pytest.approx(0.06 / 0.03)


def test_drawdowns_by_hand() -> None:
    equity = np.array([100.0, 120.0, 90.0, 108.0, 121.0, 110.0, 110.0, 115.0, 119.0])

    # From 120 to 90, back above 120 two periods later; the fall from 121 lasts to the end, four periods.
    assert metrics.drawdown(equity) == Drawdown(amount=30.0, fraction=0.25, longest=4, recovery=2)


def test_a_fall_that_is_not_over_has_no_recovery() -> None:
    assert metrics.drawdown(np.array([100.0, 80.0, 90.0])) == Drawdown(
        amount=20.0, fraction=0.2, longest=2, recovery=None
    )
    assert metrics.drawdown(np.array([100.0, 100.0, 101.0])) == Drawdown(
        amount=0.0, fraction=0.0, longest=0, recovery=None
    )


def test_growth_and_calmar_by_hand() -> None:
    growth = metrics.cagr(100.0, 144.0, years=2.0)
    falls = Drawdown(amount=10.0, fraction=0.1, longest=1, recovery=1)

    assert growth == pytest.approx(0.2)
    assert metrics.calmar(growth, falls) == pytest.approx(2.0)


def test_results_of_trades_by_hand() -> None:
    results = np.array([2.0, -1.0, 3.0, 1.0, -1.0, -1.0, 0.0])

    assert metrics.profit_factor(results) == 2.0
    assert metrics.expectancy(results) == pytest.approx(3 / 7)
    assert metrics.sqn(results) == pytest.approx(math.sqrt(7) * (3 / 7) / results.std(ddof=1))
    assert metrics.streaks(results) == (2, 3)


@pytest.mark.parametrize(
    ("_case", "found"),
    [
        ("one return", metrics.sharpe(np.array([0.1]))),
        ("no return", metrics.sortino(np.empty(0))),
        ("returns that never change", metrics.sharpe(np.full(9, 0.001))),
        ("no loss", metrics.sortino(np.array([0.1, 0.2]))),
        ("nothing lost", metrics.omega(np.array([0.1, 0.2]))),
        ("a return that is none", metrics.sharpe(np.array([0.1, math.nan, 0.2]))),
        ("a ruined account", metrics.sharpe(metrics.returns(np.array([100.0, 50.0, -1.0, 20.0])))),
        ("ruin", metrics.cagr(100.0, 0.0, years=1.0)),
        ("no time", metrics.cagr(100.0, 110.0, years=0.0)),
        ("beyond any number", metrics.cagr(1.0, 1e9, years=1e-3)),
        ("no fall", metrics.calmar(0.2, metrics.drawdown(np.array([1.0, 2.0])))),
        ("no equity", metrics.drawdown(np.empty(0))),
        ("no trade", metrics.profit_factor(np.empty(0))),
        ("no trade", metrics.expectancy(np.empty(0))),
        ("one trade", metrics.sqn(np.array([1.0]))),
        ("equal trades", metrics.sqn(np.array([1.0, 1.0, 1.0]))),
        ("not a number", metrics.rounded(math.nan)),
        ("endless", metrics.rounded(math.inf)),
    ],
)
def test_what_has_no_value_is_none_and_not_zero(_case: str, found: object) -> None:
    assert found is None


def some_returns(seed: int, count: int) -> Floats:
    return np.random.default_rng(seed).standard_t(4, count) * 0.02 + 0.001


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 400))
def test_an_independent_library_finds_the_same(seed: int, count: int) -> None:
    import empyrical as theirs  # for development only, and slow to load

    found = some_returns(seed, count)
    worth = np.r_[1.0, np.cumprod(1.0 + found)]
    growth = metrics.cagr(1.0, float(worth[-1]), years=count / 365)
    falls = metrics.drawdown(worth)
    assert falls is not None

    pairs = [
        (metrics.sharpe(found), theirs.sharpe_ratio(found, annualization=365)),
        (metrics.sortino(found), theirs.sortino_ratio(found, annualization=365)),
        (metrics.omega(found), theirs.omega_ratio(found, annualization=365)),
        (growth, theirs.annual_return(found, annualization=365)),
        (falls.fraction, -theirs.max_drawdown(found)),
        (metrics.calmar(growth, falls), theirs.calmar_ratio(found, annualization=365)),
        (worth[-1] - 1.0, theirs.cum_returns_final(found)),
    ]

    for ours, other in pairs:
        if ours is not None:
            assert ours == pytest.approx(float(other), rel=1e-9, abs=1e-12)
        else:
            assert not (math.isfinite(other) and other)


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60))
def test_drawdowns_equal_a_loop_over_the_definition(values: list[float]) -> None:
    found = metrics.drawdown(np.array(values))
    peak, began, amount, fraction, longest = values[0], 0, 0.0, 0.0, 0
    for place, value in enumerate(values):
        if value >= peak:
            peak, began = value, place
        amount, fraction = max(amount, peak - value), max(fraction, (peak - value) / peak)
        longest = max(longest, place - began)

    assert found is not None
    assert (found.amount, found.fraction, found.longest) == (amount, fraction, longest)


def test_an_interval_holds_its_share() -> None:
    assert metrics.interval(np.arange(101.0), confidence=0.9) == pytest.approx((5.0, 95.0))
    assert metrics.interval([], confidence=0.9) is None
