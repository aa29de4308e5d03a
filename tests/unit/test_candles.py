from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import MONDAY, NAN, candles, walk
from trading.core import timeframes
from trading.core.candles import CandleError, Candles, Floats, resample

QUARTER = timedelta(minutes=15)
COLUMNS = ("opened", "open", "high", "low", "close", "volume")

multiples = st.sampled_from([("15m", "15m"), ("15m", "30m"), ("15m", "1h"), ("15m", "4h"), ("1m", "3m"), ("1h", "1d")])


def columns(series: Candles) -> Floats:
    return np.stack([getattr(series, name) for name in COLUMNS])


def checked(**changes: Any) -> Candles:
    """Check ten sound bars with whole columns replaced, or one value of a column: close=(3, nan)."""
    sound = candles([(100, 102, 99, 101, 5)] * 10)
    values = {name: getattr(sound, name).copy() for name in COLUMNS}
    for name, change in changes.items():
        if isinstance(change, tuple):
            row, value = change
            values[name][row] = value
        else:
            values[name] = change
    return Candles.checked(symbol="BTC/USDT", timeframe="15m", **values)


def from_bar(offset: int) -> int:
    return timeframes.to_ms(MONDAY + offset * QUARTER)


def test_sound_bars_are_taken_as_they_are() -> None:
    series = checked()

    assert len(series) == 10
    assert series.opened_at(0) == MONDAY
    assert series.closed_at(0) == MONDAY + QUARTER == series.opened_at(1)
    assert series.close.tolist() == [101.0] * 10


def test_no_bars_at_all_are_no_error() -> None:
    empty = candles([])

    assert len(empty) == 0
    assert len(empty.until(MONDAY, limit=5)) == 0
    assert len(resample(empty, "1h")) == 0


@pytest.mark.parametrize(
    ("_case", "changes", "row", "reason"),
    [
        ("open missing", {"open": (3, NAN)}, 3, "open is not a number"),
        ("high infinite", {"high": (0, float("inf"))}, 0, "high is not a number"),
        ("low missing", {"low": (9, NAN)}, 9, "low is not a number"),
        ("close infinite", {"close": (1, -float("inf"))}, 1, "close is not a number"),
        ("volume missing", {"volume": (4, NAN)}, 4, "volume is not a number"),
        ("price zero", {"low": (5, 0.0)}, 5, "low is not positive"),
        ("price negative", {"open": (5, -1.0)}, 5, "open is not positive"),
        ("volume negative", {"volume": (6, -0.1)}, 6, "volume is negative"),
        ("high below low", {"high": (7, 98.0)}, 7, "high is below low"),
        ("high below close", {"high": (7, 100.5)}, 7, "high is below open or close"),
        ("low above open", {"low": (8, 100.5)}, 8, "low is above open or close"),
        ("off the grid", {"opened": (2, from_bar(2) + 1)}, 2, "open time is not on the 15m grid"),
        ("twice", {"opened": (2, from_bar(1))}, 2, "duplicate open time"),
        ("backwards", {"opened": (2, from_bar(0))}, 2, "open time goes backwards"),
        ("a gap", {"opened": (9, from_bar(10))}, 9, "bars are missing before it"),
        ("a column too short", {"close": np.ones(9)}, 0, "close has 9 values for 10 bars"),
        ("the first of two", {"close": (3, NAN), "volume": (6, NAN)}, 3, "close is not a number"),
        ("the first of two kinds", {"opened": (2, from_bar(1)), "close": (7, NAN)}, 2, "duplicate open time"),
        ("the first of two prices", {"close": (8, -1.0), "volume": (4, -1.0)}, 4, "volume is negative"),
    ],
)
def test_a_broken_contract_names_its_first_row(_case: str, changes: dict[str, Any], row: int, reason: str) -> None:
    with pytest.raises(CandleError) as refusal:
        checked(**changes)

    assert (refusal.value.row, refusal.value.reason) == (row, reason)
    assert str(refusal.value) == f"candle {row}: {reason}"


def test_a_bar_of_one_price_without_volume_is_sound() -> None:
    still = candles([(100, 100, 100, 100, 0)] * 3)

    assert still.volume.tolist() == [0.0, 0.0, 0.0]


def test_an_unknown_timeframe_is_named() -> None:
    with pytest.raises(timeframes.UnknownTimeframe, match=r"unknown timeframe '7m': use one of 1m, 3m"):
        candles([(100, 102, 99, 101, 5)], timeframe="7m")


def test_slices_and_tails_keep_the_series() -> None:
    series = candles([(k, k, k, k, k) for k in range(1, 11)])

    part, tail = series.slice(2, 5), series.tail(3)

    assert part.close.tolist() == [3, 4, 5]
    assert part.opened_at(0) == MONDAY + 2 * QUARTER
    assert (part.symbol, part.timeframe) == ("BTC/USDT", "15m")
    assert tail.close.tolist() == [8, 9, 10]
    assert len(series.tail(0)) == 0
    assert len(series.tail(11)) == 10


