from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import NAN, floats_that_raise
from trading.core import regime, scoring
from trading.core.params import Params
from trading.core.types import REGIMES, Regime


def below(bound: float) -> float:
    return float(np.nextafter(bound, -np.inf))


@pytest.fixture(autouse=True)
def strict_floats() -> Iterator[None]:
    with floats_that_raise():
        yield


def classified(adx: float, hurst: float, params: Params | None = None) -> Regime:
    codes = regime.classify(np.array([adx]), np.array([hurst]), params or Params())
    return REGIMES[int(codes[0])]


def points(**values: float) -> dict[str, float]:
    usual = {"adx": 27.0, "hurst": 0.52, "volume_ratio": 1.2, "rsi": 50.0} | values
    code = np.array([int(usual.pop("regime", Regime.TREND.code))], dtype=np.int8)
    columns = {name: np.array([value]) for name, value in usual.items()}
    parts = scoring.parts(
        adx=columns["adx"],
        hurst=columns["hurst"],
        volume_ratio=columns["volume_ratio"],
        rsi=columns["rsi"],
        regime=code,
    )
    return {name: float(column[0]) for name, column in parts.items()}


def score(kind: Regime, *values: float) -> float:
    """Return the score of a bar, from its ADX, Hurst exponent, volume ratio and RSI."""
    columns = [np.array([value]) for value in values]
    code = np.array([kind.code], dtype=np.int8)
    result = scoring.technical(adx=columns[0], hurst=columns[1], volume_ratio=columns[2], rsi=columns[3], regime=code)
    return float(result[0])


@pytest.mark.parametrize(
    ("_case", "adx", "hurst", "expected"),
    [
        ("both strong", 30.0, 0.55, Regime.STRONG_TREND),
        ("strong, but no memory", 30.0, below(0.55), Regime.TREND),
        ("nearly strong", below(30.0), 0.9, Regime.TREND),
        ("just a trend", 25.0, 0.4, Regime.TREND),
        ("nearly a trend", below(25.0), 0.9, Regime.WEAK_TREND),
        ("just weak", 20.0, 0.4, Regime.WEAK_TREND),
        ("nearly weak", below(20.0), 0.9, Regime.RANGING),
        ("no direction", 0.0, 0.5, Regime.RANGING),
        ("choppy before ranging", 0.0, below(0.4), Regime.CHOPPY),
        ("choppy before trend", 100.0, below(0.4), Regime.CHOPPY),
        ("not choppy at its bound", 0.0, 0.4, Regime.RANGING),
        ("adx missing", NAN, 0.5, Regime.UNKNOWN),
        ("hurst missing", 30.0, NAN, Regime.UNKNOWN),
        ("both missing", NAN, NAN, Regime.UNKNOWN),
        ("adx missing in a choppy market", NAN, 0.1, Regime.UNKNOWN),
    ],
)
def test_the_regime_table(_case: str, adx: float, hurst: float, expected: Regime) -> None:
    assert classified(adx, hurst) is expected


def test_the_regime_table_follows_the_parameters() -> None:
    params = Params.of({"adx_strong": 50, "adx_trend": 40, "adx_weak": 30, "hurst_strong": 0.7, "hurst_choppy": 0.3})

    assert [classified(adx, 0.7, params) for adx in (50.0, 49.0, 39.0, 29.0)] == [
        Regime.STRONG_TREND,
        Regime.TREND,
        Regime.WEAK_TREND,
        Regime.RANGING,
    ]
    assert classified(50.0, 0.69, params) is Regime.TREND
    assert classified(50.0, 0.29, params) is Regime.CHOPPY


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(-0.5, 1.5))
def test_every_reading_has_a_known_regime(adx: float, hurst: float) -> None:
    kind = classified(adx, hurst)

    assert kind is not Regime.UNKNOWN
    assert (kind is Regime.CHOPPY) == (hurst < 0.4)


