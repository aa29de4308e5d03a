"""Results as pictures: a square for each hour of each weekday, and how often each size of result came."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dashboard import formats
from dashboard.sums import LOWEST_R, WIDTH_R, Sum, Sums
from trading.selectors import WEEKDAYS

STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One hour of one weekday; an empty tone is one in which no trade closed."""

    tone: str = ""
    arrow: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a distribution; x, y, width and height in a box of 100 by 100, y from the top."""

    tone: str
    x: float
    width: float
    height: float
    hint: str

    @property
    def y(self) -> float:
        return 100 - self.height


def hours(sums: Sums) -> list[tuple[str, list[Square]]]:
    """Return (weekday, its 24 squares), Monday first, by the moment of the last exit, UTC; shaded by their share of the most."""
    made = sums.groups["square"]
    most = max((abs(each.pnl) for each in made.values()), default=Decimal(0))
    return [
        (name, [_square(name, hour, made.get(f"{day} {hour:02}"), most) for hour in range(24)])
        for day, name in enumerate(WEEKDAYS)
    ]


def distribution(sums: Sums) -> list[Bin]:
    """Return how many trades came to each half of an R; empty where no trade has a first risk."""
    whole = sum(sums.bins)
    if not whole:
        return []
    return [_bin(number, count, len(sums.bins), max(sums.bins), whole) for number, count in enumerate(sums.bins)]


def _square(day: str, hour: int, made: Sum | None, most: Decimal) -> Square:
    if made is None:
        return Square()
    total = made.pnl
    shown = formats.signed_money(total)
    step = 1 + min(STEPS - 1, int(STEPS * abs(total) / most)) if most else 1
    trades = "1 trade" if made.trades == 1 else f"{made.trades} trades"
    return Square(
        tone="flat" if shown.tone == "flat" else f"{shown.tone} step-{step}",
        arrow="" if shown.tone == "flat" else shown.text[0],
        hint=f"{day} {hour:02}:00 to {(hour + 1) % 24:02}:00: {shown.text}, {trades}",
    )


def _bin(number: int, count: int, bins: int, most: int, whole: int) -> Bin:
    low = LOWEST_R + number * WIDTH_R
    words = f"{low:+.1f} to {low + WIDTH_R:+.1f} R"
    if number == 0:
        words = f"below {low + WIDTH_R:+.1f} R"
    elif number == bins - 1:
        words = f"{low:+.1f} R and more"
    return Bin(
        tone="loss" if low < 0 else "gain",
        x=round(100 * number / bins + 0.3, 2),
        width=round(100 / bins - 0.6, 2),
        height=round(100 * count / most, 1),
        hint=f"{words}: {count} of {whole}".replace("-", formats.MINUS),
    )
