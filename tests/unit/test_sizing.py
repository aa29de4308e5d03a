from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import MARKET, RECORD
from trading.core import sizing
from trading.core.params import Params
from trading.core.sizing import Record

LEVERAGE_FREE = Decimal(10**12)

fractions_of_one = st.floats(0.0, 1.0)
records = st.builds(
    Record,
    losses_in_row=st.integers(0, 30),
    wins_in_row=st.integers(0, 30),
    returns=st.lists(st.floats(-0.5, 2.0), max_size=80),
)
prices = st.decimals("0.01", "100000", places=2)


def size(**changes: Any) -> Decimal:
    values: dict[str, Any] = {
        "equity": Decimal(10_000),
        "entry": Decimal(100),
        "stop": Decimal(96),
        "risk_fraction": 0.02,
        "notional_left": LEVERAGE_FREE,
        "market": MARKET,
    }
    return sizing.size_position(**{**values, **changes})


def risk(record: Record = RECORD, *, drawdown: float = 0.0, atr_fraction: float = 0.02, **params: Any) -> sizing.Risk:
    return sizing.risk_now(params=Params.of(params), record=record, drawdown=drawdown, atr_fraction=atr_fraction)


def returns(wins: int, losses: int, *, win: float = 0.03, loss: float = 0.02) -> Record:
    return replace(RECORD, returns=[win] * wins + [-loss] * losses)


@pytest.mark.parametrize(
    ("_case", "changes", "quantity"),
    [
        # A unit loses 4 at the stop and 0.1 % of 100 and of 96 in fees: 4.196; 200 / 4.196 = 47.664...
        ("long", {}, "47.664"),
        # The same distance above: 4 + 0.001 * 204 = 4.204; 200 / 4.204 = 47.573...
        ("short", {"stop": Decimal(104)}, "47.573"),
        ("half the risk", {"risk_fraction": 0.01}, "23.832"),
        ("no fees", {"market": replace(MARKET, fee_rate=Decimal(0))}, "50.000"),
        ("high fees", {"market": replace(MARKET, fee_rate=Decimal("0.01"))}, "33.557"),
        ("whole lots", {"market": replace(MARKET, quantity_step=Decimal(1))}, "47"),
        ("large lots", {"market": replace(MARKET, quantity_step=Decimal(5))}, "45"),
        ("as much as leverage allows", {"notional_left": Decimal(1000)}, "10.000"),
        ("as much as one order may be", {"market": replace(MARKET, max_quantity=Decimal("12.3456"))}, "12.345"),
        ("just the least of an order", {"market": replace(MARKET, min_quantity=Decimal("47.664"))}, "47.664"),
        ("less than the least of an order", {"market": replace(MARKET, min_quantity=Decimal("47.665"))}, "0"),
        ("just less than that", {"notional_left": Decimal("999.99")}, "9.999"),
        ("a stop beside the entry", {"stop": Decimal("99.99"), "notional_left": Decimal(30_000)}, "300.000"),
    ],
)
def test_a_quantity_by_hand(_case: str, changes: dict[str, Any], quantity: str) -> None:
    assert size(**changes) == Decimal(quantity)


@pytest.mark.parametrize(
    ("_case", "changes"),
    [
        ("nothing to risk", {"risk_fraction": 0.0}),
        ("less than nothing to risk", {"risk_fraction": -0.01}),
        ("no equity", {"equity": Decimal(0)}),
        ("debt", {"equity": Decimal(-5)}),
        ("no leverage left", {"notional_left": Decimal(0)}),
        ("too much leverage used", {"notional_left": Decimal(-1)}),
        ("less than one lot", {"market": replace(MARKET, quantity_step=Decimal(50))}),
        ("below the minimum", {"market": replace(MARKET, min_notional=Decimal("4766.41"))}),
        ("leverage leaves less than the minimum", {"notional_left": Decimal("9.99")}),
    ],
)
def test_what_is_too_small_is_not_traded(_case: str, changes: dict[str, Any]) -> None:
    assert size(**changes) == 0


def test_the_minimum_itself_is_traded() -> None:
    assert size(market=replace(MARKET, min_notional=Decimal("4766.4"))) == Decimal("47.664")


