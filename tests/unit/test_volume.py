"""The volume profile against a slow reference, and the flow of volume against the price."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import candles, priced, walk
from tests.unit.test_prefix import assert_does_not_peek
from trading.core import volume
from trading.core.candles import Candles

BINS = 24


def slow_profile(bars: Candles) -> tuple[float, float, float]:
    """Measure one window from the definition: (poc, vah, val)."""
    bottom, top = bars.low.min(), bars.high.max()
    width = (top - bottom) / BINS
    bins = np.zeros(BINS)
    for low, high, traded in zip(bars.low, bars.high, bars.volume, strict=True):
        for place in range(BINS):
            begin, end = bottom + place * width, bottom + (place + 1) * width
            if high > low:
                bins[place] += traded * max(0.0, min(high, end) - max(low, begin)) / (high - low)
            elif begin <= low < end or (place == BINS - 1 and low >= end):
                bins[place] += traded
    first = last = best = int(np.argmax(bins))
    while bins[first : last + 1].sum() < 0.7 * bins.sum() - 1e-12:
        below = bins[first - 1] if first else -1.0
        above = bins[last + 1] if last < BINS - 1 else -1.0
        if above >= below:
            last += 1
        else:
            first -= 1
    return bottom + (best + 0.5) * width, bottom + (last + 1) * width, bottom + first * width


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(1, 120), window=st.integers(1, 96))
def test_the_profile_equals_the_slow_reference(seed: int, bars: int, window: int) -> None:
    series = walk(seed, bars)

    made = volume.profile(series, window)

    assert np.isnan(made.poc[: window - 1]).all()
    if bars >= window:
        poc, vah, val = slow_profile(series.tail(window))
        assert (made.poc[-1], made.vah[-1], made.val[-1]) == pytest.approx((poc, vah, val), rel=1e-9)
        assert series.tail(window).low.min() <= val < poc < vah <= series.tail(window).high.max() * (1 + 1e-12)


def test_most_volume_at_one_price_is_the_point_of_control() -> None:
    rows = [(100, 101, 99, 100, 1.0)] * 5 + [(105, 105.2, 104.8, 105, 500.0)] + [(110, 111, 109, 110, 1.0)] * 5

    made = volume.profile(candles(rows), 11)

    assert made.poc[-1] == pytest.approx(105.0, abs=0.3)
    assert made.val[-1] <= 105 <= made.vah[-1]
    assert made.vah[-1] - made.val[-1] < 2.0


def test_a_window_without_volume_or_movement_has_a_profile_only_where_something_was_traded() -> None:
    still = volume.profile(priced(np.full(30, 100.0)), 10)
    empty = volume.profile(priced(np.linspace(100, 110, 30), volume=np.zeros(30)), 10)

    assert still.poc[-1] == still.vah[-1] == still.val[-1] == 100.0
    assert np.isnan(empty.poc).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), bars=st.integers(2, 300), data=st.data())
def test_nothing_changes_when_later_bars_arrive(seed: int, bars: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, bars - 1))

    def measured(series: Candles) -> dict[str, np.ndarray]:
        made = volume.profile(series, 20)
        return {"poc": made.poc, "vah": made.vah, "val": made.val, "flow": volume.divergence(series, 20)}

    assert_does_not_peek(measured, walk(seed, bars), cut)


@pytest.mark.parametrize(
    ("_case", "closes", "volumes", "expected"),
    [
        # price up by small volume, down by large: it flows out of a rising price
        ("out of a rise", [100, 103, 102, 105, 104], [1, 1, 9, 1, 9], -1),
        ("into a fall", [100, 97, 98, 95, 96], [1, 1, 9, 1, 9], 1),
        ("with a rise", [100, 103, 102, 105, 104], [1, 9, 1, 9, 1], 0),
        ("with a fall", [100, 97, 98, 95, 96], [1, 9, 1, 9, 1], 0),
        ("no movement", [100, 103, 102, 105, 100], [1, 9, 1, 9, 1], 0),
        ("no volume", [100, 103, 102, 105, 104], [0, 0, 0, 0, 0], 0),
    ],
)
def test_divergence_is_a_flow_against_the_price(
    _case: str, closes: list[float], volumes: list[float], expected: int
) -> None:
    bars = priced(np.array(closes, dtype=float), volume=np.array(volumes, dtype=float))

    assert volume.divergence(bars, 4).tolist() == [0, 0, 0, 0, expected]
    assert volume.divergence(bars.slice(0, 4), 4).tolist() == [0, 0, 0, 0]
