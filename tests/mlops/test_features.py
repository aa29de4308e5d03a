"""Features: the same row however it is asked for, nothing of the future in it, and nothing in the place of what is missing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlops import features
from tests.mlops.learned import walk
from trading.core import book_history, decision, multi_timeframe, timeframes
from trading.core.analysis import analyse
from trading.core.book_history import BookHistory
from trading.core.candles import Candles, Floats, resample
from trading.core.params import Params
from trading.core.strategies import BandReversion, TrendCross
from trading.core.types import Side

PARAMS = Params()
STRATEGIES = (TrendCross(), BandReversion())
BARS, LONG = 300, 440
"""The second is enough for a value of every feature."""
BOOK = ("order_book_imbalance", "funding_rate", "open_interest_change")
SPAN, MS = timeframes.milliseconds("15m"), timedelta(milliseconds=1)


def rows(candles: Candles, side: int = 1, *, leader: Candles | None = None, book: BookHistory | None = None) -> Floats:
    """Return the row of every bar, as training has them."""
    bars = np.arange(len(candles))
    sides = np.full(len(candles), side, dtype=np.int8)
    return features.at(
        candles, analyse(candles, PARAMS), bars=bars, sides=sides, params=PARAMS, leader=leader, book=book
    )


def last(
    candles: Candles, side: Side = Side.LONG, *, leader: Candles | None = None, book: BookHistory | None = None
) -> Floats:
    """Return the row of the last bar, as it is served."""
    return features.last(candles, analyse(candles, PARAMS), side=side, params=PARAMS, leader=leader, book=book)


def recorded(seed: int, candles: Candles) -> BookHistory:
    """Return a record every five minutes or so beside the candles; what is slow is told in some of them alone."""
    rng = np.random.default_rng(seed)
    first, end = candles.opened[0] - book_history.REACH // MS, candles.opened[-1] + 2 * SPAN
    at = np.arange(first, end, 300_000) + rng.integers(0, 60_000, len(np.arange(first, end, 300_000)))
    told = rng.random((3, len(at)))
    return BookHistory(
        at=at,
        imbalance=np.where(told[0] < 0.9, rng.uniform(-1.0, 1.0, len(at)), np.nan),
        funding_rate=np.where(told[1] < 0.1, rng.normal(0.0, 1e-4, len(at)), np.nan),
        open_interest=np.where(told[2] < 0.1, rng.lognormal(12.0, 0.1, len(at)), np.nan),
    )


def part(book: BookHistory, kept: NDArray[np.bool_]) -> BookHistory:
    return BookHistory(**{each.name: getattr(book, each.name)[kept] for each in fields(book)})


def of_one_moment(book: BookHistory, moment: datetime) -> BookHistory:
    """Return the records that are read for one bar."""
    times = [[timeframes.to_ms(each) for each in span] for span in book_history.spans(moment)]
    return part(book, np.logical_or.reduce([(book.at >= start) & (book.at <= end) for start, end in times]))


def column(made: Floats, name: str) -> Floats:
    return made[:, features.NAMES.index(name)]


@pytest.mark.parametrize("side", list(Side))
def test_served_equals_trained_on_every_row_to_the_last_bit(side: Side) -> None:
    candles, leader = walk(3, LONG), walk(4, LONG)
    book = recorded(3, candles)

    trained = rows(candles, side.sign, leader=leader, book=book)

    for bar in range(len(candles)):
        known = of_one_moment(book, candles.closed_at(bar))
        served = last(candles.slice(0, bar + 1), side, leader=leader.slice(0, bar + 1), book=known)
        np.testing.assert_array_equal(served, trained[bar], err_msg=f"bar {bar}")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, LONG), later=st.integers(1, 60))
def test_later_bars_change_nothing(seed: int, cut: int, later: int) -> None:
    candles, leader = walk(seed, cut + later), walk(seed + 1, cut + later)
    book = recorded(seed, candles)
    known = part(book, book.at < candles.opened[cut - 1] + SPAN)

    whole = rows(candles, leader=leader, book=book)

    seen = candles.slice(0, cut)
    np.testing.assert_array_equal(whole[:cut], rows(seen, leader=leader.slice(0, cut), book=known))
    # BTC's next bars, and later records, may be at hand already.
    np.testing.assert_array_equal(whole[:cut], rows(seen, leader=leader, book=book))


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

    assert np.isfinite(np.delete(trained, [features.NAMES.index(name) for name in BOOK])).all()
    np.testing.assert_allclose(served, trained, rtol=1e-7, atol=1e-9)


def test_what_is_missing_stays_missing_until_the_warm_up_is_over() -> None:
    candles = walk(2, LONG)
    made = rows(candles, leader=walk(3, LONG), book=all_told(candles))

    always = {"side", "hour", "weekday", "busy_session", "candle_strength", "wicks"}
    first = {name for place, name in enumerate(features.NAMES) if not np.isnan(made[0, place])}
    assert first <= always | set(BOOK)
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


def told_at(*records: tuple[float, dict[str, float]], candles: Candles) -> BookHistory:
    """Return records by the seconds before the last bar's close."""
    at = [int(candles.opened[-1]) + SPAN - int(before * 1000) for before, _ in records]
    columns = ("imbalance", "funding_rate", "open_interest")
    values = {name: np.array([told.get(name, np.nan) for _, told in records]) for name in columns}
    return BookHistory(at=np.array(at, dtype=np.int64), **values)


