"""Correlations of returns and the clusters they make: aligned by time, whole partitions, unknown counts as together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.unit.core_values import walk
from trading.adapters.candle_csv import read_csv
from trading.core import portfolio, timeframes
from trading.core.candles import Candles, Floats

REAL = Path(__file__).parents[3] / "shared/data/candles"


def closed_ms(candles: Candles) -> int:
    return timeframes.to_ms(candles.closed_at(len(candles) - 1))


@st.composite
def moves(draw: st.DrawFn) -> Floats:
    shape = (draw(st.integers(1, 8)), draw(st.integers(3, 30)))
    elements = st.floats(-0.1, 0.1, allow_subnormal=False).map(lambda each: round(each, 6))
    made: Floats = draw(arrays.arrays(np.float64, shape, elements=elements))
    lost = draw(st.sets(st.integers(0, shape[0] - 1)))
    made[sorted(lost), 0] = np.nan
    return made


@settings(max_examples=40)
@given(moves())
def test_the_matrix_is_symmetric_within_one_and_unknown_where_a_row_is(returns: Floats) -> None:
    matrix = portfolio.correlations(returns)

    assert np.array_equal(matrix, matrix.T, equal_nan=True)
    known = ~np.isnan(np.diag(matrix))
    assert not np.isnan(matrix[np.ix_(known, known)]).any()
    assert np.isnan(matrix[~known]).all()
    assert (np.abs(matrix[np.ix_(known, known)]) <= 1.0).all()
    assert (np.diag(matrix)[known] == 1.0).all()
    assert not (known & np.isnan(returns).any(axis=1)).any()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_it_is_the_correlation_that_numpy_measures(seed: int, count: int) -> None:
    returns = np.random.default_rng(seed).normal(0, 0.01, (count, 96))

    assert portfolio.correlations(returns) == pytest.approx(np.corrcoef(returns), abs=1e-8)


@settings(max_examples=40)
@given(moves(), st.floats(-1, 1), st.floats(-1, 1))
def test_clusters_are_a_partition_that_a_lower_threshold_only_makes_coarser(
    returns: Floats, one: float, other: float
) -> None:
    matrix = portfolio.correlations(returns)
    low, high = sorted((one, other))
    coarse, fine = portfolio.clusters(matrix, low), portfolio.clusters(matrix, high)

    assert sorted(place for group in fine for place in group) == list(range(len(matrix)))
    assert all(any(set(group) <= set(whole) for whole in coarse) for group in fine)
    assert all(len(before) >= len(after) for before, after in pairwise(fine))


@settings(max_examples=40)
@given(moves(), st.floats(-1, 1), st.randoms())
def test_the_order_of_the_pairs_changes_no_cluster(returns: Floats, threshold: float, rng: object) -> None:
    order = list(range(len(returns)))
    rng.shuffle(order)  # type: ignore[attr-defined]

    straight = {frozenset(group) for group in portfolio.clusters(portfolio.correlations(returns), threshold)}
    shuffled = portfolio.clusters(portfolio.correlations(returns[order]), threshold)

    assert {frozenset(order[place] for place in group) for group in shuffled} == straight


def test_pairs_hang_together_by_way_of_a_third() -> None:
    matrix = np.array([[1.0, 0.8, 0.1, 0.0], [0.8, 1.0, 0.9, 0.0], [0.1, 0.9, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])

    assert portfolio.clusters(matrix, 0.7) == ((0, 1, 2), (3,))
    assert portfolio.allies(matrix, 0.7)[0].tolist() == [True, True, True, False]


def test_what_is_not_known_links_nothing_but_counts_as_one_risk() -> None:
    matrix = np.array([[1.0, 0.1, np.nan], [0.1, 1.0, np.nan], [np.nan, np.nan, np.nan]])

    assert portfolio.clusters(matrix, 0.7) == ((0,), (1,), (2,))
    assert portfolio.allies(matrix, 0.7).tolist() == [[True, False, True], [False, True, True], [True, True, True]]


def test_a_price_that_never_moves_has_no_correlation() -> None:
    matrix = portfolio.correlations(np.array([[0.01, -0.02, 0.03], [0.001, 0.001, 0.001]]))

    assert matrix[0, 0] == 1.0
    assert np.isnan(matrix[1]).all()


def test_returns_are_aligned_by_time_and_a_row_that_ends_earlier_or_begins_later_is_unknown() -> None:
    whole = walk(1, 200)
    late, short = walk(2, 200).slice(0, 199), walk(3, 200).slice(110, 200)
    ahead = walk(4, 200)

    found = portfolio.returns([whole, late, short, ahead.slice(50, 200)], closed_at_ms=closed_ms(whole), window=96)

    assert found[0] == pytest.approx(np.diff(np.log(whole.close[-97:])))
    assert np.isnan(found[1]).all()
    assert np.isnan(found[2]).all()
    assert found[3] == pytest.approx(np.diff(np.log(ahead.close[-97:])))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(98, 299))
def test_later_bars_change_nothing(seed: int, cut: int) -> None:
    series = [walk(seed + number, 300) for number in range(3)]
    at = timeframes.to_ms(series[0].closed_at(cut - 1))

    known = portfolio.returns([each.slice(0, cut) for each in series], closed_at_ms=at, window=96)

    assert np.array_equal(portfolio.returns(series, closed_at_ms=at, window=96), known)


@pytest.mark.skipif(not REAL.exists(), reason="the real candles are not on this machine")
def test_btc_and_link_move_together_on_real_candles() -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    names = ("BTC", "LINK")
    series = [
        read_csv(REAL / f"{name}USDT-15m.csv", symbol=f"{name}/USDT", timeframe="15m", now=now).candles
        for name in names
    ]
    found = [
        portfolio.correlations(
            portfolio.returns(series, closed_at_ms=timeframes.to_ms(series[0].closed_at(bar)), window=96)
        )[0, 1]
        for bar in range(96, 8600, 500)
    ]

    assert np.median(found) > 0.7
    # Shifted by a bar they hardly do: the alignment is by time.
    shifted = replace(series[1], opened=series[1].opened + timeframes.milliseconds("15m"))
    at = timeframes.to_ms(series[0].closed_at(4000))
    wrong = portfolio.correlations(portfolio.returns([series[0], shifted], closed_at_ms=at, window=96))[0, 1]
    right = portfolio.correlations(portfolio.returns(series, closed_at_ms=at, window=96))[0, 1]
    assert wrong < 0.4 < right
