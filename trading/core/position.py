"""The one position state machine: what a bar or a price does to an open position.

The live tick, the paper venue, replay, backtest and the shadow outcome of refused signals all call
`advance`, so they cannot disagree. Plain floats and NamedTuples, compiled by numba.

Fill model: a bar's open comes first, as a price; inside the bar the stop is looked at first, then the targets in order; a level fills at its
price, or at the open where the bar opened beyond it; break-even and trailing move at the close of a bar
and act from the next; a position whose time is up leaves at the next open.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit

from trading.core.candles import Floats
from trading.core.params import Params
from trading.core.types import Market, Side

MAX_EXITS = 4
"""Most exits of one bar: three targets, or a stop, or the clock."""


class ExitReason(IntEnum):
    """Why a part of a position left; the names are what rows and screens show in lower case."""

    STOP = 0
    BREAK_EVEN = 1
    TRAILING = 2
    TARGET_1 = 3
    TARGET_2 = 4
    TARGET_3 = 5
    TIME = 6

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def is_level(self) -> bool:
        """A level fills at its price; the clock sends a market order."""
        return self is not ExitReason.TIME


class ExitRules(NamedTuple):
    """What was decided at entry and never changes: prices in quote per base, fractions of the first quantity."""

    target_1: float
    target_2: float
    target_3: float
    fraction_1: float
    fraction_2: float
    break_even: float
    """Where the stop goes after the first target; NaN: nowhere."""
    trail_start: float
    """Best price from which on the stop follows; NaN: never."""
    trail_distance: float
    time_stop: int
    """Bars after which the rest is closed; 0 never."""
    grid_numerator: float
    grid_denominator: float


class Position(NamedTuple):
    """What an open position has come to. `side` is +1 or -1, `remaining` a fraction of the first quantity."""

    side: int
    entry: float
    stop: float
    stop_reason: int
    """The ExitReason that a fill of the stop would have."""
    remaining: float
    targets_hit: int
    best: float
    bars: int


class Exit(NamedTuple):
    """A part that leaves: a fraction of the first quantity, at a price in quote per base."""

    reason: ExitReason
    fraction: float
    price: float


def open_position(*, side: Side, entry: float, stop: float) -> Position:
    return Position(side.sign, entry, stop, int(ExitReason.STOP), 1.0, 0, entry, 0)


class ExitPlan(NamedTuple):
    """What the parameters say about exits, in R (the distance from entry to stop) and fractions."""

    target_one_r: float
    target_two_r: float
    target_three_r: float
    fraction_1: float
    fraction_2: float
    break_even: bool
    trailing: bool
    trail_start_r: float
    trail_distance_r: float
    time_stop: int


def exit_plan(params: Params) -> ExitPlan:
    return ExitPlan(
        target_one_r=params.target_one_r,
        target_two_r=params.target_two_r,
        target_three_r=params.target_three_r,
        fraction_1=params.target_one_fraction,
        fraction_2=params.target_two_fraction,
        break_even=params.break_even,
        trailing=params.trailing,
        trail_start_r=params.trail_start_r,
        trail_distance_r=params.trail_distance_r,
        time_stop=params.time_stop,
    )


def cost_fraction(params: Params, market: Market) -> float:
    """Return what entry and exit cost, fees and slippage, as a fraction of the entry price."""
    return 2.0 * float(market.fee_rate) + params.slippage


def exit_rules(*, side: Side, entry: float, stop: float, params: Params, market: Market) -> ExitRules:
    """Return the exit levels of a position, on the market's price grid; the distance to the stop is 1 R."""
    costs, grid = cost_fraction(params, market), market.price_grid
    made: ExitRules = rules_at(side.sign, entry, stop, exit_plan(params), costs, *grid)
    return made


def on_bar(
    position: Position, rules: ExitRules, *, open: float, high: float, low: float
) -> tuple[Position, list[Exit]]:
    """Return the position after a closed bar, and what left it inside the bar."""
    exits = np.zeros((MAX_EXITS, 3))
    position, count = advance(position, rules, open, high, low, exits)
    return position, _exits(exits[:count])


def on_price(position: Position, rules: ExitRules, price: float) -> tuple[Position, list[Exit]]:
    """Return the position after a price between two closes: levels fill, the stop does not move."""
    exits = np.zeros((MAX_EXITS, 3))
    position, count = take(position, rules, price, price, price, exits, 0)
    return position, _exits(exits[:count])


def next_stop(position: Position, rules: ExitRules) -> float:
    """Return where the rules put the stop at the next close, should no better price come before."""
    after: Position = _after_close(position, rules, position.best, position.best)
    return float(after.stop)


def lots(*, exit: Exit, first_quantity: Decimal, remaining: Decimal, is_last: bool, market: Market) -> Decimal:
    """Return the quantity (base) of an exit: its fraction in whole lots, the last exit takes what is left."""
    if is_last:
        return remaining
    return min(remaining, market.quantity(first_quantity * Decimal(str(exit.fraction))))


def _exits(rows: Floats) -> list[Exit]:
    return [Exit(ExitReason(int(reason)), float(fraction), float(price)) for reason, fraction, price in rows]


