from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core.param_spec import ParamsError, Spec
from trading.core.params import ADVICE, DEFAULT_PAIRS, SPECS, Params
from trading.core.types import Regime

# Section by section what an operator of the old bot expects (design/original.md).
ORIGINAL: dict[str, Any] = {
    # 1. Strategy
    "fast_sma": 15,
    "slow_sma": 40,
    "trend_rsi_long_max": 75.0,
    "trend_rsi_short_min": 25.0,
    "rsi_period": 14,
    "bollinger_period": 20,
    "bollinger_sigma": 2.0,
    "reversion_rsi_long_max": 30.0,
    "reversion_rsi_short_min": 70.0,
    "adx_period": 14,
    "adx_strong": 30.0,
    "adx_trend": 25.0,
    "adx_weak": 20.0,
    "hurst_strong": 0.55,
    "hurst_choppy": 0.4,
    "volatility_short": 20,
    "volatility_long": 100,
    # 2. Filters
    "score_min_trend": 40.0,
    "score_min_strong_trend": 35.0,
    "score_min_weak_trend": 30.0,
    "score_min_choppy": 80.0,
    "score_min_ranging": 55.0,
    "score_min_unknown": 50.0,
    "adx_min_trend": 25.0,
    "adx_min_strong_trend": 25.0,
    "adx_min_weak_trend": 20.0,
    "adx_min_choppy": 40.0,
    "adx_min_ranging": 0.0,
    "adx_min_unknown": 25.0,
    "adx_danger": False,
    "volume_min": 0.9,
    "volume_quiet_factor": 1.5,
    "confluence_min": 2,
    "confluence_rsi_long": 65.0,
    "confluence_rsi_short": 35.0,
    "confluence_adx": 25.0,
    "confluence_volume": 1.0,
    "session_one_start": 0,
    "session_one_end": 8,
    "session_two_start": 13,
    "session_two_end": 20,
    "cost_multiple": 1.5,
    # 4. Risk and positions
    "risk_fraction": 0.02,
    "risk_floor": 0.002,
    "risk_ceiling": 0.03,
    "volatile_atr": 0.05,
    "volatile_factor": 0.5,
    "losing_streak": 2,
    "losing_factor": 0.5,
    "winning_streak": 3,
    "winning_factor": 1.5,
    "drawdown_reduced": 0.05,
    "drawdown_reduced_factor": 0.75,
    "drawdown_cautious": 0.1,
    "drawdown_cautious_factor": 0.5,
    "drawdown_emergency": 0.2,
    "drawdown_emergency_factor": 0.25,
    "kelly_scale": 0.5,
    "kelly_window": 50,
    "kelly_min_trades": 10,
    "kelly_low": 0.005,
    "kelly_high": 0.04,
    "stop_atr": 2.0,
    "atr_period": 14,
    "target_one_r": 1.5,
    "target_one_fraction": 0.4,
    "target_two_r": 2.5,
    "target_two_fraction": 0.3,
    "target_three_r": 4.0,
    "break_even": True,
    "trailing": True,
    "trail_start_r": 1.0,
    "trail_distance_r": 0.5,
    "time_stop": 0,
    "daily_loss": 0.05,
    "weekly_loss": 0.1,
    "cooldown_losses": 2,
    "cooldown_minutes": 30,
    "max_open_trades": 3,
    "max_open_risk": 0.06,
}

# How positions are entered: as ever, until somebody chooses otherwise.
ENTRIES: dict[str, Any] = {
    "entry_order": "market",
    "entry_limit_offset": 0.0,
    "entry_timeout_s": 30.0,
    "entry_requotes": 2,
    "entry_fallback": "market",
    "local_max_trades": 1,
    "local_max_notional_fraction": 0.1,
}

# Who is asked besides the rules, and what an opinion needs.
ADVISED: dict[str, Any] = {
    "ai_mode": "filter",
    "ai_confidence": 0.7,
    "ai_confidence_one_loss": 0.8,
    "ai_confidence_two_losses": 0.9,
    "ai_down": "refuse",
    "ai_patience_s": 20.0,
    "proposal_minutes": 20,
    "ml_filter": True,
    "ml_min_probability": 0.5,
}

