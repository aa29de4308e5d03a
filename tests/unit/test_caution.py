"""What skips the gate: only changes that can make nothing riskier."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.core import sizing
from trading.core.caution import HIGHER, LOWER, is_safer
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.core.sizing import Record, RiskRules


@pytest.mark.parametrize(
    ("_case", "changes", "safer"),
    [
        ("less risk", {"risk_fraction": 0.01}, True),
        ("more risk", {"risk_fraction": 0.03}, False),
        ("less of everything", {"risk_fraction": 0.01, "max_open_trades": 1, "daily_loss": 0.02}, True),
        ("one of them up", {"risk_fraction": 0.01, "max_open_trades": 4}, False),
        ("a longer cool-down", {"cooldown_minutes": 60}, True),
        ("a shorter one", {"cooldown_minutes": 10}, False),
        ("more wins before more risk", {"winning_streak": 5}, True),
        ("no Kelly cap", {"kelly": False}, False),
        ("an entry besides", {"risk_fraction": 0.01, "fast_sma": 10}, False),
        ("another distance of the stop", {"stop_atr": 1.5}, False),
        ("less slippage assumed", {"slippage": 0.0001}, False),
        ("nothing", {}, False),
        ("an earlier drawdown limit", {"drawdown_cautious": 0.08}, True),
        ("drawdown factors that rise", {"drawdown_cautious_factor": 0.1}, False),
    ],
)
def test_only_less_risk_is_safer(_case: str, changes: dict[str, Any], safer: bool) -> None:
    assert is_safer(Params(), Params.of(changes)) is safer


def test_an_earlier_limit_with_a_larger_factor_is_not_safer() -> None:
    odd = {"drawdown_reduced_factor": 0.4, "drawdown_cautious_factor": 0.9}

    assert not is_safer(Params.of(odd), Params.of({**odd, "drawdown_cautious": 0.06}))


def test_every_parameter_in_the_lists_bears_on_risk() -> None:
    assert not LOWER & HIGHER
    assert [name for name in LOWER | HIGHER if not SPECS[name].risk] == []


def test_the_kelly_cap_switched_on_is_safer() -> None:
    assert is_safer(Params.of({"kelly": False}), Params())


RISKY = sorted(name for name in RiskRules._fields if SPECS[name].kind is not bool)


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(RISKY), min_size=1, max_size=5, unique=True))
    made: dict[str, Any] = {name: _value(draw, name) for name in names}
    return made | {"kelly": draw(st.booleans())}


def _value(draw: st.DrawFn, name: str) -> float:
    spec = SPECS[name]
    assert spec.low is not None
    assert spec.high is not None
    if spec.kind is int:
        return draw(st.integers(int(spec.low), int(spec.high)))
    return draw(st.floats(spec.low, spec.high))


@given(
    before=values(),
    change=values(),
    losses=st.integers(0, 5),
    wins=st.integers(0, 8),
    returns=st.lists(st.floats(-0.03, 0.05).filter(lambda each: abs(each) > 1e-6), max_size=30),
    drawdown=st.floats(0, 0.5),
    atr=st.floats(0, 0.2),
)
def test_what_is_safer_never_risks_more(
    before: dict[str, Any],
    change: dict[str, Any],
    losses: int,
    wins: int,
    returns: list[float],
    drawdown: float,
    atr: float,
) -> None:
    try:
        old = Params.of(before)
    except ParamsError:
        assume(False)
        raise
    # Only the safer parts of the change: whole random changes hardly ever are.
    towards = {
        name: value
        for name, value in change.items()
        if (name in LOWER and value < getattr(old, name)) or (name in HIGHER and value > getattr(old, name))
    }
    try:
        new = Params.of({**before, **towards})
    except ParamsError:
        assume(False)
        raise
    assume(is_safer(old, new))
    record = Record(losses_in_row=losses, wins_in_row=0 if losses else wins, returns=returns)

    first, second = (
        sizing.risk_now(params=params, record=record, drawdown=drawdown, atr_fraction=atr).fraction
        for params in (old, new)
    )

    assert second <= first * (1 + 1e-12)
