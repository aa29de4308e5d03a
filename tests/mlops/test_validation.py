"""Folds know nothing of their future, and figures are what a hand finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlops import calibration, training, validation
from mlops.dataset import Dataset
from tests.mlops.learned import planted
from trading.core.candles import Floats

HOUR = 3_600_000


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 5), min_size=30, max_size=200),
    spans=st.integers(0, 40),
    embargo=st.sampled_from([0.0, 0.01, 0.05]),
    seed=st.integers(0, 99),
)
def test_training_had_ended_an_embargo_before_the_test_began(
    gaps: list[int], spans: int, embargo: float, seed: int
) -> None:
    began = np.cumsum(np.array(gaps, dtype=np.int64)) * HOUR
    ended = began + np.random.default_rng(seed).integers(0, spans + 1, len(began)) * HOUR
    pause = embargo * float(ended.max() - began.min())

    tested = []
    for fold in validation.folds(began, ended, embargo_fraction=embargo):
        first = began[fold.test].min()
        assert not (ended[fold.train] >= first - pause).any()
        assert set(fold.train).isdisjoint(fold.test)
        tested.extend(fold.test.tolist())

    assert tested == sorted(set(tested))
    assert tested[-1] == len(began) - 1


def leaking(count: int = 1_500) -> Dataset:
    """Return samples without an edge whose neighbours share their outcome, and a column that names the neighbourhood."""
    rng = np.random.default_rng(3)
    data = planted(count, edge=0.0)
    block = np.arange(count) // 30
    won = rng.permutation(block.max() + 1)[block] % 2 == 0
    x = data.x.copy()
    x[:, 0] = (block + rng.normal(0.0, 0.05, count)).astype(np.float32)
    span = data.began[1] - data.began[0]
    return replace(data, x=x, won=won, ended=data.began + 30 * span)


def by_heart(data: Dataset) -> Callable[[NDArray[np.float32]], Floats]:
    """Return a learner that says what became of the ten most alike samples."""

    def probability(x: NDArray[np.float32]) -> Floats:
        apart = np.abs(x[:, :1].astype(np.float64) - data.x[:, 0])
        near = np.argsort(np.where(np.isnan(apart), np.inf, apart), axis=1)[:, :10]
        return np.asarray(data.won[near].mean(axis=1), dtype=np.float64)

    return probability


def test_a_leak_that_a_random_split_takes_for_an_edge_is_not_found_in_purged_folds() -> None:
    data = leaking()
    mixed = np.random.default_rng(0).permutation(len(data))
    train, test = np.sort(mixed[: len(data) // 2]), np.sort(mixed[len(data) // 2 :])
    base = np.full(len(test), data.won[train].mean())

    random = validation.evaluate(data.won[test], by_heart(training.part(data, train))(data.x[test]), base)
    said = training.predicted(data, by_heart, lambda done, of: None)
    purged = validation.evaluate(data.won[said.places], said.probability, said.base)

    assert random.auc > 0.9
    assert validation.objections(random) == []
    assert purged.auc < 0.6
    assert validation.objections(purged)


def test_the_figures_of_a_fixture_that_was_computed_by_hand() -> None:
    won = np.array([True, False, True, True, False])
    probability = np.array([0.9, 0.4, 0.4, 0.7, 0.6])

    found = validation.evaluate(won, probability, np.full(5, 0.6))

    # Of 6 pairs of a win and a loss 4 are in order and one is a tie.
    assert found.auc == pytest.approx(4.5 / 6)
    assert found.brier == pytest.approx((0.01 + 0.16 + 0.36 + 0.09 + 0.36) / 5)
    assert found.brier_base == pytest.approx((3 * 0.16 + 2 * 0.36) / 5)
    assert found.skill == pytest.approx(1 - 0.196 / 0.24)
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_constant_answer_is_worth_a_coin() -> None:
    won = np.random.default_rng(1).random(600) < 0.4

    found = validation.evaluate(won, np.full(600, 0.4), np.full(600, 0.4))

    assert (found.auc, found.skill, found.balanced_accuracy) == (0.5, 0.0, 0.5)
    assert len(validation.objections(found)) == 2


def test_a_figure_without_a_value_is_an_objection() -> None:
    found = validation.evaluate(np.ones(300, dtype=np.bool_), np.full(300, 0.9), np.full(300, 1.0))

    assert np.isnan(found.auc)
    assert validation.objections(found)


def test_too_few_or_too_one_sided_outcomes_teach_nothing() -> None:
    assert "150 samples are too few" in validation.too_few(np.ones(150, dtype=np.bool_))
    assert "0 losses" in validation.too_few(np.ones(300, dtype=np.bool_))
    assert validation.too_few(np.arange(300) % 3 == 0) == ""


def test_a_better_forecast_is_surely_better_and_its_copy_is_not() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(2_000)
    won = rng.random(2_000) < truth

    better, low = validation.gain(won, truth, np.full(2_000, 0.5))
    same, same_low = validation.gain(won, truth, truth)

    assert better > low > 0.05
    assert (same, same_low) == (0.0, 0.0)


def test_calibration_finds_the_numbers_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(4)
    margin = rng.normal(0.0, 1.5, 40_000)
    won = rng.random(40_000) < calibration.logistic(0.6 * margin - 0.4)

    found = calibration.fit(margin, won, np.ones(40_000))

    assert found.slope == pytest.approx(0.6, abs=0.03)
    assert found.intercept == pytest.approx(-0.4, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(
    margin=st.lists(st.floats(-30, 30), min_size=4, max_size=40),
    data=st.data(),
)
def test_calibration_keeps_the_order_and_stays_between_0_and_1(margin: list[float], data: st.DataObject) -> None:
    won = np.array(data.draw(st.lists(st.booleans(), min_size=len(margin), max_size=len(margin))))

    found = calibration.fit(np.array(margin), won, np.ones(len(margin)))

    said = found.probability(np.sort(np.array(margin)))
    assert (np.diff(said) >= 0).all()
    assert ((said > 0) & (said < 1)).all() or found.slope > 1
    assert found.slope >= 0


def test_a_margin_whose_order_is_wrong_becomes_the_base_rate() -> None:
    margin = np.linspace(-2, 2, 100)

    found = calibration.fit(margin, margin < 0.5, np.ones(100))

    assert found.slope == 0.0
    assert found.probability(margin) == pytest.approx(np.full(100, 0.62), abs=0.02)
