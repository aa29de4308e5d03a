"""Agreement of timeframes: closed longer bars alone, the same number from wherever the series begins."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import priced, walk
from tests.unit.test_prefix import assert_does_not_peek
from trading.adapters.candle_csv import read_csv
from trading.core import multi_timeframe, timeframes
from trading.core.candles import Candles, resample
from trading.core.params import Params

REAL = Path(__file__).parents[3] / "shared/data/candles/BTCUSDT-15m.csv"
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def slow(candles: Candles, k: int) -> float:
    """Measure bar k alone, from the definition: means, ranges and the longer bars that had closed by then."""
    now = int(candles.opened[k]) + timeframes.milliseconds(candles.timeframe)
    parts = []
    for timeframe in (candles.timeframe, *multi_timeframe.HIGHER[candles.timeframe]):
        span = timeframes.milliseconds(timeframe)
        bars = [
            row
            for row in range(len(resample(candles, timeframe)))
            if resample(candles, timeframe).opened[row] + span <= now
        ]
        made = resample(candles, timeframe).slice(0, len(bars))
        if len(made) < 21:
            return float("nan")
        usual = np.mean(made.high[-21:] - made.low[-21:])
        apart = np.mean(made.close[-8:]) - np.mean(made.close[-21:])
        ratio = made.volume[-1] / np.mean(made.volume[-21:])
        trend = (0.5 + 0.5 * min(1.0, ratio)) * np.clip(apart / usual, -1, 1)
        pace = np.clip((made.close[-1] - made.close[-11]) / np.sqrt(10) / usual, -1, 1)
        parts.append((trend, pace))
    weights = (0.30, 0.30, 0.25)[: len(parts)]
    total = sum(weight * trend for weight, (trend, _) in zip(weights, parts, strict=True))
    total += 0.15 * sum(pace for _, pace in parts) / len(parts)
    return float(50 + 50 * total / (sum(weights) + 0.15))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(2, 800), data=st.data())
def test_nothing_changes_when_later_bars_arrive(seed: int, bars: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, bars - 1))

    assert_does_not_peek(lambda candles: {"long": multi_timeframe.confluence(candles)}, walk(seed, bars), cut)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), start=st.integers(0, 500))
def test_it_reads_the_same_from_wherever_the_series_begins(seed: int, start: int) -> None:
    candles, needed = walk(seed, 1000), multi_timeframe.bars_needed(Params())
    begun = candles.slice(start, 1000)

    whole, late = multi_timeframe.confluence(candles)[start:], multi_timeframe.confluence(begun)

    assert np.array_equal(late[needed:], whole[needed:])


@pytest.mark.parametrize("k", [335, 336, 400, 401, 402, 403, 599])
def test_it_equals_the_slow_definition(k: int) -> None:
    candles = walk(3, 600)

    assert multi_timeframe.confluence(candles)[k] == pytest.approx(slow(candles, k), abs=1e-6, nan_ok=True)


def test_a_market_that_only_rises_agrees_with_a_long_and_contradicts_a_short() -> None:
    close = np.geomspace(100.0, 500.0, 800)
    candles = priced(close)
    value = float(multi_timeframe.confluence(candles)[-1])

    assert multi_timeframe.label(value) == "strong confirm"
    assert multi_timeframe.label(100 - value) == "reject"
    mirrored = float(multi_timeframe.confluence(priced(np.geomspace(500.0, 100.0, 800)))[-1])
    assert multi_timeframe.label(mirrored) == "reject"


def test_a_price_that_never_moves_says_nothing_either_way() -> None:
    candles = priced(np.full(800, 100.0))

    assert multi_timeframe.confluence(candles)[-1] == 50.0


def test_before_the_longest_timeframe_has_bars_enough_it_waits() -> None:
    values = multi_timeframe.confluence(walk(1, 600))
    first = int(np.argmax(np.isfinite(values)))

    # 21 bars of four hours, from the first full one on.
    assert 21 * 16 - 1 <= first < multi_timeframe.bars_needed(Params())
    assert multi_timeframe.label(float(values[first - 1])) == "wait"


@pytest.mark.parametrize("timeframe", timeframes.MILLISECONDS)
def test_every_timeframe_has_longer_ones_that_it_divides(timeframe: str) -> None:
    for longer in multi_timeframe.HIGHER[timeframe]:
        assert timeframes.milliseconds(longer) % timeframes.milliseconds(timeframe) == 0
        assert timeframes.milliseconds(longer) > timeframes.milliseconds(timeframe)


@pytest.mark.skipif(not REAL.exists(), reason="the real candles are not on this machine")
def test_on_real_candles_it_is_within_its_range_and_does_not_peek() -> None:
    candles = read_csv(REAL, symbol="BTC/USDT", timeframe="15m", now=NOW).candles.slice(0, 3000)
    values = multi_timeframe.confluence(candles)
    known = values[np.isfinite(values)]

    assert 0.0 <= known.min() < 30.0 < 70.0 < known.max() <= 100.0
    assert_does_not_peek(lambda bars: {"long": multi_timeframe.confluence(bars)}, candles.slice(0, 1500), 1111)