NUMBERS = {name: spec for name, spec in SPECS.items() if spec.kind in (int, float)}

# (case, changes, the parameter that is named, a part of the sentence)
CONTRADICTIONS = [
    ("moving averages", {"fast_sma": 40}, "fast_sma", "must be shorter than slow_sma"),
    ("macd", {"macd_fast": 26}, "macd_fast", "must be shorter than macd_slow"),
    ("volatility", {"volatility_long": 20}, "volatility_short", "must be shorter than volatility_long"),
    ("weak above trend", {"adx_weak": 25.1}, "adx_weak", "must not be above adx_trend"),
    ("trend above strong", {"adx_trend": 30.1}, "adx_weak", "nor that above adx_strong"),
    ("hurst", {"hurst_choppy": 0.55}, "hurst_choppy", "must be below hurst_strong"),
    ("danger zone", {"adx_danger_low": 40}, "adx_danger_low", "must be below adx_danger_high"),
    ("first session", {"session_one_start": 9}, "session_one_start", "must not be after session_one_end"),
    ("second session", {"session_two_end": 12}, "session_two_start", "must not be after session_two_end"),
    ("second target", {"target_two_r": 1.5}, "target_one_r", "one beyond the other"),
    ("third target", {"target_three_r": 2.5}, "target_one_r", "one beyond the other"),
    ("fractions", {"target_two_fraction": 0.61}, "target_one_fraction", "must not be above 1"),
    ("risk", {"risk_floor": 0.021}, "risk_floor", "must not be above risk_fraction or risk_ceiling"),
    ("kelly bounds", {"kelly_low": 0.041}, "kelly_low", "must not be above kelly_high"),
    ("kelly trades", {"kelly_min_trades": 51}, "kelly_min_trades", "must not be above kelly_window"),
    ("confidence", {"ai_confidence": 0.81}, "ai_confidence", "must not be above ai_confidence_one_loss"),
    ("reduced", {"drawdown_reduced": 0.11}, "drawdown_reduced", "must not be above drawdown_cautious"),
    ("cautious", {"drawdown_cautious": 0.21}, "drawdown_reduced", "nor that above drawdown_emergency"),
]


def problems(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ParamsError) as refusal:
        Params.of(values)
    return refusal.value.problems


def made_or_problems(values: dict[str, Any]) -> Params | dict[str, str]:
    try:
        return Params.of(values)
    except ParamsError as refusal:
        return refusal.problems


def in_range(spec: Spec) -> st.SearchStrategy[Any]:
    if spec.kind is bool:
        return st.booleans()
    if spec.kind is tuple and spec.choices:
        return st.lists(st.sampled_from(spec.choices), unique=True)
    if spec.kind is tuple:
        return st.lists(st.sampled_from(DEFAULT_PAIRS), min_size=1, unique=True)
    if spec.choices:
        return st.sampled_from(spec.choices)
    assert spec.low is not None
    assert spec.high is not None
    if spec.kind is int:
        return st.integers(int(spec.low), int(spec.high))
    return st.floats(spec.low, spec.high)


def test_the_defaults_are_the_numbers_that_operators_know() -> None:
    values = Params().as_json()

    assert {name: values[name] for name in ORIGINAL} == ORIGINAL


def test_positions_are_entered_at_the_market_unless_told_otherwise() -> None:
    values = Params().as_json()

    assert {name: values[name] for name in ENTRIES} == ENTRIES
    assert problems({"entry_order": "stop", "entry_fallback": "wait"}) == {
        "entry_order": "'stop' is not one of market, limit",
        "entry_fallback": "'wait' is not one of market, abandon",
    }


def test_the_ai_may_veto_and_nothing_is_entered_without_its_opinion_unless_told_otherwise() -> None:
    values = Params().as_json()

    assert {name: values[name] for name in ADVICE} == ADVISED


def test_the_fourteen_pairs_are_watched() -> None:
    bases = [pair.removesuffix("/USDT") for pair in Params().pairs]

    assert " ".join(bases) == "BTC ETH SOL LINK AVAX ARB SUI APT OP NEAR INJ TIA SEI WLD"