@njit(cache=True, forceinline=True)
def on_grid(price: float, numerator: float, denominator: float) -> float:
    """Return the price on the grid, halves up, as the float nearest to the grid's decimal (types.Market.price_grid)."""
    # Half of an odd R is half a step, so ties are common; the margin keeps the last bit of a float from deciding them.
    return float(np.floor(price * denominator / numerator + 0.5 + 1e-6) * numerator / denominator)


@njit(cache=True)
def rules_at(
    sign: int, entry: float, stop: float, plan: ExitPlan, costs: float, numerator: float, denominator: float
) -> ExitRules:
    """Return the exit levels of a position entered at `entry`; see exit_rules."""
    r = abs(entry - stop)
    return ExitRules(
        _level(entry + sign * (plan.target_one_r * r), numerator, denominator),
        _level(entry + sign * (plan.target_two_r * r), numerator, denominator),
        _level(entry + sign * (plan.target_three_r * r), numerator, denominator),
        plan.fraction_1,
        plan.fraction_2,
        _level(entry + sign * (entry * costs), numerator, denominator) if plan.break_even else np.nan,
        _level(entry + sign * (plan.trail_start_r * r), numerator, denominator) if plan.trailing else np.nan,
        plan.trail_distance_r * r,
        plan.time_stop,
        numerator,
        denominator,
    )


@njit(cache=True)
def _level(price: float, numerator: float, denominator: float) -> float:
    # A far target of a short can lie below zero, where no price is: one step is as far down as it goes.
    return max(on_grid(price, numerator, denominator), numerator / denominator)


@njit(cache=True, forceinline=True)
def advance(
    position: Position, rules: ExitRules, open: float, high: float, low: float, exits: Floats
) -> tuple[Position, int]:
    """Return the position after a closed bar and how many rows of `exits` (reason, fraction, price) were written."""
    # The open is a price like any other and comes first: a live feed would have seen it before the rest of the bar.
    position, count = take(position, rules, open, open, open, exits, 0)
    position, count = take(position, rules, open, high, low, exits, count)
    if position.remaining > 0.0:
        position = _after_close(position, rules, high, low)
    return position, count


@njit(cache=True, forceinline=True)
def take(
    position: Position, rules: ExitRules, open: float, high: float, low: float, exits: Floats, count: int
) -> tuple[Position, int]:
    """Let the levels between `low` and `high` fill, writing `exits` from row `count` on; the bar is not closed."""
    side, remaining, hit = position.side, position.remaining, position.targets_hit
    # No comparison with a missing price is true, so it would pass for one beyond every target.
    if remaining <= 0.0 or np.isnan(open + high + low):
        return position, count
    worst, reach = (low, high) if side > 0 else (high, low)
    if side * (worst - position.stop) <= 0.0:
        beyond = side * (open - position.stop) <= 0.0
        _record(exits, count, position.stop_reason, remaining, open if beyond else position.stop)
        return _left(position, 0.0, hit), count + 1
    if rules.time_stop > 0 and position.bars >= rules.time_stop:
        _record(exits, count, 6, remaining, open)
        return _left(position, 0.0, hit), count + 1
    while remaining > 0.0 and hit < 3:
        target = rules.target_1 if hit == 0 else rules.target_2 if hit == 1 else rules.target_3
        if side * (reach - target) < 0.0:
            break
        fraction = rules.fraction_1 if hit == 0 else rules.fraction_2 if hit == 1 else remaining
        # What binary fractions leave over (1 - 0.7 - 0.3 is 5e-17) belongs to the exit that should have emptied it.
        if remaining - fraction < 1e-9:
            fraction = remaining
        if fraction > 0.0:
            _record(exits, count, 3 + hit, fraction, open if side * (open - target) >= 0.0 else target)
            remaining -= fraction
            count += 1
        hit += 1
    return _left(position, remaining, hit), count


@njit(cache=True, forceinline=True)
def _left(position: Position, remaining: float, targets_hit: int) -> Position:
    return Position(
        position.side,
        position.entry,
        position.stop,
        position.stop_reason,
        remaining,
        targets_hit,
        position.best,
        position.bars,
    )


@njit(cache=True, forceinline=True)
def _record(exits: Floats, row: int, reason: int, fraction: float, price: float) -> None:
    exits[row, 0], exits[row, 1], exits[row, 2] = reason, fraction, price


@njit(cache=True, forceinline=True)
def _after_close(position: Position, rules: ExitRules, high: float, low: float) -> Position:
    side = position.side
    best = max(position.best, high) if side > 0 else min(position.best, low)
    stop, reason = position.stop, position.stop_reason
    if position.targets_hit > 0 and side * (rules.break_even - stop) > 0.0:
        stop, reason = rules.break_even, 1
    if side * (best - rules.trail_start) >= 0.0:
        trail = on_grid(best - side * rules.trail_distance, rules.grid_numerator, rules.grid_denominator)
        if side * (trail - stop) > 0.0:
            stop, reason = trail, 2
    return Position(
        side,
        position.entry,
        stop,
        reason,
        position.remaining,
        position.targets_hit,
        best,
        position.bars + 1,
    )
