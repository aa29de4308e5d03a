from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.unit.core_values import MONDAY, NAN, candles, floats_that_raise, measured
from trading.core import filters
from trading.core.params import Params
from trading.core.types import Regime, Side, Verdict

ALL_ON = {"adx_danger": True, "adx_danger_low": 30, "adx_danger_high": 40}
NAMES = ("score", "adx", "adx_danger", "volume_ratio", "confluence", "target_over_cost")
# What each filter reads; without it, it must refuse.
READS = {
    "score": ["score"],
    "adx": ["adx"],
    "adx_danger": ["adx"],
    "volume_ratio": ["volume_ratio"],
    "confluence": ["rsi", "adx", "volume_ratio"],
    "target_over_cost": ["atr"],
}


@pytest.fixture(autouse=True)
def strict_floats() -> Iterator[None]:
    with floats_that_raise():
        yield


def verdicts(
    columns: Mapping[str, float] = MappingProxyType({}),
    *,
    side: Side = Side.LONG,
    regime: Regime = Regime.TREND,
    params: dict[str, Any] | None = None,
    hour: int = 1,
    round_trip: float = 0.003,
) -> dict[str, Verdict]:
    """Judge one bar that opened at `hour` and closed at 100; `columns` are what was measured on it."""
    context = filters.Context(
        candles=candles([(100, 101, 99, 100, 5)], start=MONDAY + timedelta(hours=hour)),
        analysis=measured(1, regime=regime.code, **columns),
        sides=np.array([side.sign], dtype=np.int8),
        params=Params.of(params or {}),
        round_trip=round_trip,
    )
    return {column.name: column.verdict(0) for column in filters.evaluate(context)}


def test_every_filter_answers_in_order_with_value_and_limit() -> None:
    answers = verdicts()

    assert tuple(answers) == NAMES
    assert all(verdict.passed for verdict in answers.values())
    assert all(np.isfinite(verdict.value) and np.isfinite(verdict.limit) for verdict in answers.values())


def test_the_table_of_the_tests_knows_every_filter() -> None:
    assert len(filters.FILTERS) == len(NAMES)
    assert set(READS) == set(NAMES)


@pytest.mark.parametrize(("name", "missing"), [(name, column) for name, read in READS.items() for column in read])
@pytest.mark.parametrize("side", Side)
def test_a_filter_without_its_value_refuses_and_says_so(name: str, missing: str, side: Side) -> None:
    verdict = verdicts({missing: NAN}, side=side, params=ALL_ON)[name]

    assert not verdict.passed
    assert np.isnan(verdict.value)
    assert verdict.reason == f"{name.replace('_', ' ')} has no value"


def test_nothing_at_all_passes_nothing_at_all() -> None:
    nothing = dict.fromkeys(["score", "adx", "rsi", "atr", "volume_ratio", "hurst"], NAN)

    answers = verdicts(nothing, params=ALL_ON, regime=Regime.UNKNOWN)

    assert [verdict.name for verdict in answers.values() if verdict.passed] == []


@pytest.mark.parametrize(
    ("regime", "score", "adx"),
    [
        (Regime.STRONG_TREND, 35.0, 25.0),
        (Regime.TREND, 40.0, 25.0),
        (Regime.WEAK_TREND, 30.0, 20.0),
        (Regime.RANGING, 55.0, 0.0),
        (Regime.CHOPPY, 80.0, 40.0),
        (Regime.UNKNOWN, 50.0, 25.0),
    ],
)
def test_score_and_adx_are_asked_by_regime(regime: Regime, score: float, adx: float) -> None:
    at = verdicts({"score": score, "adx": adx}, regime=regime)
    short = verdicts({"score": score - 0.01, "adx": adx - 0.01}, regime=regime)

    assert (at["score"].passed, at["score"].limit) == (True, score)
    assert (at["adx"].passed, at["adx"].limit) == (True, adx)
    assert not short["score"].passed
    assert not short["adx"].passed


@pytest.mark.parametrize(
    ("_case", "adx", "passed"),
    [
        ("below", 29.99, True),
        ("lower bound", 30.0, False),
        ("inside", 35.0, False),
        ("upper bound", 40.0, False),
        ("above", 40.01, True),
    ],
)
def test_the_danger_zone_refuses_only_where_it_is_on(_case: str, adx: float, passed: bool) -> None:
    on, off = verdicts({"adx": adx}, params=ALL_ON)["adx_danger"], verdicts({"adx": adx})["adx_danger"]

    assert on.passed is passed
    assert off.passed


@pytest.mark.parametrize(
    ("_case", "hour", "limit"),
    [
        ("first session begins", 0, 0.9),
        ("first session's last hour", 7, 0.9),
        ("between", 8, 1.35),
        ("still between", 12, 1.35),
        ("second session begins", 13, 0.9),
        ("second session's last hour", 19, 0.9),
        ("evening", 20, 1.35),
        ("before midnight", 23, 1.35),
        ("the next day's session", 24, 0.9),
    ],
)
def test_more_volume_is_asked_outside_the_busy_sessions(_case: str, hour: int, limit: float) -> None:
    at = verdicts({"volume_ratio": limit + 1e-9}, hour=hour)["volume_ratio"]
    short = verdicts({"volume_ratio": limit - 1e-9}, hour=hour)["volume_ratio"]

    assert at.limit == pytest.approx(limit, abs=1e-12)
    assert (at.passed, short.passed) == (True, False)


