"""What holds for any position, rules and bars: every unit leaves once, the stop only tightens, prices are real."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.core_values import MARKET
from trading.core import position
from trading.core.params import Params
from trading.core.position import Exit, ExitReason, ExitRules, Position
from trading.core.types import Market, Side

STEPS = tuple(map(Decimal, ("0.01", "0.05", "0.1", "0.25", "1", "5", "0.0001")))
TARGETS = (ExitReason.TARGET_1, ExitReason.TARGET_2, ExitReason.TARGET_3)

many = settings(max_examples=150, deadline=None)
steps = pytest.mark.parametrize("step", STEPS, ids=str)
# (gap from where the last bar ended, how far up, how far down, whether it ended up), in price steps.
shapes = st.lists(
    st.tuples(st.integers(-60, 60), st.integers(0, 80), st.integers(0, 80), st.booleans()), min_size=1, max_size=12
)


class Bar(NamedTuple):
    open: float
    high: float
    low: float


class Step(NamedTuple):
    """What one bar did."""

    bar: Bar
    before: Position
    after: Position
    exits: list[Exit]


@dataclass(frozen=True, kw_only=True)
class Life:
    """A position and what it will meet."""

    side: Side
    market: Market
    opened: Position
    rules: ExitRules
    bars: list[Bar]

    def lived(self) -> list[Step]:
        current, found = self.opened, []
        for bar in self.bars:
            before = current
            current, exits = position.on_bar(before, self.rules, open=bar.open, high=bar.high, low=bar.low)
            found.append(Step(bar, before, current, exits))
        return found


def tabled(start: int, drawn: list[tuple[int, int, int, bool]], step: Decimal) -> list[Bar]:
    """Make bars on the price grid that begin `start` steps above zero."""
    last, bars = start, []
    for gap, up, down, ends_up in drawn:
        open = max(1, last + gap)
        high, low = open + up, max(1, open - down)
        bars.append(Bar(*(float(step * count) for count in (open, high, low))))
        last = high if ends_up else low
    return bars


@st.composite
def parameters(draw: st.DrawFn) -> Params:
    first = draw(st.floats(0.1, 3.0))
    second = first + draw(st.floats(0.1, 3.0))
    fraction = draw(st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.7, 1.0]) | st.floats(0.0, 1.0))
    values: dict[str, Any] = {
        "target_one_r": first,
        "target_two_r": second,
        "target_three_r": second + draw(st.floats(0.1, 3.0)),
        "target_one_fraction": fraction,
        "target_two_fraction": draw(st.sampled_from([0.0, 0.3, 1.0]) | st.floats(0.0, 1.0)) * (1.0 - fraction),
        "break_even": draw(st.booleans()),
        "trailing": draw(st.booleans()),
        "trail_start_r": draw(st.floats(0.0, 3.0)),
        "trail_distance_r": draw(st.floats(0.05, 3.0)),
        "time_stop": draw(st.sampled_from([0, 0, 1, 2, 5])),
    }
    return Params.of(values)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    market = replace(MARKET, price_step=draw(st.sampled_from(STEPS)))
    side, params = draw(st.sampled_from(Side)), draw(parameters())
    entry, distance = draw(st.integers(300, 5000)), draw(st.integers(1, 120))
    levels = [float(market.price_step * count) for count in (entry, entry - side.sign * distance)]
    return Life(
        side=side,
        market=market,
        opened=position.open_position(side=side, entry=levels[0], stop=levels[1]),
        rules=position.exit_rules(side=side, entry=levels[0], stop=levels[1], params=params, market=market),
        bars=tabled(entry, draw(shapes), market.price_step),
    )


def ended(life: Life) -> Life:
    """Add a bar that reaches every level, so that nothing can stay."""
    return replace(life, bars=[*life.bars, Bar(life.opened.entry, 1e9, 1e-9)])


@many
@given(lives())
def test_every_unit_leaves_exactly_once(life: Life) -> None:
    history = ended(life).lived()

    exits = [exit for step in history for exit in step.exits]
    assert math.isclose(sum(exit.fraction for exit in exits), 1.0, abs_tol=1e-12)
    assert history[-1].after.remaining == 0.0
    assert all(exit.fraction > 0.0 for exit in exits)
    reasons = [exit.reason for exit in exits if exit.reason in TARGETS]
    assert reasons == sorted(set(reasons))
    # Only the last exit may be one that takes all.
    assert all(exit.reason in TARGETS for exit in exits[:-1])


@many
@given(lives())
def test_what_is_left_is_what_has_not_left(life: Life) -> None:
    left = 0.0
    for step in life.lived():
        left += sum(exit.fraction for exit in step.exits)

        assert 0.0 <= step.after.remaining <= step.before.remaining
        assert math.isclose(step.after.remaining, 1.0 - left, abs_tol=1e-12)
        if step.before.remaining == 0.0:
            assert (step.after, step.exits) == (step.before, [])


@many
@given(lives())
def test_the_stop_never_loosens(life: Life) -> None:
    for step in life.lived():
        assert life.side.sign * (step.after.stop - step.before.stop) >= 0.0
        assert (step.after.stop == step.before.stop) or step.after.stop_reason != ExitReason.STOP


@many
@given(lives())
def test_an_exit_is_at_a_price_of_its_bar(life: Life) -> None:
    for step in life.lived():
        for exit in step.exits:
            assert step.bar.low <= exit.price <= step.bar.high


@many
@given(lives())
def test_a_stop_is_never_better_and_a_target_never_worse_than_its_level(life: Life) -> None:
    levels = dict(zip(TARGETS, life.rules[:3], strict=True))
    for step in life.lived():
        for exit in step.exits:
            if exit.reason in TARGETS:
                assert life.side.sign * (exit.price - levels[exit.reason]) >= 0.0
            elif exit.reason is ExitReason.TIME:
                assert exit.price == step.bar.open
            else:
                assert exit.reason == step.before.stop_reason
                assert life.side.sign * (exit.price - step.before.stop) <= 0.0


@many
@given(lives())
def test_the_open_comes_first(life: Life) -> None:
    for bar, before, after, exits in life.lived():
        seen, at_open = position.on_price(before, life.rules, bar.open)
        final, inside = position.on_bar(seen, life.rules, open=bar.open, high=bar.high, low=bar.low)

        assert (final, at_open + inside) == (after, exits)
        assert seen.stop == before.stop


@many
@given(lives(), st.decimals("0.001", "5000", places=3))
def test_lots_add_up_to_the_whole_quantity(life: Life, quantity: Decimal) -> None:
    exits = [exit for step in ended(life).lived() for exit in step.exits]
    sold: list[Decimal] = []

    for number, exit in enumerate(exits, start=1):
        remaining = quantity - sum(sold)
        is_last = number == len(exits)
        sold.append(
            position.lots(exit=exit, first_quantity=quantity, remaining=remaining, is_last=is_last, market=life.market)
        )

    assert sum(sold) == quantity
    assert all(lot >= 0 and lot % life.market.quantity_step == 0 for lot in sold)


@many
@given(lives())
def test_every_level_is_the_float_of_a_price_on_the_grid(life: Life) -> None:
    stops = [step.after.stop for step in life.lived()]

    for level in (*life.rules[:3], life.rules.break_even, life.rules.trail_start, *stops):
        if not math.isnan(level):
            assert level == float(life.market.price(level))


@steps
@settings(max_examples=100, deadline=None)
@given(price=st.floats(1e-3, 1e6))
def test_compiled_rounding_agrees_with_the_orders(step: Decimal, price: float) -> None:
    market = replace(MARKET, price_step=step)

    rounded = position.on_grid(price, *market.price_grid)

    assert rounded == float(market.price(rounded))
    assert abs(rounded - price) <= float(step) * 0.50001
    # Only next to a half can binary and decimal arithmetic round to different sides.
    if abs(price / float(step) % 1.0 - 0.5) > 1e-5:
        assert rounded == float(market.price(price))


@steps
@settings(deadline=None)
@given(count=st.integers(1, 10**8))
def test_half_a_step_rounds_up_like_the_orders(step: Decimal, count: int) -> None:
    market = replace(MARKET, price_step=step)
    halfway = float(step * count + step / 2)

    assert position.on_grid(halfway, *market.price_grid) == float(market.price(halfway)) == float(step * (count + 1))


@steps
@settings(deadline=None)
@given(count=st.integers(1, 10**9))
def test_a_price_on_the_grid_stays_where_it_is(step: Decimal, count: int) -> None:
    market = replace(MARKET, price_step=step)
    price = float(step * count)

    assert position.on_grid(price, *market.price_grid) == price
    assert market.price(price) == step * count


@many
@given(
    step=st.sampled_from(STEPS),
    entry=st.integers(300, 5000),
    quarters=st.integers(0, 20),
    drawn=shapes,
    time_stop=st.sampled_from([0, 3]),
)
def test_a_short_is_the_mirror_image_of_a_long(
    step: Decimal, entry: int, quarters: int, drawn: list[tuple[int, int, int, bool]], time_stop: int
) -> None:
    # Half a step rounds up on both sides of the mirror, so every level lies on a step or clearly beside a half.
    distance = 4 * quarters + 2
    assume(entry % 400 != 200)
    market = replace(MARKET, price_step=step)
    params = Params.of({"trail_start_r": 1.5, "time_stop": time_stop})
    told: dict[Side, list[Any]] = {}

    for side in Side:
        levels = [float(step * count) for count in (entry, entry - side.sign * distance)]
        turned = [(side.sign * gap, up, down, ends_up) for gap, up, down, ends_up in drawn]
        if side is Side.SHORT:
            turned = [(gap, down, up, not ends_up) for gap, up, down, ends_up in turned]
        life = Life(
            side=side,
            market=market,
            opened=position.open_position(side=side, entry=levels[0], stop=levels[1]),
            rules=position.exit_rules(side=side, entry=levels[0], stop=levels[1], params=params, market=market),
            bars=tabled(entry, turned, step),
        )
        assume(all(bar.low > float(step) for bar in life.bars))
        told[side] = [
            (
                [(exit.reason, exit.fraction, in_favour(exit.price, life)) for exit in done.exits],
                in_favour(done.after.stop, life),
                done.after.targets_hit,
                done.after.remaining,
            )
            for done in life.lived()
        ]

    assert told[Side.LONG] == told[Side.SHORT]


def in_favour(price: float, life: Life) -> int:
    """Return how many steps a price lies on the good side of the entry."""
    return life.side.sign * round((price - life.opened.entry) / float(life.market.price_step))


def test_a_target_below_zero_becomes_the_lowest_price_there_is() -> None:
    found = position.exit_rules(side=Side.SHORT, entry=100.0, stop=140.0, params=Params(), market=MARKET)

    step = float(MARKET.price_step)
    assert (found.target_1, found.target_2, found.target_3) == (40.0, step, step)
