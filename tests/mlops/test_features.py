"""Features: the same row however it is asked for, nothing of the future in it, and nothing in the place of what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops import features
from tests.mlops.learned import walk
from trading.core import decision
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.strategies import BandReversion, TrendCross
from trading.core.types import Side

PARAMS = Params()
STRATEGIES = (TrendCross(), BandReversion())
BARS = 300


def rows(candles: Candles, side: int = 1) -> Floats:
    """Return the row of every bar, as training has them."""
    bars = np.arange(len(candles))
    sides = np.full(len(candles), side, dtype=np.int8)
    return features.at(candles, analyse(candles, PARAMS), bars=bars, sides=sides, params=PARAMS)


@pytest.mark.parametrize("side", list(Side))
def test_served_equals_trained_on_every_row_to_the_last_bit(side: Side) -> None:
    candles = walk(3, BARS)

    trained = rows(candles, side.sign)

    for bar in range(len(candles)):
        seen = candles.slice(0, bar + 1)
        served = features.last(seen, analyse(seen, PARAMS), side=side, params=PARAMS)
        np.testing.assert_array_equal(served, trained[bar], err_msg=f"bar {bar}")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 300), later=st.integers(1, 60))
def test_later_bars_change_nothing(seed: int, cut: int, later: int) -> None:
    candles = walk(seed, cut + later)

    np.testing.assert_array_equal(rows(candles)[:cut], rows(candles.slice(0, cut)))


def test_the_prefix_test_would_find_a_value_that_peeks(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = walk(1, 200)
    honest = features._Reader.ago
    monkeypatch.setattr(features._Reader, "ago", lambda reader, values, lag=0: honest(reader, np.roll(values, -1), lag))

    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(rows(candles)[:150], rows(candles.slice(0, 150)))


def test_the_loaded_history_gives_the_same_row_as_the_whole_past() -> None:
    needed = decision.history_bars(PARAMS, STRATEGIES)
    whole = walk(5, needed + 900)
    part = whole.tail(needed)

    served = features.last(part, analyse(part, PARAMS), side=Side.LONG, params=PARAMS)
    trained = features.last(whole, analyse(whole, PARAMS), side=Side.LONG, params=PARAMS)

    np.testing.assert_allclose(served, trained, rtol=1e-7, atol=1e-9)


def test_what_is_missing_stays_missing_until_the_warm_up_is_over() -> None:
    made = rows(walk(2, BARS))

    always = {"side", "hour", "weekday", "busy_session", "candle_strength"}
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
    candles = walk(6, BARS)
    mirrored = replace(
        candles,
        open=200.0 - candles.open,
        high=200.0 - candles.low,
        low=200.0 - candles.high,
        close=200.0 - candles.close,
    )
    names = ("momentum_20", "horizons_agree", "range_position", "candle_strength", "engulfing", "slow_distance", "rsi")

    long, short = rows(candles, 1)[-1], rows(mirrored, -1)[-1]

    for name in names:
        place = features.NAMES.index(name)
        assert short[place] == pytest.approx(long[place], rel=1e-6, abs=1e-9), name


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
    monkeypatch.setattr(features, "VERSION", 2)
    assert features.schema_hash() != before
    assert len(set(features.NAMES)) == len(features.NAMES) == 31
