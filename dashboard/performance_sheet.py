"""Performance as its page shows it: key figures, groups with bars, drawdown, and a calendar of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard import formats, heat
from dashboard.figures import Figure
from dashboard.formats import NOTHING, Signed
from dashboard.listings.trades import EXITS
from dashboard.sums import Sums
from trading import selectors
from trading.selectors import Day, Group, Summary

Point = tuple[int, float]
"""Seconds since 1970, and quote or a fraction."""

GROUP_TITLES = {
    "symbol": "Pair",
    "exit": "Left by",
    "regime": "Regime at entry",
    "side": "Side",
    "weekday": "Weekday, UTC",
}
_STEPS = (0.0025, 0.01, 0.02)
"""Days are shaded in four steps; these fractions of equity part them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    name: str
    trades: int
    wins: str
    pnl: Signed
    factor: str
    r: Signed | None
    share: int
    """Of the largest amount among the groups, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """One square; an empty tone is a day without a record."""

    date: date | None
    tone: str = ""
    arrow: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    figures: Sequence[Figure]
    groups: Sequence[tuple[str, Sequence[GroupRow]]]
    equity: Sequence[Point]
    drawdown: Sequence[Point]
    calendar: Sequence[CalendarDay]
    hours: Sequence[tuple[str, Sequence[heat.Square]]]
    distribution: Sequence[heat.Bin]


def sheet(sums: Sums, equity: Sequence[Point], days: Sequence[Day]) -> Sheet:
    summary = sums.summary()
    falls = drawdown(equity)
    return Sheet(
        figures=_figures(summary, falls) if summary else [],
        groups=[(title, _group_rows(name, summary.groups[name])) for name, title in GROUP_TITLES.items()]
        if summary
        else [],
        equity=equity,
        drawdown=falls,
        calendar=calendar(days),
        hours=heat.hours(sums) if summary else [],
        distribution=heat.distribution(sums),
    )


def drawdown(equity: Sequence[Point]) -> list[Point]:
    """Return the fall from the peak so far at each point, as percent below zero."""
    falls: list[Point] = []
    peak = 0.0
    for at, value in equity:
        peak = max(peak, value)
        falls.append((at, 100.0 * (value / peak - 1) if peak > 0 else 0.0))
    return falls


def calendar(days: Sequence[Day]) -> list[CalendarDay]:
    """Return the squares of whole weeks, Monday first, from the first day to the last."""
    if not days:
        return []
    known = {day.date: day for day in days}
    first = days[0].date - timedelta(days=days[0].date.weekday())
    count = (days[-1].date - first).days + 1
    return [_square(first + timedelta(days=number), known) for number in range(count)]


def _square(at: date, known: dict[date, Day]) -> CalendarDay:
    day = known.get(at)
    if day is None:
        return CalendarDay(date=None)
    made = formats.signed_money(day.pnl)
    step = 1 + sum(abs(day.fraction) >= limit for limit in _STEPS)
    trades = "1 trade" if day.trades == 1 else f"{day.trades} trades"
    return CalendarDay(
        date=at,
        tone=f"{made.tone} step-{step}" if made.tone != "flat" else "flat",
        arrow=made.text[0] if made.tone != "flat" else "",
        hint=f"{at:%a %d %b %Y}: {made.text} ({formats.signed_percent(day.fraction).text}), {trades}",
    )


def _figures(summary: Summary, falls: Sequence[Point]) -> list[Figure]:
    total, deepest = summary.total, -min((fall for _, fall in falls), default=0.0) / 100
    pnl = formats.signed_money(total.pnl)
    made = formats.signed_money(summary.expectancy)
    return [
        Figure(
            key="pnl",
            label="PnL, closed trades",
            value=pnl.text,
            tone=pnl.tone,
            note=f"after fees of {formats.money(summary.fees)}",
        ),
        Figure(
            key="factor",
            label="Profit factor",
            value=_factor(total),
            note=f"{formats.money(summary.gained)} gained, {formats.money(summary.lost)} lost",
            hint="What was gained, divided by what was lost.",
        ),
        Figure(
            key="expectancy",
            label="Expectancy",
            value=formats.multiple(total.mean_r).text if total.mean_r is not None else NOTHING,
            tone=made.tone,
            delta=made,
            note="a trade",
            hint="What a trade made on average, in units of its first risk.",
        ),
        Figure(
            key="wins",
            label="Win rate",
            value=f"{total.won / total.trades:.1%}",
            note=f"{total.won} of {total.trades} trades",
        ),
        Figure(
            key="drawdown",
            label="Deepest drawdown",
            value=formats.percent(deepest),
            note="of the peak, on the curve",
            hint="The largest fall from a peak among the points of the equity curve, open positions included.",
        ),
        Figure(
            key="held",
            label="Average held",
            value=formats.span(summary.held),
            note=f"longest runs {summary.wins_in_row} won, {summary.losses_in_row} lost",
        ),
    ]


def _factor(group: Group) -> str:
    return f"{group.profit_factor:.2f}" if group.profit_factor is not None else "no loss"


def _group_rows(name: str, groups: Sequence[Group]) -> list[GroupRow]:
    most = max((abs(group.pnl) for group in groups), default=0)
    words = dict(EXITS) if name == "exit" else {}
    if name == "weekday":
        groups = sorted(groups, key=lambda group: selectors.WEEKDAYS.index(group.name))
    elif name != "hour":
        groups = sorted(groups, key=lambda group: -group.pnl)
    return [
        GroupRow(
            name=words.get(group.name, formats.words(group.name)) or NOTHING,
            trades=group.trades,
            wins=f"{group.won / group.trades:.0%}",
            pnl=formats.signed_money(group.pnl),
            factor=_factor(group),
            r=formats.multiple(group.mean_r) if group.mean_r is not None else None,
            share=round(100 * abs(group.pnl) / most) if most else 0,
        )
        for group in groups
    ]