@pytest.mark.parametrize(
    ("_case", "moment", "closes"),
    [
        ("before the first close", MONDAY + QUARTER - timedelta(microseconds=1), []),
        ("at the first close", MONDAY + QUARTER, [1]),
        ("inside the second bar", MONDAY + 2 * QUARTER - timedelta(milliseconds=1), [1]),
        ("at the third close", MONDAY + 3 * QUARTER, [2, 3]),
        ("long after", MONDAY + timedelta(days=9), [4, 5]),
        ("in another zone", datetime(2025, 3, 3, 1, 45, tzinfo=timezone(timedelta(hours=1))), [2, 3]),
    ],
)
def test_until_gives_the_last_closed_bars(_case: str, moment: datetime, closes: list[float]) -> None:
    series = candles([(k, k, k, k, k) for k in range(1, 6)])

    assert series.until(moment, limit=2).close.tolist() == closes


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its time zone"):
        candles([(1, 1, 1, 1, 1)]).until(datetime(2025, 3, 3), limit=1)  # noqa: DTZ001


@settings(deadline=None)
@given(
    timeframe=st.sampled_from(list(timeframes.MILLISECONDS)),
    bars=st.integers(0, 30),
    microseconds=st.integers(-(10**12), 10**13),
    limit=st.integers(0, 40),
)
def test_until_never_gives_a_forming_bar(timeframe: str, bars: int, microseconds: int, limit: int) -> None:
    series = candles([(1, 1, 1, 1, 1)] * bars, timeframe=timeframe)
    moment = MONDAY + timedelta(microseconds=microseconds)

    seen = series.until(moment, limit=limit)

    closed = sum(series.closed_at(k) <= moment for k in range(bars))
    assert all(seen.closed_at(k) <= moment for k in range(len(seen)))
    assert len(seen) == min(limit, closed)
    assert len(seen) == 0 or seen.closed_at(len(seen) - 1) == series.closed_at(closed - 1)


def test_resampled_bars_are_aligned_to_utc_and_partial_ones_are_left_out() -> None:
    rows = [
        (10, 12, 9, 11, 1),  # 00:30, its hour began before
        (11, 13, 8, 12, 1),  # 00:45
        (12, 15, 11, 14, 1),  # 01:00
        (14, 14, 7, 8, 2),  # 01:15
        (8, 16, 8, 9, 3),  # 01:30
        (9, 10, 9, 10, 4),  # 01:45
        (10, 20, 10, 20, 5),  # 02:00, its hour has not ended
        (20, 20, 5, 6, 5),  # 02:15
        (6, 6, 6, 6, 5),  # 02:30
    ]
    series = candles(rows, start=MONDAY + 2 * QUARTER)

    hours = resample(series, "1h")

    assert [hours.opened_at(k) for k in range(len(hours))] == [datetime(2025, 3, 3, 1, tzinfo=UTC)]
    assert columns(hours)[1:, 0].tolist() == [12, 16, 7, 10, 10]
    assert (hours.symbol, hours.timeframe) == ("BTC/USDT", "1h")


def test_a_longer_bar_with_a_hole_is_left_out() -> None:
    whole = walk(1, 12)
    holed = Candles(
        symbol="BTC/USDT", timeframe="15m", **{name: np.delete(getattr(whole, name), 5) for name in COLUMNS}
    )

    hours = resample(holed, "1h")

    assert [hours.opened_at(k).hour for k in range(len(hours))] == [0, 2]
    assert hours.close.tolist() == [whole.close[3], whole.close[11]]


@pytest.mark.parametrize(("short", "long"), [("15m", "5m"), ("1h", "30m"), ("3m", "5m"), ("1d", "1m")])
def test_bars_that_do_not_divide_are_refused(short: str, long: str) -> None:
    with pytest.raises(ValueError, match=f"{long} bars cannot be made from {short} bars"):
        resample(candles([(1, 1, 1, 1, 1)], timeframe=short), long)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(1, 120), start=st.integers(0, 96), pair=multiples)
def test_each_longer_bar_is_the_sum_of_its_parts(seed: int, bars: int, start: int, pair: tuple[str, str]) -> None:
    short, long = pair
    series = walk(seed, start + bars, timeframe=short).slice(start, start + bars)
    span = timeframes.milliseconds(long)
    parts = span // timeframes.milliseconds(short)

    made = resample(series, long)

    expected = []
    for opened in sorted({int(ms) // span * span for ms in series.opened}):
        rows = [k for k in range(bars) if int(series.opened[k]) // span * span == opened]
        if len(rows) == parts:
            high, low = max(series.high[rows]), min(series.low[rows])
            volume = series.volume[rows].sum()
            expected.append((opened, series.open[rows[0]], high, low, series.close[rows[-1]], volume))
    np.testing.assert_allclose(columns(made).T, np.array(expected).reshape(-1, 6), rtol=1e-12)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(2, 120), data=st.data(), pair=multiples)
def test_a_longer_bar_never_changes_when_later_bars_arrive(
    seed: int, bars: int, data: st.DataObject, pair: tuple[str, str]
) -> None:
    short, long = pair
    series = walk(seed, bars, timeframe=short)
    cut = data.draw(st.integers(1, bars))

    before, after = resample(series.slice(0, cut), long), resample(series, long)

    assert np.array_equal(columns(before), columns(after)[:, : len(before)])
    assert all(after.closed_at(k) > series.closed_at(cut - 1) for k in range(len(before), len(after)))