def test_the_risk_range_is_a_tenth_of_a_percent_to_ten_percent() -> None:
    assert (SPECS["risk_fraction"].low, SPECS["risk_fraction"].high) == (0.001, 0.1)


def test_the_defaults_pass_their_own_checks() -> None:
    assert Params.of({}) == Params()
    assert Params.of(Params().as_json()) == Params()


@pytest.mark.parametrize("name", ["fastsma", "FAST_SMA", "fast_sma ", "", "__class__", "of"])
def test_an_unknown_parameter_is_refused_by_name(name: str) -> None:
    assert problems({name: 1, "slow_sma": 41}) == {name: "unknown parameter"}


def test_every_wrong_parameter_is_named_at_once() -> None:
    found = problems({"fastsma": 1, "slow_sma": 1000, "rsi_period": 14, "kelly": "yes"})

    assert found == {
        "fastsma": "unknown parameter",
        "slow_sma": "1000 is outside 3 to 400",
        "kelly": "'yes' is not true or false",
    }


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_range_is_refused_with_its_range(name: str) -> None:
    spec = NUMBERS[name]
    assert spec.low is not None
    assert spec.high is not None
    step = 1 if spec.kind is int else 1e-6

    below, above = problems({name: spec.low - step}), problems({name: spec.high + step})

    assert below[name].endswith(f" is outside {spec.low:g} to {spec.high:g}")
    assert above[name].endswith(f" is outside {spec.low:g} to {spec.high:g}")


@pytest.mark.parametrize("name", NUMBERS)
def test_the_bounds_themselves_are_allowed(name: str) -> None:
    spec = NUMBERS[name]

    assert spec.clean(spec.low) == spec.low
    assert spec.clean(spec.high) == spec.high
    assert type(spec.clean(spec.high)) is spec.kind


@pytest.mark.parametrize("name", ["slow_sma", "stop_atr"])
@pytest.mark.parametrize(
    ("_case", "value", "problem"),
    [
        ("not a number", float("nan"), "nan is not a finite number"),
        ("infinite", float("inf"), "inf is not a finite number"),
        ("minus infinite", float("-inf"), "-inf is not a finite number"),
        ("true is not 1", True, "True is not a number"),
        ("text", "12", "'12' is not a number"),
        ("a decimal comma", "1,0", "'1,0' is not a number"),
        ("nothing", None, "None is not a number"),
        ("a list", [5], "[5] is not a number"),
    ],
)
def test_what_is_no_number_is_refused(name: str, _case: str, value: Any, problem: str) -> None:
    assert problems({name: value}) == {name: problem}


@pytest.mark.parametrize("name", ["slow_sma", "stop_atr"])
def test_a_number_too_large_for_a_float_is_refused_by_name(name: str) -> None:
    assert name in problems({name: 10**400})


def test_whole_numbers_are_whole() -> None:
    assert problems({"slow_sma": 40.5}) == {"slow_sma": "40.5 is not a whole number"}
    assert type(Params.of({"slow_sma": 41.0}).slow_sma) is int
    assert type(Params.of({"stop_atr": 3}).stop_atr) is float


@pytest.mark.parametrize("value", [0, 1, "true", None, []])
def test_a_switch_takes_only_true_and_false(value: Any) -> None:
    assert problems({"kelly": value}) == {"kelly": f"{value!r} is not true or false"}


@pytest.mark.parametrize("value", ["15M", "7m", "", 15, None, ["15m"]])
def test_a_timeframe_is_one_of_the_known(value: Any) -> None:
    assert problems({"timeframe": value}) == {"timeframe": f"{value!r} is not one of 1m, 3m, 5m, 15m, 30m, 1h, 4h, 1d"}


@pytest.mark.parametrize(
    ("_case", "value", "problem"),
    [
        ("none", [], "at least one symbol is needed"),
        ("one text", "BTC/USDT", "'BTC/USDT' is not a list of symbols"),
        ("a number", 5, "5 is not a list of symbols"),
        ("no slash", ["BTCUSDT"], "'BTCUSDT' is not a symbol such as BTC/USDT"),
        ("lower case", ["BTC/USDT", "eth/usdt"], "'eth/usdt' is not a symbol such as BTC/USDT"),
        ("a line break", ["BTC/USDT\n"], "'BTC/USDT\\n' is not a symbol such as BTC/USDT"),
        ("not a text", [None], "None is not a symbol such as BTC/USDT"),
        ("twice", ["BTC/USDT", "ETH/USDT", "BTC/USDT"], "a symbol is listed twice"),
    ],
)
def test_a_list_of_pairs_is_checked(_case: str, value: Any, problem: str) -> None:
    assert problems({"pairs": value}) == {"pairs": problem}


