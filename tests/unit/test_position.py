"""The position state machine on tables of bars: what leaves, where, and where the stop ends up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.core_values import MARKET, NAN
from trading.core import position
from trading.core.params import Params
from trading.core.position import Exit, ExitReason, ExitRules, Position
from trading.core.types import Side

# Long at 100 with the stop at 90, so 1 R is 10: targets 115 (40 %), 125 (30 %) and 140 (the rest); break-even is
# 100.25 (fees of 0.1 % twice and slippage of 0.05 %). A short is the mirror image around 100.
ENTRY, STOP = 100.0, 90.0
PLAIN: dict[str, Any] = {"break_even": False, "trailing": False}
TRAILING: dict[str, Any] = {"break_even": False, "trail_start_r": 1.0, "trail_distance_r": 0.5}
BREAK_EVEN: dict[str, Any] = {"trailing": False}

S, BE, TR = ExitReason.STOP, ExitReason.BREAK_EVEN, ExitReason.TRAILING
T1, T2, T3, TIME = ExitReason.TARGET_1, ExitReason.TARGET_2, ExitReason.TARGET_3, ExitReason.TIME

Bar = tuple[float, float, float]
Left = tuple[ExitReason, float, float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Bars (open, high, low) with what leaves in each (reason, fraction, price), and the stop at the end."""

    name: str
    bars: Sequence[tuple[Bar, list[Left]]]
    stop: float | None = None
    remaining: float = 0.0
    params: dict[str, Any] = field(default_factory=lambda: PLAIN)


