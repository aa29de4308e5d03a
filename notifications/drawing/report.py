"""The report of a span: figures, equity with its falls, each trade, the hours of the day, and what AI and ML did."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notifications.drawing import style
from notifications.drawing.spec import Figure as Number
from notifications.drawing.spec import Report, Row

WIDTH, HEIGHT = 9.0, 11.25
"""Four to five: a telephone shows it whole."""
LEFT, RIGHT = 0.085, 0.96
COLUMNS = 3
_TICKS = 5


def draw(report: Report) -> Figure:
    drawn = style.figure(WIDTH, HEIGHT)
    style.head(drawn, report.title, report.note, top=0.52)
    _numbers(drawn, report.figures, top=0.907)
    _equity(_part(drawn, 0.50, 0.225, "Equity"), report.equity)
    _trades(_part(drawn, 0.315, 0.125, f"Trades, {len(report.trades)} closed: PnL of each"), report.trades)
    _hours(_part(drawn, 0.155, 0.10, "By hour of the exit, UTC"), report.hours)
    _advice(drawn, report.advice, top=0.115)
    return drawn


def _part(drawn: Figure, bottom: float, height: float, title: str) -> Axes:
    return style.plain(drawn.add_axes((LEFT, bottom, RIGHT - LEFT, height)), title=title)


def _numbers(drawn: Figure, figures: Sequence[Number], *, top: float) -> None:
    """Write the figures in columns, each with its name above it."""
    for number, each in enumerate(figures):
        row, column = divmod(number, COLUMNS)
        x, y = 0.04 + column * 0.32, top - row * 0.053
        drawn.text(x, y, each.label, fontsize=10.5, color=style.FAINT, va="top")
        drawn.text(x, y - 0.017, each.value, fontsize=17, fontweight="bold", color=style.TONES[each.tone], va="top")


def _equity(axes: Axes, points: Sequence[Sequence[float]]) -> None:
    if len(points) < 2:
        _nothing(axes, "There is no curve of this time yet.")
        return
    at, worth = [point[0] for point in points], [point[1] for point in points]
    peaks, peak = [], worth[0]
    for value in worth:
        peak = max(peak, value)
        peaks.append(peak)
    colour = style.GAIN if worth[-1] >= worth[0] else style.LOSS
    axes.fill_between(at, worth, peaks, color=style.LOSS, alpha=0.22, linewidth=0, label="below the peak")
    axes.plot(at, worth, color=colour, linewidth=2.0)
    axes.plot(at[-1], worth[-1], "o", color=colour, markersize=6)
    axes.axhline(worth[0], color=style.FAINT, linewidth=0.8, linestyle=(0, (1, 3)))
    axes.margins(x=0.01, y=0.12)
    digits = 2 if 0 < max(worth) - min(worth) <= 5 else 0
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.{digits}f}")
    span = at[-1] - at[0]
    places = [at[0] + span * (n + 0.5) / _TICKS for n in range(_TICKS)]
    axes.set_xticks(places, [style.moment(place, "%H:%M" if span < 2 * 86_400 else "%d %b") for place in places])


def _trades(axes: Axes, trades: Sequence[Sequence[float]]) -> None:
    if not trades:
        _nothing(axes, "No trade closed in this time.")
        return
    made = [trade[1] for trade in trades]
    _bars(axes, list(range(len(made))), made)
    axes.set_xlim(-0.8, max(len(made), 12) - 0.2)
    axes.set_xticks([])


def _hours(axes: Axes, hours: Sequence[Sequence[float]]) -> None:
    if not hours:
        _nothing(axes, "Nothing to show.")
        return
    _bars(axes, [int(row[0]) for row in hours], [row[1] for row in hours])
    for hour, made, count in hours:
        axes.annotate(f"{count:.0f}", (hour, max(made, 0)), xytext=(0, 3), textcoords="offset points", ha="center",
                      fontsize=9, color=style.FAINT)  # fmt: skip
    axes.set_xlim(-0.8, 23.8)
    axes.margins(y=0.22)
    axes.set_xticks(range(0, 24, 3), [f"{hour:02}" for hour in range(0, 24, 3)])


def _bars(axes: Axes, places: Sequence[int], made: Sequence[float]) -> None:
    """Draw gains full and losses hatched, so that they differ without colour too."""
    for is_loss, tone, hatch in ((False, style.GAIN, ""), (True, style.LOSS, "////")):
        rows = [(place, value) for place, value in zip(places, made, strict=True) if (value < 0) is is_loss]
        axes.bar([place for place, _ in rows], [value for _, value in rows], width=0.62, color=tone, hatch=hatch,
                 edgecolor=style.PANEL, linewidth=0.5)  # fmt: skip
    axes.axhline(0, color=style.FAINT, linewidth=0.9)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")


def _advice(drawn: Figure, rows: Sequence[Row], *, top: float) -> None:
    drawn.text(LEFT, top, "AI and ML", fontsize=12, color=style.FAINT, va="top")
    if not rows:
        drawn.text(LEFT, top - 0.024, "Nothing was asked of them.", fontsize=11, color=style.FAINT, va="top")
    for number, (name, value) in enumerate(rows[:6]):
        row, column = divmod(number, 2)
        x, y = LEFT + column * 0.45, top - 0.026 - row * 0.024
        drawn.text(x, y, name, fontsize=11, color=style.FAINT, va="top")
        drawn.text(x + 0.42, y, value, fontsize=11, va="top", ha="right")


def _nothing(axes: Axes, words: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=style.FAINT)