def all_told(candles: Candles) -> BookHistory:
    told = {"imbalance": 0.25, "funding_rate": 1e-4}
    records = ((86_460.0, {"open_interest": 100.0}), (60.0, {**told, "open_interest": 110.0}))
    return told_at(*records, candles=candles)


def test_a_book_is_read_as_it_was_known_when_the_bar_closed_and_as_the_side_sees_it() -> None:
    candles = walk(9, 60)
    book = all_told(candles)

    long, short = (last(candles, side, book=book)[features.columns_of(BOOK)] for side in (Side.LONG, Side.SHORT))

    np.testing.assert_allclose(long, [0.25, 1e-4, 0.1])
    np.testing.assert_allclose(short, [-0.25, -1e-4, 0.1])
    assert np.isnan(rows(candles)[:, features.columns_of(BOOK)]).all()


@pytest.mark.parametrize(
    ("_case", "name", "before_s", "is_known"),
    [
        ("being written while the bar was judged", "imbalance", 9.999, False),
        ("just written", "imbalance", 10.0, True),
        ("at its oldest", "imbalance", 910.0, True),
        ("too old", "imbalance", 910.001, False),
        ("after the close", "imbalance", -1.0, False),
        ("told once an hour", "funding_rate", 7_210.0, True),
        ("not told for two hours", "funding_rate", 7_210.001, False),
    ],
)
def test_a_record_counts_from_when_it_was_settled_until_it_is_old(
    _case: str, name: str, before_s: float, is_known: bool
) -> None:
    candles = walk(9, 60)

    made = last(candles, book=told_at((before_s, {name: 0.5}), candles=candles))

    feature = {"imbalance": "order_book_imbalance"}.get(name, name)
    assert made[features.NAMES.index(feature)] == 0.5 or not is_known
    assert np.isnan(made[features.NAMES.index(feature)]) == (not is_known)


def test_a_record_without_a_value_does_not_hide_the_one_before() -> None:
    candles = walk(9, 60)
    book = told_at((3_000.0, {"funding_rate": 2e-4}), (300.0, {"imbalance": 0.1}), candles=candles)

    made = last(candles, book=book)

    assert made[features.NAMES.index("funding_rate")] == 2e-4
    assert np.isnan(made[features.NAMES.index("open_interest_change")])


def test_the_prefix_test_would_find_a_join_that_peeks(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = walk(1, 200)
    book = recorded(1, candles)
    known = part(book, book.at < candles.opened[149] + SPAN)
    monkeypatch.setattr(book_history, "SETTLED", -timedelta(minutes=10))

    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(rows(candles, book=book)[:150], rows(candles.slice(0, 150), book=known))


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
    monkeypatch.setattr(features, "VERSION", 0)
    assert features.schema_hash() != before
    assert len(set(features.NAMES)) == len(features.NAMES) == 44
