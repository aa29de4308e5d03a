"""Pair filters: a chain in the order of the parameter, each with what it compared; what is not known is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core import pair_filters
from trading.core.pair_filters import Pair
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params

ALL = SPECS["pair_filters"].choices
GOOD = Pair(symbol="ETH/USDT", bars=500, volume=5e6, spread=0.0005, volatility=0.004, correlation=0.5)
PARAMS = Params.of({"pair_filters": list(ALL)})


def refused_by(pair: Pair, params: Params = PARAMS, banned: frozenset[str] = frozenset()) -> str:
    return next((each.name for each in pair_filters.evaluate(pair, params, banned) if not each.passed), "")


def test_a_good_pair_passes_the_whole_chain_in_its_order() -> None:
    assert [verdict.name for verdict in pair_filters.evaluate(GOOD, PARAMS, ())] == list(ALL)
    assert refused_by(GOOD) == ""
    assert set(pair_filters.FILTERS) == set(ALL)


@pytest.mark.parametrize(
    ("name", "pair", "value", "limit", "reason"),
    [
        ("age", replace(GOOD, bars=399), 399, 400, "has 399 bars, needs 400"),
        ("volume", replace(GOOD, volume=999_999), 999_999, 1e6, "traded 999,999 in 24 hours, needs 1,000,000"),
        ("spread", replace(GOOD, spread=0.003), 0.003, 0.002, "bid and ask are 0.300% apart, allows at most 0.200%"),
        ("volatility", replace(GOOD, volatility=0.0004), 0.0004, 0.0005, "moves 0.040% a bar, needs 0.050% to 5.000%"),
        ("volatility", replace(GOOD, volatility=0.06), 0.06, 0.05, "moves 6.000% a bar, needs 0.050% to 5.000%"),
        (
            "correlation",
            replace(GOOD, correlation=0.98),
            0.98,
            0.97,
            "moves 0.98 like a better pair, allows at most 0.97",
        ),
    ],
)
def test_a_refusal_says_what_was_compared(name: str, pair: Pair, value: float, limit: float, reason: str) -> None:
    last = pair_filters.evaluate(pair, PARAMS, ())[-1]

    assert (last.name, last.passed, last.value, last.limit, last.reason) == (name, False, value, limit, reason)


def test_the_blacklist_refuses_by_name() -> None:
    assert refused_by(GOOD, banned=frozenset({"ETH/USDT"})) == "blacklist"
    assert refused_by(GOOD, banned=frozenset({"BTC/USDT"})) == ""


def test_what_is_not_known_is_refused() -> None:
    assert refused_by(replace(GOOD, volume=math.nan)) == "volume"
    assert refused_by(replace(GOOD, spread=math.nan)) == "spread"
    assert refused_by(replace(GOOD, volatility=math.nan)) == "volatility"
    assert refused_by(replace(GOOD, correlation=math.nan)) == "correlation"


def test_a_pair_with_nothing_better_to_compare_with_passes() -> None:
    assert refused_by(replace(GOOD, correlation=-1.0)) == ""


@settings(max_examples=40)
@given(order=st.permutations(ALL), count=st.integers(0, len(ALL)))
def test_the_first_in_the_chosen_order_ends_the_chain(order: list[str], count: int) -> None:
    worst = Pair(symbol="BAD/USDT", bars=0, volume=0.0, spread=1.0, volatility=0.0, correlation=1.0)
    chosen = order[:count]

    asked = pair_filters.evaluate(worst, Params.of({"pair_filters": chosen}), ("BAD/USDT",))

    assert [verdict.name for verdict in asked] == chosen[:1]
    assert not any(verdict.passed for verdict in asked)


def test_the_parameter_takes_its_own_names_alone_in_any_case() -> None:
    assert Params.of({"pair_filters": ["Spread", "AGE"]}).pair_filters == ("spread", "age")
    assert Params.of({"pair_filters": []}).pair_filters == ()
    for wrong in (["age", "age"], ["colour"], "age", 3):
        with pytest.raises(ParamsError, match="pair_filters"):
            Params.of({"pair_filters": wrong})