@pytest.mark.parametrize(("_case", "changes", "name", "problem"), CONTRADICTIONS)
def test_parameters_that_contradict_each_other_are_refused(
    _case: str, changes: dict[str, Any], name: str, problem: str
) -> None:
    found = problems(changes)

    assert list(found) == [name]
    assert problem in found[name]


@pytest.mark.parametrize(
    ("_case", "changes"),
    [
        ("no weak trend", {"adx_weak": 25, "adx_trend": 25, "adx_strong": 25}),
        ("all at two targets", {"target_one_fraction": 0.7, "target_two_fraction": 0.3}),
        ("no part at a target", {"target_one_fraction": 0, "target_two_fraction": 0}),
        ("constant risk", {"risk_floor": 0.03, "risk_fraction": 0.03, "risk_ceiling": 0.03}),
        ("constant cap", {"kelly_low": 0.02, "kelly_high": 0.02}),
        ("one drawdown tier", {"drawdown_reduced": 0.2, "drawdown_cautious": 0.2}),
        ("no busy hour", {"session_one_start": 8, "session_two_start": 20}),
        ("both at once", {"fast_sma": 50, "slow_sma": 100}),
    ],
)
def test_bounds_that_meet_do_not_contradict(_case: str, changes: dict[str, Any]) -> None:
    params = Params.of(changes)

    assert {name: getattr(params, name) for name in changes} == changes


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_fractions_that_add_up_to_one_are_never_refused(thousandths: int) -> None:
    one, two = thousandths / 1000, (1000 - thousandths) / 1000

    assert Params.of({"target_one_fraction": one, "target_two_fraction": two}).target_one_fraction == one


@pytest.mark.parametrize("regime", Regime)
def test_every_regime_has_its_limits(regime: Regime) -> None:
    params = Params.of({f"score_min_{regime}": 12, f"adx_min_{regime}": 34})

    assert (params.score_min(regime), params.adx_min(regime)) == (12.0, 34.0)
    assert [other for other in Regime if params.adx_min(other) == 34.0] == [regime]


@pytest.mark.parametrize("name", SPECS)
def test_every_parameter_describes_itself(name: str) -> None:
    spec = SPECS[name]

    assert spec.help.endswith(".")
    groups = {"Watch", "Scan", "Indicators", "Entries", "Regime", "Filters", "Risk", "Exits", "Limits", "Execution"}
    groups |= {"AI", "ML"}
    assert spec.group in groups
    if spec.kind in (int, float):
        assert spec.unit
        assert spec.low is not None
        assert spec.high is not None
        assert spec.low <= spec.default <= spec.high
    assert spec.clean(spec.default) == spec.default


def test_everything_that_can_cost_money_is_marked_as_risk() -> None:
    unmarked = {name for name, spec in SPECS.items() if spec.group in {"Risk", "Limits"} and not spec.risk}

    assert unmarked == set()
    assert SPECS["stop_atr"].risk
    assert not SPECS["macd_fast"].risk


few_values = st.lists(st.sampled_from(list(SPECS)), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: in_range(SPECS[name]) for name in names})
)
many_values = st.fixed_dictionaries({}, optional={name: in_range(spec) for name, spec in SPECS.items()})


@settings(max_examples=150, deadline=None)
@given(few_values | many_values)
def test_values_in_range_make_parameters_or_name_a_contradiction(values: dict[str, Any]) -> None:
    made = made_or_problems(values)

    if isinstance(made, Params):
        assert Params.of(json.loads(json.dumps(made.as_json()))) == made
        assert list(made.as_json()) == list(SPECS)
    else:
        assert made
        assert set(made) <= {name for _, _, name, _ in CONTRADICTIONS}
