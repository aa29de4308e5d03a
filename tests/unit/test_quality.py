"""What is odd about bars, row by row; and that later bars change no verdict."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core import quality, timeframes
from trading.core.candles import Candles
from trading.core.quality import State

START = datetime(2026, 1, 5, tzinfo=UTC)
SPAN = timedelta(minutes=15)


def series(count: int = 120, *, seed: int = 1) -> Candles:
    """Return quiet bars around 100, each opening where the one before closed."""
    noise = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(noise.normal(0.0, 0.1, count))
    opened = np.r_[100.0, close[:-1]]
    return Candles(
        symbol="BTC/USDT",
        timeframe="15m",
        opened=timeframes.to_ms(START) + 900_000 * np.arange(count, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) + 0.2,
        low=np.minimum(opened, close) - 0.2,
        close=close,
        volume=np.full(count, 10.0),
    )


def row(at: int, *values: float) -> list[float]:
    return [timeframes.to_ms(START + at * SPAN), *(values or (1.0, 1.0, 1.0, 1.0, 1.0))]


def test_quiet_bars_are_sound() -> None:
    judged = quality.judge(series())

    assert (judged.state, judged.reason, judged.flagged) == (State.OK, "", 0)


def test_no_bars_are_refused() -> None:
    assert quality.judge(series().slice(0, 0)).state is State.REFUSED


@pytest.mark.parametrize("column", ["high", "low"])
def test_a_spike_makes_the_next_bars_suspect_and_is_forgotten(column: str) -> None:
    candles = series()
    getattr(candles, column)[100] *= 1.3 if column == "high" else 0.7

    states = [quality.judge(candles.slice(0, stop)).state for stop in (100, 101, 103, 104)]

    assert states == [State.OK, State.SUSPECT, State.SUSPECT, State.OK]
    assert quality.judge(candles.slice(0, 101)).reason == "the price spiked at 2026-01-06 01:00"


def test_a_wild_market_is_no_spike() -> None:
    candles = series()
    candles.high[:] *= 1.05
    candles.high[100] *= 1.12

    assert quality.judge(candles.slice(0, 101)).state is State.OK


def test_a_split_makes_everything_before_it_suspect() -> None:
    candles = series()
    for column in (candles.open, candles.high, candles.low, candles.close):
        column[60:] /= 1000.0

    judged = quality.judge(candles)

    assert judged.state is State.SUSPECT
    assert judged.reason == "the price jumped at 2026-01-05 15:00, as after a renaming or a split"


def test_a_market_that_stands_still_is_suspect_after_a_while_and_sound_again_when_it_moves() -> None:
    candles = series()
    for column in (candles.open, candles.high, candles.low, candles.close):
        column[100:118] = candles.close[99]
    candles.volume[100:118] = 0.0

    states = [quality.judge(candles.slice(0, stop)).state for stop in (111, 112, 118, 119)]

    assert states == [State.OK, State.SUSPECT, State.SUSPECT, State.OK]


def test_missing_bars_are_refused() -> None:
    candles = series()
    candles.opened[100:] += 900_000

    judged = quality.judge(candles)

    assert (judged.state, judged.reason) == (State.REFUSED, "bars are missing before 2026-01-06 01:15")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 119))
def test_the_flags_of_a_bar_do_not_change_when_later_bars_arrive(seed: int, stop: int) -> None:
    candles, noise = series(seed=seed), np.random.default_rng(seed)
    for at in noise.integers(0, 120, 4):
        candles.high[at] *= noise.uniform(1.0, 2.0)
    candles.open[noise.integers(0, 120)] /= 5.0
    still = int(noise.integers(0, 100))
    for column in (candles.open, candles.high, candles.low, candles.close):
        column[still : still + 15] = column[still]
    candles.volume[still : still + 15] = 0.0

    assert quality.flags(candles.slice(0, stop)).tolist() == quality.flags(candles)[:stop].tolist()


@pytest.mark.parametrize(
    ("_case", "bad", "reason"),
    [
        ("NaN", row(1, 1, math.nan, 1, 1, 1), "not a number"),
        ("infinite", row(1, 1, math.inf, 1, 1, 1), "not a number"),
        ("text", [timeframes.to_ms(START + SPAN), "1", "x", "1", "1", "1"], "not a candle"),
        ("short", row(1)[:4], "not a number"),
        ("no list", 7, "not a candle"),
        ("zero", row(1, 0, 1, 0, 1, 1), "zero or negative"),
        ("negative", row(1, 1, 1, -1, 1, 1), "zero or negative"),
        ("negative volume", row(1, 1, 1, 1, 1, -1), "zero or negative"),
        ("high below close", row(1, 1, 1, 1, 2, 1), "high or low do not enclose it"),
        ("off the grid", [row(1)[0] + 7, 1, 1, 1, 1, 1], "off the grid"),
        ("before 1970", [-timeframes.milliseconds("15m") * 10**24, 1, 1, 1, 1, 1], "off the grid"),
        ("future", row(9), "from the future"),
    ],
)
def test_a_broken_row_costs_itself_alone(_case: str, bad: list[float], reason: str) -> None:
    sifted = quality.sift([row(0), bad, row(2)], symbol="BTC/USDT", timeframe="15m", now=START + 3 * SPAN)

    assert sifted.dropped == {reason: 1}
    assert [run.opened.tolist() for run in sifted.runs] == [[row(0)[0]], [row(2)[0]]]


def test_the_forming_bar_is_left_out_in_silence() -> None:
    sifted = quality.sift([row(0), row(1)], symbol="BTC/USDT", timeframe="15m", now=START + 1.99 * SPAN)

    assert ([len(run) for run in sifted.runs], sifted.dropped) == ([1], {})


def test_disorder_is_sorted_and_a_repetition_counted() -> None:
    rows = [row(2), row(0), row(1), row(1)]

    sifted = quality.sift(rows, symbol="BTC/USDT", timeframe="15m", now=START + 3 * SPAN)

    assert [run.opened.tolist() for run in sifted.runs] == [[row(at)[0] for at in (0, 1, 2)]]
    assert sifted.dropped == {"twice": 1}


def test_of_two_bars_that_differ_neither_is_believed() -> None:
    rows = [row(0), row(1), row(1, 2, 2, 2, 2, 2), row(2)]

    sifted = quality.sift(rows, symbol="BTC/USDT", timeframe="15m", now=START + 3 * SPAN)

    assert [len(run) for run in sifted.runs] == [1, 1]
    assert sifted.dropped == {"twice": 1, "twice, with other values": 1}