@settings(max_examples=400, deadline=None)
@given(
    equity=st.decimals("1", "1000000", places=2),
    entry=prices,
    stop=prices,
    fraction=st.floats(0.0001, 0.1),
    fee=st.decimals("0", "0.01", places=4),
    step=st.sampled_from(["0.00000001", "0.001", "0.5", "1", "10"]),
    left=st.decimals("0.01", "10000000", places=2),
)
def test_a_stop_never_costs_more_than_was_asked_fees_included(
    equity: Decimal, entry: Decimal, stop: Decimal, fraction: float, fee: Decimal, step: str, left: Decimal
) -> None:
    stop = stop if stop != entry else stop + Decimal("0.01")
    market = replace(MARKET, fee_rate=fee, quantity_step=Decimal(step))

    quantity = size(equity=equity, entry=entry, stop=stop, risk_fraction=fraction, notional_left=left, market=market)

    asked = equity * Decimal(str(fraction))
    loss_of_one = abs(entry - stop) + fee * (entry + stop)
    assert quantity * loss_of_one <= asked
    assert quantity * entry <= left
    assert quantity % Decimal(step) == 0
    assert quantity == 0 or quantity * entry >= market.min_notional
    # It is the largest such quantity, or too small to trade.
    more = quantity + Decimal(step)
    assert quantity == 0 or more * loss_of_one > asked or more * entry > left


def test_without_reasons_the_parameter_is_the_risk() -> None:
    found = risk()

    assert found.fraction == 0.02
    assert found.factors == {"volatility": 1.0, "streak": 1.0, "drawdown": 1.0}


@pytest.mark.parametrize(
    ("_case", "atr_fraction", "factor", "fraction"),
    [("calm", 0.0, 1.0, 0.02), ("at the bound", 0.05, 1.0, 0.02), ("volatile", 0.0501, 0.5, 0.01)],
)
def test_a_volatile_market_halves_the_risk(_case: str, atr_fraction: float, factor: float, fraction: float) -> None:
    found = risk(atr_fraction=atr_fraction)

    assert (found.factors["volatility"], found.fraction) == (factor, fraction)


@pytest.mark.parametrize(
    ("_case", "losses", "wins", "factor", "fraction"),
    [
        ("one loss", 1, 0, 1.0, 0.02),
        ("two losses", 2, 0, 0.5, 0.01),
        ("many losses", 9, 0, 0.5, 0.01),
        ("two wins", 0, 2, 1.0, 0.02),
        ("three wins", 0, 3, 1.5, 0.03),
        ("many wins stay below the ceiling", 0, 20, 1.5, 0.03),
    ],
)
def test_streaks_move_the_risk(_case: str, losses: int, wins: int, factor: float, fraction: float) -> None:
    found = risk(replace(RECORD, losses_in_row=losses, wins_in_row=wins))

    assert found.factors["streak"] == factor
    assert found.fraction == pytest.approx(fraction, rel=1e-12)


@pytest.mark.parametrize(
    ("_case", "drawdown", "factor"),
    [
        ("at the peak", 0.0, 1.0),
        ("above the peak", -0.1, 1.0),
        ("nearly reduced", 0.0499, 1.0),
        ("reduced", 0.05, 0.75),
        ("nearly cautious", 0.0999, 0.75),
        ("cautious", 0.10, 0.5),
        ("nearly an emergency", 0.1999, 0.5),
        ("emergency", 0.20, 0.25),
        ("ruin", 1.0, 0.25),
    ],
)
def test_drawdown_lowers_the_risk_in_tiers(_case: str, drawdown: float, factor: float) -> None:
    found = risk(drawdown=drawdown)

    assert found.factors["drawdown"] == factor
    assert found.fraction == pytest.approx(0.02 * factor, rel=1e-12)


def test_factors_multiply_down_to_the_floor() -> None:
    losing = replace(RECORD, losses_in_row=2)

    assert risk(losing, drawdown=0.10, atr_fraction=0.06).fraction == pytest.approx(0.0025, rel=1e-12)
    # 0.02 * 0.5 * 0.5 * 0.25 = 0.00125 lies below the floor.
    assert risk(losing, drawdown=0.20, atr_fraction=0.06).fraction == 0.002


