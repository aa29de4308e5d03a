"""The pair score: every part rises with what it rewards, without steps, and never leaves its range."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core import pair_score
from trading.core.analysis import Analysis
from trading.core.pair_score import POINTS

PRICE = 100.0


def scored(*, adx: float = 20.0, rsi: float = 50.0, atr: float = 0.5, volume: float = 1.0, macd: float = 0.1, since: int | None = 5) -> dict[str, float]:  # fmt: skip
    values = {"adx": adx, "rsi": rsi, "atr": atr, "volume_ratio": volume, "macd_histogram": macd}
    columns = {field.name: np.array([values.get(field.name, 0.0)]) for field in fields(Analysis)}
    found = pair_score.parts(Analysis(**columns), price=PRICE, bars_since_setup=since)
    assert found is not None
    return found


def of(name: str, value: float) -> dict[str, float]:
    if name == "adx":
        return scored(adx=value)
    return scored(atr=value) if name == "atr" else scored(volume=value)


REWARDED = {
    "adx": ("adx", st.floats(0, 100)),
    "volatility": ("atr", st.floats(0.001, 10)),
    "volume": ("volume", st.floats(0, 50)),
}


@pytest.mark.parametrize("part", REWARDED)
@given(data=st.data())
def test_more_of_what_a_part_rewards_never_earns_less_and_a_little_more_never_leaps(
    part: str, data: st.DataObject
) -> None:
    name, values = REWARDED[part]
    low, high = sorted((data.draw(values), data.draw(values)))

    before, after = of(name, low)[part], of(name, high)[part]

    assert 0.0 <= before <= after <= POINTS[part]
    slope = {"adx": 0.5, "volatility": 20.0, "volume": 7.5}[part]
    assert after - before <= slope * (high - low) + 1e-9


@given(one=st.floats(0, 100), other=st.floats(0, 100))
def test_an_rsi_nearer_to_the_middle_never_earns_less(one: float, other: float) -> None:
    near, far = sorted((one, other), key=lambda rsi: abs(rsi - 50))

    assert scored(rsi=near)["rsi"] >= scored(rsi=far)["rsi"] >= 0.0
    assert abs(scored(rsi=near)["rsi"] - scored(rsi=far)["rsi"]) <= 0.3 * (abs(far - 50) - abs(near - 50)) + 1e-9


@given(low=st.floats(0, 5), high=st.floats(0, 5), atr=st.floats(0.01, 10))
def test_a_stronger_macd_never_earns_less_on_either_side(low: float, high: float, atr: float) -> None:
    low, high = sorted((low, high))

    assert scored(macd=low, atr=atr)["macd"] <= scored(macd=high, atr=atr)["macd"] <= POINTS["macd"]
    assert scored(macd=high, atr=atr)["macd"] == scored(macd=-high, atr=atr)["macd"]


@given(young=st.integers(0, 5000), old=st.integers(0, 5000))
def test_a_younger_setup_never_earns_less(young: int, old: int) -> None:
    young, old = sorted((young, old))

    assert POINTS["fresh_setup"] >= scored(since=young)["fresh_setup"] >= scored(since=old)["fresh_setup"] >= 0.0
    assert scored(since=old)["fresh_setup"] >= scored(since=None)["fresh_setup"] == 0.0


def test_the_whole_is_a_hundred_points_and_an_adx_of_25_beats_one_of_24_9() -> None:
    assert POINTS == {"adx": 25.0, "volatility": 20.0, "volume": 15.0, "rsi": 15.0, "fresh_setup": 15.0, "macd": 10.0}
    assert sum(scored(adx=100, atr=10, volume=50, macd=100, since=0).values()) == 100.0
    # The bot before this one scored them the other way round.
    assert scored(adx=25.0)["adx"] > scored(adx=24.9)["adx"]


@pytest.mark.parametrize("name", ["adx", "rsi", "atr", "volume", "macd"])
def test_a_missing_indicator_gives_no_score_at_all(name: str) -> None:
    columns = {field.name: np.array([1.0]) for field in fields(Analysis)}
    column = {"volume": "volume_ratio", "macd": "macd_histogram"}.get(name, name)

    assert pair_score.parts(Analysis(**columns | {column: np.array([np.nan])}), price=PRICE, bars_since_setup=1) is None
