"""Luck: the papers' own numbers, noise near one half, a real edge near zero, a planted reversal near one."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.candles import Floats
from trading.research import overfitting


def noise(seed: int, *, days: int = 240, trials: int = 20) -> Floats:
    return np.random.default_rng(seed).normal(0.0, 0.01, (days, trials))


def test_the_example_of_the_deflated_sharpe_ratio() -> None:
    # Bailey and Lopez de Prado, 2014: 2.5 a year over 1,250 days, 100 trials with a variance of 1/2, skew -3, kurtosis 10.
    benchmark = overfitting.expected_best(0.5 / 250, 100)

    assert benchmark == pytest.approx(0.1132, abs=5e-5)
    found = overfitting._above(2.5 / math.sqrt(250), benchmark, 1250, skew=-3.0, kurtosis=10.0)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_the_best_of_many_normal_draws_is_what_is_expected() -> None:
    drawn = np.random.default_rng(1).normal(0.0, 0.1, (20_000, 50)).max(axis=1)

    assert overfitting.expected_best(0.01, 50) == pytest.approx(float(drawn.mean()), rel=0.02)
    assert overfitting.expected_best(0.01, 1) == 0.0


def test_against_no_trials_it_is_the_normal_test_of_a_mean() -> None:
    returns = np.random.default_rng(2).normal(0.001, 0.01, 5000)
    returns -= returns.mean() - 0.0002

    found = overfitting.probabilistic_sharpe(returns, benchmark=0.0)

    assert found == pytest.approx(NormalDist().cdf(0.0002 / returns.std() * math.sqrt(5000)), abs=2e-3)


def test_a_lucky_best_is_deflated_and_a_real_one_is_not() -> None:
    lucky = noise(3, trials=100)
    best = lucky[:, int(np.nanargmax(overfitting.ratios(lucky)))]
    real = best + 0.004
    ratios = overfitting.ratios(lucky)

    raw, deflated = overfitting.probabilistic_sharpe(best, benchmark=0.0), overfitting.deflated_sharpe(best, ratios)

    assert raw is not None
    assert deflated is not None
    assert raw > 0.95
    assert deflated < 0.7
    assert (overfitting.deflated_sharpe(real, np.append(ratios[:-1], 0.0)) or 0.0) > 0.95


def test_noise_is_overfitted_half_of_the_time() -> None:
    found = [overfitting.overfitting(noise(seed)) for seed in range(40)]

    mean = np.mean([each.probability for each in found if each])
    assert mean == pytest.approx(0.5, abs=0.07)


def test_one_trial_that_is_really_better_is_not_overfitted() -> None:
    returns = noise(5)
    returns[:, 7] += 0.004

    found = overfitting.overfitting(returns)

    assert found is not None
    assert found.combinations == 924
    assert found.probability < 0.01
    assert found.loss_probability < 0.01


def test_what_is_won_before_and_lost_after_is_overfitted_always() -> None:
    returns = noise(6)
    # Every trial earns nothing in all: the more of it before, the less after.
    found = overfitting.overfitting(returns - returns[: 240 // 12 * 12].mean(axis=0))

    assert found is not None
    assert found.probability > 0.99
    assert found.loss_probability > 0.99
    assert found.slope == pytest.approx(-1.0, abs=0.1)


def test_trials_that_are_all_alike_are_neither_better_nor_worse() -> None:
    one = np.random.default_rng(1).normal(0.0, 0.01, 240)

    found = overfitting.overfitting(np.stack([one] * 4, axis=1))

    assert found is not None
    assert found.probability == 1.0  # the best is never above the median


@pytest.mark.parametrize(
    ("_case", "returns"),
    [("one trial", np.zeros((100, 1))), ("too few days", np.zeros((23, 5)))],
)
def test_what_cannot_be_judged_has_no_probability(_case: str, returns: Floats) -> None:
    assert overfitting.overfitting(returns) is None


def test_returns_without_deviation_have_no_sharpe_ratio_to_deflate() -> None:
    assert overfitting.probabilistic_sharpe(np.zeros(50), benchmark=0.0) is None
    assert overfitting.deflated_sharpe(np.ones(2), np.array([0.1, 0.2])) is None
    assert overfitting.deflated_sharpe(noise(1)[:, 0], np.full(3, np.nan)) is None


@given(seed=st.integers(0, 10**6), days=st.integers(24, 100), trials=st.integers(2, 8))
def test_a_probability_lies_between_none_and_one(seed: int, days: int, trials: int) -> None:
    found = overfitting.overfitting(noise(seed, days=days, trials=trials))

    assert found is not None
    assert 0.0 <= found.probability <= 1.0
    assert 0.0 <= found.loss_probability <= 1.0