@pytest.mark.parametrize(
    ("_case", "record", "cap"),
    [
        # W - (1 - W) / B = 0.6 - 0.4 / 1.5 = 1 / 3; half of it is far above the most.
        ("a good record", returns(12, 8), 0.04),
        # 0.42 - 0.58 / 1.5 = 0.0333...; half of it.
        ("a slight edge", returns(21, 29), 0.5 * (0.42 - 0.58 / 1.5)),
        # 0.4 - 0.6 / 1.5 = 0.
        ("no edge", returns(8, 12), 0.005),
        ("a bad record", returns(2, 18), 0.005),
        ("only wins", returns(10, 0), 0.04),
        ("only losses", returns(0, 10), 0.005),
        ("a return of nothing is a loss", returns(6, 4, loss=0.0), 0.04),
    ],
)
def test_the_kelly_cap_is_half_the_kelly_fraction_within_bounds(_case: str, record: Record, cap: float) -> None:
    found = sizing.kelly_cap(Params(), record.returns)

    assert found == pytest.approx(cap, rel=1e-9)


@pytest.mark.parametrize(
    ("_case", "params", "record"),
    [
        ("switched off", {"kelly": False}, returns(30, 20)),
        ("no trades", {}, returns(0, 0)),
        ("too few trades", {}, returns(3, 6)),
    ],
)
def test_there_is_no_kelly_cap_without_reason(_case: str, params: dict[str, Any], record: Record) -> None:
    assert sizing.kelly_cap(Params.of(params), record.returns) is None
    assert "kelly_cap" not in risk(record, **params).factors
    assert risk(record, **params).fraction == 0.02


def test_the_kelly_cap_looks_at_the_newest_trades_only() -> None:
    early_losses = replace(RECORD, returns=[-0.02] * 40 + [0.03] * 50)
    late_losses = replace(RECORD, returns=[0.03] * 40 + [-0.02] * 50)

    assert sizing.kelly_cap(Params(), early_losses.returns) == 0.04
    assert sizing.kelly_cap(Params(), late_losses.returns) == 0.005


def test_the_kelly_cap_never_raises_the_risk() -> None:
    good, bad = risk(returns(12, 8)), risk(returns(2, 18))

    assert (good.factors["kelly_cap"], good.fraction) == (0.04, 0.02)
    assert (bad.factors["kelly_cap"], bad.fraction) == (0.005, 0.005)


def test_a_low_kelly_cap_holds_in_a_winning_streak() -> None:
    record = replace(returns(2, 18), wins_in_row=5)

    assert risk(record).fraction == 0.005


@settings(max_examples=200, deadline=None)
@given(
    record=records,
    drawdown=st.floats(-1.0, 1.0),
    atr_fraction=fractions_of_one,
    asked=st.floats(0.001, 0.1),
    bounds=st.lists(st.floats(0.001, 0.1), min_size=2, max_size=2).map(sorted),
)
def test_the_risk_lies_between_floor_and_ceiling(
    record: Record, drawdown: float, atr_fraction: float, asked: float, bounds: list[float]
) -> None:
    params = {"risk_fraction": max(asked, bounds[0]), "risk_floor": bounds[0], "risk_ceiling": bounds[1]}

    found = risk(record, drawdown=drawdown, atr_fraction=atr_fraction, **params)

    assert bounds[0] <= found.fraction <= bounds[1]


@settings(max_examples=200, deadline=None)
@given(record=records, drawdown=fractions_of_one, worse=fractions_of_one, atr_fraction=fractions_of_one)
def test_a_deeper_drawdown_never_raises_the_risk(
    record: Record, drawdown: float, worse: float, atr_fraction: float
) -> None:
    shallow, deep = sorted((drawdown, worse))

    before = risk(record, drawdown=shallow, atr_fraction=atr_fraction)
    after = risk(record, drawdown=deep, atr_fraction=atr_fraction)

    assert after.fraction <= before.fraction