def test_a_bar_belongs_to_the_session_in_which_it_opened() -> None:
    rows = [(100, 101, 99, 100, 5)] * 3
    context = filters.Context(
        candles=candles(rows, start=MONDAY + timedelta(hours=7, minutes=30)),
        analysis=measured(3, volume_ratio=1.0),
        sides=np.ones(3, dtype=np.int8),
        params=Params(),
        round_trip=0.003,
    )

    assert filters.volume(context).passed.tolist() == [True, True, False]


def test_an_empty_session_is_never_busy() -> None:
    never = {"session_one_start": 8, "session_two_start": 20}

    assert {verdicts(hour=hour, params=never)["volume_ratio"].limit for hour in range(24)} == {0.9 * 1.5}


@pytest.mark.parametrize(
    ("_case", "side", "regime", "rsi", "adx", "volume_ratio", "agreeing"),
    [
        ("all agree with a long", Side.LONG, Regime.TREND, 64.9, 25.0, 1.0, 3),
        ("a hot long", Side.LONG, Regime.TREND, 65.0, 25.0, 1.0, 2),
        ("a cold long is fine", Side.LONG, Regime.TREND, 5.0, 25.0, 1.0, 3),
        ("all agree with a short", Side.SHORT, Regime.TREND, 35.1, 25.0, 1.0, 3),
        ("a cold short", Side.SHORT, Regime.TREND, 35.0, 25.0, 1.0, 2),
        ("a hot short is fine", Side.SHORT, Regime.TREND, 95.0, 25.0, 1.0, 3),
        ("no trend", Side.LONG, Regime.WEAK_TREND, 50.0, 24.9, 1.0, 2),
        ("ranging wants no trend", Side.LONG, Regime.RANGING, 50.0, 24.9, 1.0, 3),
        ("a trend in a range", Side.LONG, Regime.RANGING, 50.0, 25.0, 1.0, 2),
        ("thin volume", Side.LONG, Regime.TREND, 50.0, 25.0, 0.99, 2),
        ("only volume", Side.LONG, Regime.CHOPPY, 70.0, 10.0, 1.0, 1),
        ("none", Side.SHORT, Regime.UNKNOWN, 20.0, 10.0, 0.2, 0),
    ],
)
def test_confluence_counts_what_agrees_with_the_side(
    _case: str, side: Side, regime: Regime, rsi: float, adx: float, volume_ratio: float, agreeing: int
) -> None:
    columns = {"rsi": rsi, "adx": adx, "volume_ratio": volume_ratio}

    verdict = verdicts(columns, side=side, regime=regime)["confluence"]

    assert (verdict.value, verdict.limit) == (agreeing, 2.0)
    assert verdict.passed is (agreeing >= 2)


def test_the_first_target_must_be_worth_the_round_trip() -> None:
    # 1.5 R of 2 ATR of 1 are 3 % of the price of 100, ten times a round trip of 0.3 %.
    verdict = verdicts({"atr": 1.0}, round_trip=0.003)["target_over_cost"]

    assert verdict.value == pytest.approx(10.0)
    assert (verdict.limit, verdict.passed) == (1.5, True)


@pytest.mark.parametrize(
    ("_case", "atr", "passed"),
    [("just worth it", 0.1500001, True), ("just not", 0.1499999, False), ("no move", 0.0, False)],
)
def test_a_market_too_quiet_for_its_costs_is_refused(_case: str, atr: float, passed: bool) -> None:
    assert verdicts({"atr": atr}, round_trip=0.003)["target_over_cost"].passed is passed


def test_free_trading_is_never_too_dear_but_a_missing_range_still_refuses() -> None:
    free, missing = verdicts(round_trip=0.0), verdicts({"atr": NAN}, round_trip=0.0)

    assert free["target_over_cost"].passed
    assert not missing["target_over_cost"].passed


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("volume_ratio", {"volume_ratio": 0.62}, "volume ratio 0.62, needs 0.90"),
        ("score", {"score": 35.0}, "score 35.00, needs 40.00"),
        ("adx", {"adx": 24.5}, "adx 24.50, needs 25.00"),
        ("adx_danger", {"adx": 35.0}, "adx danger 35.00, refuses up to 40.00"),
        ("confluence", {"rsi": 70.0, "adx": 20.0}, "confluence 1.00, needs 2.00"),
        ("target_over_cost", {"atr": 0.1}, "target over cost 1.00, needs 1.50"),
    ],
)
def test_a_refusal_reads_as_a_sentence(name: str, columns: dict[str, float], reason: str) -> None:
    verdict = verdicts(columns, params=ALL_ON)[name]

    assert not verdict.passed
    assert verdict.reason == reason


def test_each_bar_has_its_own_answer() -> None:
    context = filters.Context(
        candles=candles([(100, 101, 99, 100, 5)] * 3),
        analysis=measured(3, score=np.array([39.0, NAN, 41.0])),
        sides=np.ones(3, dtype=np.int8),
        params=Params(),
        round_trip=0.003,
    )

    column = filters.score(context)

    assert column.passed.tolist() == [False, False, True]
    assert [column.verdict(k).reason for k in range(3)] == [
        "score 39.00, needs 40.00",
        "score has no value",
        "score 41.00, needs 40.00",
    ]
