"""The scorecard against twelve decisions worked out by hand, and against slower ways to the same figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops import scorecard
from mlops.scorecard import Decisions, Labels, Matrix
from trading.research import montecarlo

#       approved  won    r      pnl    alone  said  cost   regime
TABLE = [
    (True,  True,   2.0,   40.0, True,  0.80, 0.01, "trend"),    # TP
    (True,  True,   1.5,   30.0, True,  0.75, 0.01, "trend"),    # TP
    (True,  False, -1.0,  -20.0, True,  0.70, 0.02, "trend"),    # FP
    (False, False, -1.0,  -20.0, True,  0.20, 0.01, "ranging"),  # TN, worth +1.0 R and +20
    (False, True,   2.5,   50.0, True,  0.30, 0.01, "ranging"),  # FN, worth -2.5 R and -50
    (True,  True,   0.5,   10.0, True,  0.85, 0.01, "ranging"),  # TP
    (False, False, -1.1,  -22.0, False, 0.10, 0.01, "trend"),    # TN, but another refused it too: worth nothing
    (False, False, -0.9,  -18.0, True,  0.25, 0.01, "trend"),    # TN, worth +0.9 R and +18
    (True,  False, -1.0,  -20.0, True,  0.60, 0.01, "ranging"),  # FP
    (True,  True,   1.0,   20.0, True,  0.90, 0.02, "trend"),    # TP
    (False, False, -1.0,  -20.0, True,  0.40, 0.01, "ranging"),  # TN, worth +1.0 R and +20
    (False, True,   3.0,   60.0, False, math.nan, 0.03, "trend"),  # FN, stopped by another as well
]  # fmt: skip


def decisions(table: list[tuple[Any, ...]] = TABLE) -> Decisions:
    approved, won, r, pnl, alone, said, cost, regime = zip(*table, strict=True) if table else [()] * 8
    return Decisions(
        approved=np.array(approved, dtype=np.bool_),
        won=np.array(won, dtype=np.bool_),
        r=np.array(r, dtype=np.float64),
        pnl=np.array(pnl, dtype=np.float64),
        alone=np.array(alone, dtype=np.bool_),
        probability=np.array(said, dtype=np.float64),
        cost=np.array(cost, dtype=np.float64),
        labels={"regime": scorecard.labels_of(list(regime))},
    )


def test_twelve_decisions_by_hand() -> None:
    made = scorecard.score(decisions())

    assert made.matrix == Matrix(tp=4, fp=2, tn=4, fn=2)
    assert made.matrix.accuracy == pytest.approx(8 / 12)
    assert made.matrix.precision == pytest.approx(4 / 6)
    assert made.matrix.recall == pytest.approx(4 / 6)
    assert made.matrix.f1 == pytest.approx(2 / 3)
    assert made.matrix.approval == 0.5
    # .04 .0625 .49 .04 .49 .0225 .01 .0625 .36 .01 .16 over eleven that were said
    assert made.brier == pytest.approx(1.7475 / 11)
    assert made.value.stopped == 4
    assert made.value.r.actual == pytest.approx(1.0 - 2.5 + 0.9 + 1.0)
    assert made.value.pnl.actual == pytest.approx(20.0 - 50.0 + 18.0 + 20.0)
    assert made.approved_r == pytest.approx(3.0 / 6)
    assert made.refused_r == pytest.approx(1.5 / 6)
    assert made.cost == pytest.approx(0.16)
    assert made.cost_each == pytest.approx(0.16 / 12)


def test_the_reliability_curve_by_hand() -> None:
    made = scorecard.reliability(decisions())

    assert [(each.low, each.high, each.count) for each in made] == [
        (0.1, 0.2, 1), (0.2, 0.3, 2), (0.3, 0.4, 1), (0.4, 0.5, 1), (0.6, 0.7, 1), (0.7, 0.8, 2), (0.8, 0.9, 2), (0.9, 1.0, 1),
    ]  # fmt: skip
    twos = [each for each in made if each.count == 2]
    assert [each.said for each in twos] == pytest.approx([0.225, 0.725, 0.825])
    assert [each.won for each in twos] == [0.0, 0.5, 1.0]


def test_the_groups_by_hand() -> None:
    ranging, trend = scorecard.score(decisions()).groups["regime"]

    assert (ranging.name, ranging.matrix) == ("ranging", Matrix(tp=1, fp=1, tn=2, fn=1))
    assert (trend.name, trend.matrix) == ("trend", Matrix(tp=3, fp=1, tn=2, fn=1))
    assert (ranging.value_r, ranging.value_pnl) == pytest.approx((-0.5, -10.0))
    assert (trend.value_r, trend.value_pnl) == pytest.approx((0.9, 18.0))
    assert ranging.brier == pytest.approx((0.04 + 0.49 + 0.0225 + 0.36 + 0.16) / 5)
    assert trend.brier == pytest.approx((0.04 + 0.0625 + 0.49 + 0.01 + 0.0625 + 0.01) / 6)


def test_nothing_decided_has_no_ratio_and_no_value_but_zero() -> None:
    made = scorecard.score(decisions([]))

    assert made.matrix == Matrix(tp=0, fp=0, tn=0, fn=0)
    assert [getattr(made.matrix, name) for name in ("accuracy", "precision", "recall", "f1", "approval")] == [None] * 5
    assert (made.brier, made.reliability, made.cost_each, made.approved_r) == (None, (), None, None)
    assert (made.value.r.actual, made.value.r.low, made.value.r.high) == (0.0, None, None)
    assert made.groups == {"regime": ()}


def test_the_interval_is_the_block_bootstraps() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0.1, 1.0, (2, 137))
    length = montecarlo.usual_length(137)
    slow = [
        montecarlo.blocks(row, length=length, draws=200, rng=np.random.default_rng(9)).sum(axis=1) for row in values
    ]

    drawn = scorecard.drawn_sums(values, draws=200, rng=np.random.default_rng(9))

    assert np.allclose(drawn, slow)


@pytest.mark.parametrize(("mean", "low", "high"), [(1.0, True, True), (-1.0, False, False), (0.0, False, True)])
def test_an_interval_lies_on_the_side_of_zero_that_the_harm_or_the_use_is_on(
    mean: float, low: bool, high: bool
) -> None:
    rng = np.random.default_rng(7)
    results = -rng.normal(mean, 1.0, 300)
    results -= results.mean() + mean
    table = [(False, r > 0, r, 20 * r, True, 0.5, 0.0, "trend") for r in results.tolist()]

    made = scorecard.value(decisions(table))

    assert made.r.low is not None
    assert made.r.high is not None
    assert (made.r.low > 0, made.r.high > 0) == (low, high)
    assert scorecard.value(decisions(table)) == made


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.booleans(), st.floats(-5, 5), st.floats(-100, 100), st.booleans(),
            st.one_of(st.floats(0, 1), st.just(math.nan)), st.floats(0, 1), st.sampled_from(["a", "b", "c"]),
        ),
        max_size=40,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_groups_add_up_and_every_ratio_is_one(table: list[tuple[Any, ...]]) -> None:
    made = scorecard.score(decisions(table), draws=20)

    groups = made.groups["regime"]
    for name in ("tp", "fp", "tn", "fn", "total"):
        assert sum(getattr(each.matrix, name) for each in groups) == getattr(made.matrix, name)
    assert made.matrix.total == len(table)
    assert sum(each.value_r for each in groups) == pytest.approx(made.value.r.actual)
    assert sum(each.count for each in made.reliability) == sum(not math.isnan(row[5]) for row in table)
    assert all(0 <= each.won <= 1 and each.low <= each.said + 1e-12 <= each.high + 1e-9 for each in made.reliability)
    for name in ("accuracy", "precision", "recall", "f1", "approval"):
        ratio = getattr(made.matrix, name)
        assert ratio is None or 0 <= ratio <= 1


def test_a_bucket_names_its_tenth() -> None:
    assert [scorecard.bucket(each) for each in (0.0, 0.7, 0.29999999999999999, 0.95, 1.0, math.nan)] == [
        "0.0 to 0.1", "0.7 to 0.8", "0.3 to 0.4", "0.9 to 1.0", "0.9 to 1.0", "none said",
    ]  # fmt: skip


def test_the_newest_decisions_are_the_last() -> None:
    part = decisions().tail(3)

    assert part.r.tolist() == [1.0, -1.0, 3.0]
    assert scorecard.score(part).groups["regime"][0].matrix.total == 1
    assert len(decisions().tail(99)) == 12


def test_labels_take_unsorted_codes() -> None:
    made = decisions()
    turned = Labels(names=("trend", "ranging"), codes=1 - made.labels["regime"].codes)

    groups = scorecard._groups(made, turned)

    assert [(each.name, each.matrix.total) for each in groups] == [("ranging", 5), ("trend", 7)]