def test_regimes_have_the_names_and_codes_that_rows_hold() -> None:
    names = ["strong_trend", "trend", "weak_trend", "ranging", "choppy", "unknown"]

    assert [kind.value for kind in REGIMES] == names
    assert [kind.code for kind in REGIMES] == list(range(6))


def test_the_table_says_what_each_regime_trades() -> None:
    codes = np.arange(len(REGIMES), dtype=np.int8)

    assert regime.allowed("trend", codes).all()
    assert [kind for kind in REGIMES if regime.allowed("reversion", codes)[kind.code]] == [Regime.RANGING]


@pytest.mark.parametrize(
    ("part", "name", "steps", "least"),
    [
        ("adx", "adx", [(40.0, 30), (30.0, 25), (25.0, 20), (20.0, 10)], 5),
        ("hurst", "hurst", [(0.6, 20), (0.5, 15), (0.4, 10)], 5),
        ("volume", "volume_ratio", [(2.0, 20), (1.5, 15), (1.0, 10), (0.5, 5)], 0),
    ],
)
def test_points_step_up_at_each_bound(part: str, name: str, steps: list[tuple[float, int]], least: int) -> None:
    lower = [*(earned for _, earned in steps[1:]), least]

    for (bound, earned), earned_below in zip(steps, lower, strict=True):
        assert points(**{name: bound})[part] == earned
        assert points(**{name: below(bound)})[part] == earned_below
    assert points(**{name: 0.0})[part] == least
    assert points(**{name: 1000.0})[part] == steps[0][1]


@pytest.mark.parametrize(
    ("rsi", "expected"),
    [
        *((50.0, 15), (40.0, 15), (60.0, 15), (39.9, 10), (60.1, 10), (30.0, 10), (70.0, 10)),
        *((29.9, 5), (70.1, 5), (20.0, 5), (80.0, 5), (19.9, 0), (80.1, 0), (0.0, 0), (100.0, 0)),
    ],
)
def test_rsi_earns_most_in_the_middle(rsi: float, expected: int) -> None:
    assert points(rsi=rsi)["rsi"] == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Regime.STRONG_TREND, 15),
        (Regime.TREND, 15),
        (Regime.RANGING, 10),
        (Regime.WEAK_TREND, 5),
        (Regime.CHOPPY, 0),
        (Regime.UNKNOWN, 0),
    ],
)
def test_each_regime_earns_its_points(kind: Regime, expected: int) -> None:
    assert points(regime=kind.code)["regime"] == expected


def test_the_score_is_the_sum_of_its_parts() -> None:
    assert score(Regime.STRONG_TREND, 40.0, 0.6, 2.0, 50.0) == 100.0
    assert score(Regime.TREND, 27.0, 0.52, 1.2, 65.0) == 20 + 15 + 10 + 10 + 15
    assert score(Regime.CHOPPY, 5.0, 0.1, 0.1, 95.0) == 5 + 5 + 0 + 0 + 0


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_indicator_is_no_middling_score(missing: int) -> None:
    values = [40.0, 0.6, 2.0, 50.0]
    values[missing] = NAN

    assert np.isnan(score(Regime.TREND, *values))


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(-1, 2), st.floats(0, 1e6), st.floats(0, 100), st.sampled_from(Regime))
def test_a_score_lies_between_10_and_100(adx: float, hurst: float, volume: float, rsi: float, kind: Regime) -> None:
    assert 10.0 <= score(kind, adx, hurst, volume, rsi) <= 100.0


@pytest.mark.parametrize(
    ("value", "word"),
    [
        *((100, "excellent"), (80, "excellent"), (79.9, "good"), (65, "good"), (64.9, "moderate")),
        *((50, "moderate"), (49.9, "weak"), (35, "weak"), (34.9, "poor"), (0, "poor")),
    ],
)
def test_a_score_has_a_word(value: float, word: str) -> None:
    assert scoring.label(float(value)) == word


def test_a_missing_score_has_no_word() -> None:
    with pytest.raises(ValueError, match="a missing score has no label"):
        scoring.label(NAN)
