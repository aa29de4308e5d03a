"""Results as pictures: a square for each hour of each weekday, and how often each size of result came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard import formats
from trading.selectors import WEEKDAYS, Result

STEPS = 4
WIDTH_R = 0.5
LOWEST_R, HIGHEST_R = -2.0, 4.0
"""Results beyond them are counted in the outermost bars."""


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


def hours(results: Sequence[Result]) -> list[tuple[str, list[Square]]]:
    """Return (weekday, its 24 squares), Monday first, by the moment of the last exit, UTC; shaded by their share of the most."""
    made: dict[tuple[int, int], list[Decimal]] = defaultdict(list)
    for result in results:
        made[result.closed_at.weekday(), result.closed_at.hour].append(result.pnl)
    most = max((abs(sum(each, Decimal(0))) for each in made.values()), default=Decimal(0))
    return [
        (name, [_square(name, hour, made.get((day, hour)), most) for hour in range(24)])
        for day, name in enumerate(WEEKDAYS)
    ]


def distribution(results: Sequence[Result]) -> list[Bin]:
    """Return how many trades came to each half of an R; empty where no trade has a first risk."""
    known = [result.r for result in results if result.r is not None]
    if not known:
        return []
    bins = round((HIGHEST_R - LOWEST_R) / WIDTH_R)
    counts = [0] * bins
    for r in known:
        counts[min(bins - 1, max(0, int((r - LOWEST_R) // WIDTH_R)))] += 1
    return [_bin(number, count, bins, max(counts), len(known)) for number, count in enumerate(counts)]


def _square(day: str, hour: int, made: Sequence[Decimal] | None, most: Decimal) -> Square:
    if not made:
        return Square()
    total = sum(made, Decimal(0))
    shown = formats.signed_money(total)
    step = 1 + min(STEPS - 1, int(STEPS * abs(total) / most)) if most else 1
    trades = "1 trade" if len(made) == 1 else f"{len(made)} trades"
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
