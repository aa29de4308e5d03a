"""Why a trade was left otherwise than its stored bars give: the position machine over those bars, beside what was filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.position import ExitReason, ExitRules, Position, on_bar
from trading.research.audit import Cause

LEVELS = tuple(reason.label for reason in ExitReason)
"""Whatever else an exit is called, it was not the machine that asked for it."""


NOTICED = 1e-9
"""A smaller slippage is the rounding of floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An exit as it was filled: for which reason, by which level (None: at the market), when, and at which mean price."""

    reason: str
    level: float | None
    at: datetime
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An exit that the stored bars give, in the bar that opened at `bar_at`."""

    reason: str
    price: float
    bar_at: datetime


def expected(position: Position, rules: ExitRules, candles: Candles) -> list[Due]:
    """Return what leaves over the bars of a position that was open from the first of them on."""
    found: list[Due] = []
    for row in range(len(candles)):
        if position.remaining <= 0.0:
            break
        open, high, low = float(candles.open[row]), float(candles.high[row]), float(candles.low[row])
        position, exits = on_bar(position, rules, open=open, high=high, low=low)
        found += [Due(reason=each.reason.label, price=each.price, bar_at=candles.opened_at(row)) for each in exits]
    return found


def explain(left: Left | None, due: Due | None, *, candles: Candles, ticked: bool, is_first: bool) -> tuple[Cause, str]:
    """Return why an exit that was filled and the one that the bars give in its place differ, with a sentence.

    `ticked`: a tick ran in the bar after that of `due`. `is_first`: all exits before these agreed.
    """
    if left is not None and left.reason not in LEVELS:
        return Cause.BY_HAND, f"{left.reason}: no level of the position, a person or a missing stop ended it"
    if left is not None and due is not None and left.reason == due.reason and _is_in(left.at, due.bar_at, candles):
        return Cause.SAME, f"by {left.reason} in the bar of {due.bar_at:%Y-%m-%d %H:%M}"
    if not is_first:
        return Cause.INSIDE_BAR, "what left before left otherwise, so the rest had another stop or size"
    if left is not None and (row := _row(left.at, candles)) is not None and _reaches(left, row, candles):
        told = "nothing" if due is None else f"{due.reason} in the bar of {due.bar_at:%Y-%m-%d %H:%M}"
        return Cause.INSIDE_BAR, f"prices inside a bar came in another order than its reading, which gives {told}"
    if due is not None and (left is None or left.at > due.bar_at):
        if not ticked:
            return Cause.MISSED_BAR, f"{due.reason} fell due in the bar of {due.bar_at:%Y-%m-%d %H:%M}, and no tick ran"
        return Cause.LATE_DATA, f"{due.reason} fell due in the bar of {due.bar_at:%Y-%m-%d %H:%M}, which was not known"
    return Cause.LATE_DATA, "no stored bar of that time reaches the price that it left at"


def slippage(left: Left, *, sign: int) -> float | None:
    """Return how much worse than its level an exit was filled, a fraction; None for one at the market."""
    return None if not left.level else sign * (1.0 - left.price / left.level)


def _row(at: datetime, candles: Candles) -> int | None:
    """Return the bar that holds a moment; what was filled at a bar's first moment fell due in the one before."""
    opened = timeframes.to_ms(at) - int(candles.opened[0])
    row = (opened - 1) // timeframes.milliseconds(candles.timeframe)
    return row if 0 <= row < len(candles) else None


def _is_in(at: datetime, bar_at: datetime, candles: Candles) -> bool:
    """Return whether a moment lies in a bar, or in the one after, in whose first seconds its exits are sent."""
    return bar_at <= at < bar_at + 2 * timeframes.length(candles.timeframe)


def _reaches(left: Left, row: int, candles: Candles) -> bool:
    """Return whether the bar of the fill, or the one after, traded at what the exit waited for."""
    wanted = left.price if left.level is None else left.level
    rows: Sequence[int] = range(row, min(row + 2, len(candles)))
    return any(float(candles.low[each]) <= wanted <= float(candles.high[each]) for each in rows)