CASES = [
    Case(
        name="nothing is touched",
        bars=[
            ((100.0, 114.99, 90.01), []),  # just short of the target and of the stop
            ((101.0, 110.0, 95.0), []),
        ],
        stop=90.0,
        remaining=1.0,
    ),
    Case(
        name="the stop is looked at before the targets",
        bars=[((100.0, 150.0, 85.0), [(S, 1.0, 90.0)])],  # reaches the stop and all three targets
    ),
    Case(
        name="touching the stop is enough",
        bars=[((100.0, 101.0, 90.0), [(S, 1.0, 90.0)])],
    ),
    Case(
        name="a gap through the stop fills at the open",
        bars=[
            ((100.0, 105.0, 95.0), []),
            ((80.0, 95.0, 78.0), [(S, 1.0, 80.0)]),  # opens 10 below the stop
        ],
    ),
    Case(
        name="touching the first target is enough",
        bars=[((100.0, 115.0, 99.0), [(T1, 0.4, 115.0)])],
        stop=90.0,
        remaining=0.6,
    ),
    Case(
        name="a gap over the first target fills at the open",
        bars=[((118.0, 120.0, 110.0), [(T1, 0.4, 118.0)])],
        stop=90.0,
        remaining=0.6,
    ),
    Case(
        name="a gap over two targets fills both at the open, the third at its price",
        bars=[((130.0, 141.0, 129.0), [(T1, 0.4, 130.0), (T2, 0.3, 130.0), (T3, 0.3, 140.0)])],
    ),
    Case(
        name="a gap over all targets fills all at the open",
        bars=[((150.0, 151.0, 149.0), [(T1, 0.4, 150.0), (T2, 0.3, 150.0), (T3, 0.3, 150.0)])],
    ),
    Case(
        name="three targets in one bar, in their order",
        bars=[((100.0, 140.0, 99.0), [(T1, 0.4, 115.0), (T2, 0.3, 125.0), (T3, 0.3, 140.0)])],
    ),
    Case(
        name="three targets in three bars",
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),
            ((116.0, 126.0, 114.0), [(T2, 0.3, 125.0)]),  # the first target is not sold again
            ((126.0, 139.0, 115.0), []),
            ((139.0, 140.0, 130.0), [(T3, 0.3, 140.0)]),
            ((139.0, 160.0, 50.0), []),  # nothing is left
        ],
    ),
    Case(
        name="the open comes first: the gap's target is taken before the bar falls to the stop",
        bars=[((118.0, 119.0, 85.0), [(T1, 0.4, 118.0), (S, 0.6, 90.0)])],
    ),
    Case(
        name="the stop after the first target, without break-even",
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),
            ((114.0, 124.0, 89.0), [(S, 0.6, 90.0)]),
        ],
    ),
    Case(
        name="break-even acts from the next bar",
        params=BREAK_EVEN,
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),  # its low lies below break-even
            ((105.0, 106.0, 100.26), []),
            ((105.0, 106.0, 100.25), [(BE, 0.6, 100.25)]),
        ],
    ),
    Case(
        name="a gap through break-even fills at the open",
        params=BREAK_EVEN,
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),
            ((97.0, 130.0, 96.0), [(BE, 0.6, 97.0)]),
        ],
    ),
    Case(
        name="no break-even before the first target",
        params=BREAK_EVEN,
        bars=[
            ((100.0, 114.99, 99.0), []),
            ((105.0, 106.0, 91.0), []),
        ],
        stop=90.0,
        remaining=1.0,
    ),
    Case(
        name="the stop follows from 1 R on, half an R behind, and acts from the next bar",
        params=TRAILING,
        bars=[
            ((100.0, 110.0, 99.0), []),  # the best price is 110: the stop goes to 105 after this bar's low of 99
            ((108.0, 109.0, 105.01), []),
            ((108.0, 109.0, 104.0), [(TR, 1.0, 105.0)]),
        ],
    ),
    Case(
        name="the stop does not follow before 1 R",
        params=TRAILING,
        bars=[((100.0, 109.99, 99.0), [])],
        stop=90.0,
        remaining=1.0,
    ),
    Case(
        name="the trailing stop only tightens",
        params=TRAILING,
        bars=[
            ((100.0, 114.0, 99.0), []),  # to 109
            ((112.0, 113.0, 110.0), []),  # a lower high moves nothing
            ((112.0, 114.5, 109.5), []),  # to 109.50
            ((110.0, 111.0, 109.51), []),
        ],
        stop=109.5,
        remaining=1.0,
    ),
    Case(
        name="a gap through the trailing stop fills at the open",
        params=TRAILING,
        bars=[
            ((100.0, 114.0, 99.0), []),
            ((101.0, 130.0, 80.0), [(TR, 1.0, 101.0)]),
        ],
    ),
    Case(
        name="the tighter of break-even and trail holds, with its own name",
        params={"trail_start_r": 1.5, "trail_distance_r": 3.0},
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),  # break-even at 100.25, the trail would be at 86
            ((116.0, 124.0, 101.0), []),  # the trail would be at 94
            ((116.0, 120.0, 100.0), [(BE, 0.6, 100.25)]),
        ],
    ),
    Case(
        name="the trail takes over from break-even",
        params={"trail_start_r": 1.0, "trail_distance_r": 1.0},
        bars=[
            ((100.0, 116.0, 99.0), [(T1, 0.4, 115.0)]),  # the trail is at 106, beyond break-even
            ((116.0, 126.0, 107.0), [(T2, 0.3, 125.0)]),  # the trail is at 116
            ((117.0, 118.0, 115.0), [(TR, 0.3, 116.0)]),
        ],
    ),
    Case(
        name="the clock sells at the next open",
        params=PLAIN | {"time_stop": 2},
        bars=[
            ((100.0, 105.0, 95.0), []),
            ((101.0, 105.0, 95.0), []),
            ((103.0, 150.0, 50.0), [(TIME, 1.0, 103.0)]),
        ],
    ),
    Case(
        name="the clock sells what the targets left",
        params=PLAIN | {"time_stop": 1},
        bars=[
            ((100.0, 116.0, 95.0), [(T1, 0.4, 115.0)]),
            ((116.0, 117.0, 115.0), [(TIME, 0.6, 116.0)]),
        ],
    ),
    Case(
        name="a stop at the open comes before the clock",
        params=PLAIN | {"time_stop": 1},
        bars=[
            ((100.0, 105.0, 95.0), []),
            ((85.0, 86.0, 84.0), [(S, 1.0, 85.0)]),
        ],
    ),
    Case(
        name="the clock comes before a target at the open",
        params=PLAIN | {"time_stop": 1},
        bars=[
            ((100.0, 105.0, 95.0), []),
            ((130.0, 131.0, 129.0), [(TIME, 1.0, 130.0)]),
        ],
    ),
    Case(
        name="no clock where it is off",
        params=PLAIN | {"time_stop": 0},
        bars=[((100.0, 105.0, 95.0), [])] * 50,
        stop=90.0,
        remaining=1.0,
    ),
    Case(
        name="a target without a part still starts break-even",
        params=BREAK_EVEN | {"target_one_fraction": 0.0},
        bars=[
            ((100.0, 116.0, 99.0), []),
            ((105.0, 106.0, 99.0), [(BE, 1.0, 100.25)]),
        ],
    ),
    Case(
        name="everything at the first target",
        params=PLAIN | {"target_one_fraction": 1.0, "target_two_fraction": 0.0},
        bars=[((100.0, 150.0, 99.0), [(T1, 1.0, 115.0)])],
    ),
    Case(
        name="everything at the first two targets",
        params=PLAIN | {"target_one_fraction": 0.7, "target_two_fraction": 0.3},
        bars=[
            ((100.0, 126.0, 99.0), [(T1, 0.7, 115.0), (T2, 0.3, 125.0)]),
            ((125.0, 150.0, 50.0), []),
        ],
    ),
    Case(
        name="the defaults together",
        params={},
        bars=[
            ((100.0, 109.0, 96.0), []),
            ((108.0, 116.0, 104.0), [(T1, 0.4, 115.0)]),  # break-even 100.25, the trail at 111
            ((115.0, 121.0, 111.5), []),  # the trail at 116
            ((119.0, 124.0, 116.5), []),  # the trail at 119
            ((121.0, 125.0, 118.0), [(TR, 0.6, 119.0)]),  # also touches the second target, but the stop comes first
        ],
    ),
]


def rules(params: dict[str, Any], side: Side = Side.LONG) -> ExitRules:
    stop = STOP if side is Side.LONG else 2 * ENTRY - STOP
    return position.exit_rules(side=side, entry=ENTRY, stop=stop, params=Params.of(params), market=MARKET)


