"""Features: the same row however it is asked for, nothing of the future in it, and nothing in the place of what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops import features
from tests.mlops.learned import walk
from trading.core import decision, multi_timeframe
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats, resample
from trading.core.params import Params
from trading.core.strategies import BandReversion, TrendCross
from trading.core.types import Side

PARAMS = Params()
STRATEGIES = (TrendCross(), BandReversion())
BARS, LONG = 300, 440
"""The second is enough for a value of every feature."""


def rows(candles: Candles, side: int = 1, *, leader: Candles | None = None) -> Floats:
    """Return the row of every bar, as training has them."""
    bars = np.arange(len(candles))
    sides = np.full(len(candles), side, dtype=np.int8)
    return features.at(candles, analyse(candles, PARAMS), bars=bars, sides=sides, params=PARAMS, leader=leader)


def last(candles: Candles, side: Side = Side.LONG, *, leader: Candles | None = None) -> Floats:
    """Return the row of the last bar, as it is served."""
    return features.last(candles, analyse(candles, PARAMS), side=side, params=PARAMS, leader=leader)


def column(made: Floats, name: str) -> Floats:
    return made[:, features.NAMES.index(name)]


@pytest.mark.parametrize("side", list(Side))
def test_served_equals_trained_on_every_row_to_the_last_bit(side: Side) -> None:
    candles, leader = walk(3, LONG), walk(4, LONG)

    trained = rows(candles, side.sign, leader=leader)

    for bar in range(len(candles)):
        served = last(candles.slice(0, bar + 1), side, leader=leader.slice(0, bar + 1))
        np.testing.assert_array_equal(served, trained[bar], err_msg=f"bar {bar}")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, LONG), later=st.integers(1, 60))
def test_later_bars_change_nothing(seed: int, cut: int, later: int) -> None:
    candles, leader = walk(seed, cut + later), walk(seed + 1, cut + later)

    whole = rows(candles, leader=leader)

    np.testing.assert_array_equal(whole[:cut], rows(candles.slice(0, cut), leader=leader.slice(0, cut)))
    # BTC's next bars may be at hand already.
    np.testing.assert_array_equal(whole[:cut], rows(candles.slice(0, cut), leader=leader))


def test_the_prefix_test_would_find_a_value_that_peeks(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = walk(1, 200)
    honest = features._Reader.ago
    monkeypatch.setattr(features._Reader, "ago", lambda reader, values, lag=0: honest(reader, np.roll(values, -1), lag))

    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(rows(candles)[:150], rows(candles.slice(0, 150)))


def test_the_loaded_history_gives_the_same_row_as_the_whole_past() -> None:
    needed = decision.history_bars(PARAMS, STRATEGIES)
    whole, leader = walk(5, needed + 900), walk(8, needed + 900)

    served = last(whole.tail(needed), leader=leader.tail(needed))
    trained = last(whole, leader=leader)

    assert np.isfinite(trained).all()
    np.testing.assert_allclose(served, trained, rtol=1e-7, atol=1e-9)


def test_what_is_missing_stays_missing_until_the_warm_up_is_over() -> None:
    made = rows(walk(2, LONG), leader=walk(3, LONG))

    always = {"side", "hour", "weekday", "busy_session", "candle_strength", "wicks"}
    first = {name for place, name in enumerate(features.NAMES) if not np.isnan(made[0, place])}
    assert first <= always
    assert np.isfinite(made[-1]).all()


def test_nothing_is_divided_by_nothing() -> None:
    candles = walk(4, 200)
    still = np.full(len(candles), 50.0)
    flat = replace(candles, open=still, high=still, low=still, close=still, volume=np.zeros(len(candles)))

    with np.errstate(all="raise"):
        made = rows(flat)

    assert not np.isinf(made).any()
    assert np.isnan(made[-1, features.NAMES.index("candle_strength")])
    assert np.isnan(made[-1, features.NAMES.index("momentum_5")])


def test_a_short_of_mirrored_prices_looks_like_the_long() -> None:
    candles = walk(6, LONG)
    mirrored = replace(
        candles,
        open=200.0 - candles.open,
        high=200.0 - candles.low,
        low=200.0 - candles.high,
        close=200.0 - candles.close,
    )
    names = ("momentum_20", "horizons_agree", "range_position", "candle_strength", "engulfing", "slow_distance", "rsi")
    longer = ("wicks", "timeframes", "longer_trend", "longer_momentum", "longest_trend", "longest_momentum")

    long, short = rows(candles, 1)[-1], rows(mirrored, -1)[-1]

    for name in (*names, *longer):
        place = features.NAMES.index(name)
        assert short[place] == pytest.approx(long[place], rel=1e-6, abs=1e-9), name


def test_longer_timeframes_are_those_that_had_closed() -> None:
    candles = walk(9, 480)
    made = rows(candles)
    hours = resample(candles, "1h")

    trend, momentum = multi_timeframe.leanings(hours)[0]
    for bar in (300, 301, 302, 303, 304, 479):
        closed = int((candles.opened[bar] + 900_000 - hours.opened[0]) // 3_600_000) - 1
        assert column(made, "longer_trend")[bar] == trend[closed]
        assert column(made, "longer_momentum")[bar] == momentum[closed]
    np.testing.assert_array_equal(column(made, "timeframes"), multi_timeframe.confluence(candles) / 50.0 - 1.0)


def test_where_one_longer_timeframe_is_all_the_longest_is_missing() -> None:
    candles = walk(9, 200)
    daily = replace(candles, timeframe="4h", opened=candles.opened[0] + 14_400_000 * np.arange(200))

    made = rows(daily)

    assert np.isfinite(column(made, "longer_trend")[-1])
    assert np.isnan(column(made, "longest_trend")).all()


def test_what_btc_does_is_read_at_the_same_time_and_missing_where_it_has_no_bar() -> None:
    candles, leader = walk(9, BARS), walk(10, BARS)
    late = leader.slice(40, BARS)

    made, alone = rows(candles, leader=leader), rows(candles)
    moves = np.diff(np.log(np.c_[candles.close, leader.close]), axis=0)[-PARAMS.correlation_bars :]

    assert column(made, "bitcoin_correlation")[-1] == pytest.approx(np.corrcoef(moves.T)[0, 1], abs=1e-9)
    assert column(made, "bitcoin_trend")[-1] == np.sign(leader.close[-10:].mean() - leader.close[-30:].mean())
    np.testing.assert_allclose(rows(candles, leader=late)[-1], made[-1], rtol=1e-3)
    for name in ("bitcoin_correlation", "bitcoin_trend", "bitcoin_rsi", "relative_strength"):
        assert np.isnan(column(alone, name)).all()
        assert np.isnan(column(rows(candles, leader=leader.slice(0, BARS - 1)), name)[-1])
    np.testing.assert_array_equal(column(rows(leader, leader=leader), "bitcoin_correlation")[-5:], 1.0)


@pytest.mark.parametrize(
    ("_case", "bar", "is_about"),
    [
        ("hammer", (10.0, 10.2, 8.0, 10.1), 0.85),
        ("shooting star", (10.0, 12.0, 9.9, 9.95), -0.9),
        ("doji", (10.0, 11.0, 9.0, 10.0), 0.0),
    ],
)
def test_wicks_tell_which_way_a_bar_turned(_case: str, bar: tuple[float, ...], is_about: float) -> None:
    candles = walk(9, 60)
    for values, price in zip((candles.open, candles.high, candles.low, candles.close), bar, strict=True):
        values[-1] = price

    assert column(rows(candles), "wicks")[-1] == pytest.approx(is_about, abs=0.06)


def test_a_row_survives_json_and_another_schema_is_no_row() -> None:
    row = rows(walk(7, 60))[-1]

    values = features.as_json(row)

    back = features.from_json(values)
    assert back is not None
    np.testing.assert_array_equal(back, row)
    assert values["momentum_96"] is None
    assert features.from_json({**values, "version": 0.0}) is None
    assert features.from_json({**values, "other": 1.0}) is None
    assert features.from_json({name: value for name, value in values.items() if name != "rsi"}) is None


def test_the_schema_is_known_by_its_names_their_order_and_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = features.schema_hash()

    assert features.schema_hash(features.NAMES[::-1]) != before
    monkeypatch.setattr(features, "VERSION", 3)
    assert features.schema_hash() != before
    assert len(set(features.NAMES)) == len(features.NAMES) == 41
