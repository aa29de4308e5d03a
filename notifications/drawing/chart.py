"""The chart of one symbol: candles, executions, and the levels of what is open there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from notifications.drawing import style
from notifications.drawing.spec import Chart, Level

WIDTH, HEIGHT = 10.0, 6.25
_TICKS = 6
_DASHES: dict[str, Literal["solid", "dashed", "dotted"]] = {"stop": "dashed", "target": "dashed", "mark": "dotted"}
_NEAR = 0.045
"""Of the height: labels of levels that lie closer are moved apart."""
_FAR = 1.2
"""A level further away than so many times the range of the bars is named at the edge, so that the bars stay legible."""


def draw(chart: Chart) -> Figure:
    drawn = style.figure(WIDTH, HEIGHT)
    style.head(drawn, chart.title, chart.note, top=0.48)
    axes = style.plain(drawn.add_axes((0.085, 0.08, 0.745, 0.75)))
    _candles(axes, chart.bars)
    low, high = _limits(chart)
    axes.set_ylim(low, high)
    axes.set_xlim(-1, len(chart.bars))
    _moments(axes, chart.bars)
    axes.yaxis.set_major_formatter(lambda value, _: price(value))
    _levels(axes, chart, low, high)
    _fills(axes, chart)
    return drawn


def _candles(axes: Axes, bars: Sequence[Sequence[float]]) -> None:
    for is_up, colour in ((True, style.GAIN), (False, style.LOSS)):
        rows = [(x, bar) for x, bar in enumerate(bars) if (bar[4] >= bar[1]) is is_up]
        wicks = [((x, bar[3]), (x, bar[2])) for x, bar in rows]
        bodies = [_body(x, bar[1], bar[4]) for x, bar in rows]
        axes.add_collection(LineCollection(wicks, colors=colour, linewidths=1.0))
        # Bars that rose are hollow: the colours need not be told apart.
        face = style.PANEL if is_up else colour
        axes.add_collection(PolyCollection(bodies, facecolors=face, edgecolors=colour, linewidths=1.1, zorder=2))


def _body(x: float, opened: float, closed: float) -> list[tuple[float, float]]:
    return [(x - 0.32, opened), (x - 0.32, closed), (x + 0.32, closed), (x + 0.32, opened)]


def _limits(chart: Chart) -> tuple[float, float]:
    low, high = min(bar[3] for bar in chart.bars), max(bar[2] for bar in chart.bars)
    reach = _FAR * (high - low)
    near = [level.price for level in chart.levels if low - reach <= level.price <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
    return low - margin, high + margin


def _moments(axes: Axes, bars: Sequence[Sequence[float]]) -> None:
    step = max(1, len(bars) // _TICKS)
    places = list(range(step // 2, len(bars), step))
    is_long = bars[-1][0] - bars[0][0] > 20 * 86_400
    words = "%d %b" if is_long else "%d %b %H:%M"
    axes.set_xticks(places, [style.moment(bars[place][0], words) for place in places])


def _levels(axes: Axes, chart: Chart, low: float, high: float) -> None:
    """Draw each level as a line with its name and price at the right edge, none over another."""
    height, last = high - low, -1.0
    for level in sorted(chart.levels, key=lambda each: each.price):
        colour, place = style.TONES[level.tone], (level.price - low) / height
        if 0 <= place <= 1:
            dashes = _DASHES.get(level.tone, "solid")
            axes.hlines(level.price, _x(chart, level), len(chart.bars), colors=colour, linestyles=dashes, linewidth=1.3)
        last = max(min(max(place, 0.01), 0.99), last + _NEAR)
        words = f"{level.text} {price(level.price)}"
        axes.text(1.012, last, words, transform=axes.transAxes, color=colour, fontsize=11, va="center", clip_on=False)


def _x(chart: Chart, level: Level) -> float:
    if level.since is None:
        return -1.0
    return next((x for x, bar in enumerate(chart.bars) if bar[0] >= level.since), len(chart.bars)) - 1.0


def _fills(axes: Axes, chart: Chart) -> None:
    for fill in chart.fills:
        if not chart.bars[0][0] <= fill.at:
            continue
        x = max(n for n, bar in enumerate(chart.bars) if bar[0] <= fill.at)
        shape = "^" if fill.is_buy else "v"
        axes.plot(
            x, fill.price, shape, color=style.TONES[fill.tone], markersize=11, markeredgecolor=style.INK, zorder=5
        )


def price(value: float) -> str:
    """Return a price with about five significant digits."""
    size = abs(value)
    digits = 2 if size >= 100 else 3 if size >= 10 else 4 if size >= 1 else 6 if size >= 0.01 else 8
    return f"{value:,.{digits}f}"