def opened(side: Side = Side.LONG) -> Position:
    return position.open_position(side=side, entry=ENTRY, stop=STOP if side is Side.LONG else 2 * ENTRY - STOP)


def mirrored(price: float, side: Side) -> float:
    return price if side is Side.LONG else round(2 * ENTRY - price, 2)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bar_by_bar(case: Case, side: Side) -> None:
    current, watched = opened(side), rules(case.params, side)
    found: list[list[Left]] = []
    expected: list[list[Left]] = []

    for (open, high, low), left in case.bars:
        bounds = sorted((mirrored(high, side), mirrored(low, side)))
        current, exits = position.on_bar(current, watched, open=mirrored(open, side), high=bounds[1], low=bounds[0])
        found.append([(exit.reason, round(exit.fraction, 12), exit.price) for exit in exits])
        expected.append([(reason, fraction, mirrored(price, side)) for reason, fraction, price in left])

    assert found == expected
    assert current.remaining == pytest.approx(case.remaining, abs=1e-12)
    assert (current.remaining == 0.0) is (case.remaining == 0.0)
    if case.stop is not None:
        assert current.stop == mirrored(case.stop, side)


@pytest.mark.parametrize("side", Side)
def test_levels_are_multiples_of_the_distance_to_the_stop(side: Side) -> None:
    found = rules({}, side)

    levels = (found.target_1, found.target_2, found.target_3, found.break_even, found.trail_start)
    assert levels == tuple(mirrored(price, side) for price in (115.0, 125.0, 140.0, 100.25, 110.0))
    assert (found.fraction_1, found.fraction_2) == (0.4, 0.3)
    assert (found.trail_distance, found.time_stop) == (5.0, 0)


def test_what_is_switched_off_has_no_level() -> None:
    found = rules(PLAIN)

    assert math.isnan(found.break_even)
    assert math.isnan(found.trail_start)


@pytest.mark.parametrize(
    ("_case", "price", "left"),
    [
        ("between the levels", 109.0, []),
        ("at the stop", 90.0, [Exit(S, 1.0, 90.0)]),
        ("below the stop, at the price that is there", 88.5, [Exit(S, 1.0, 88.5)]),
        ("at the first target", 115.0, [Exit(T1, 0.4, 115.0)]),
        ("above it, at the price that is there", 117.25, [Exit(T1, 0.4, 117.25)]),
        ("missing", NAN, []),
    ],
)
def test_a_price_fills_levels_but_moves_no_stop(_case: str, price: float, left: list[Exit]) -> None:
    current, exits = position.on_price(opened(), rules({}), price)

    assert exits == left
    assert (current.stop, current.best, current.bars) == (90.0, 100.0, 0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("missing", ["open", "high", "low"])
def test_a_missing_price_takes_no_profit(side: Side, missing: str) -> None:
    bar = {"open": 100.0, "high": 101.0, "low": 99.0} | {missing: NAN}

    _, exits = position.on_bar(opened(side), rules({}, side), open=bar["open"], high=bar["high"], low=bar["low"])

    assert exits == []


def test_a_position_that_is_closed_stays_closed() -> None:
    closed, _ = position.on_price(opened(), rules({}), 80.0)

    for price in (80.0, 115.0, 140.0):
        assert position.on_price(closed, rules({}), price) == (closed, [])
        assert position.on_bar(closed, rules({}), open=price, high=price, low=price) == (closed, [])
    assert closed.remaining == 0.0


def test_the_clock_counts_bars_not_prices() -> None:
    current, watched = opened(), rules(PLAIN | {"time_stop": 1})

    for price in (101.0, 102.0, 103.0):
        current, exits = position.on_price(current, watched, price)
        assert exits == []
    current, _ = position.on_bar(current, watched, open=101.0, high=103.0, low=100.0)
    current, exits = position.on_price(current, watched, 102.5)

    assert exits == [Exit(TIME, 1.0, 102.5)]


def test_reasons_have_the_words_that_rows_hold() -> None:
    labels = ["stop", "break_even", "trailing", "target_1", "target_2", "target_3", "time"]

    assert [reason.label for reason in ExitReason] == labels
    assert [reason for reason in ExitReason if not reason.is_level] == [TIME]


@pytest.mark.parametrize(
    ("_case", "fraction", "remaining", "is_last", "quantity"),
    [
        ("whole lots, toward zero", 0.4, "1.234", False, "0.493"),
        ("the last takes what is left", 0.3, "0.371", True, "0.371"),
        ("never more than there is", 0.4, "0.1", False, "0.1"),
        ("less than one lot", 0.0001, "1.234", False, "0.000"),
    ],
)
def test_an_exit_is_whole_lots(_case: str, fraction: float, remaining: str, is_last: bool, quantity: str) -> None:
    found = position.lots(
        exit=Exit(T1, fraction, 115.0),
        first_quantity=Decimal("1.234"),
        remaining=Decimal(remaining),
        is_last=is_last,
        market=MARKET,
    )

    assert found == Decimal(quantity)
