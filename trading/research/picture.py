"""Reports as pictures (PNG): the curve of a backtest, the best of a sweep, the windows of a walk, the reach of chance.

matplotlib takes a second to load and much memory, so each function loads it when a picture is asked for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = Mapping[str, Any]
Draw = Callable[[Report], "Figure"]
WIDTH, DPI = 10.0, 120
MOST_ROWS = 15
GAIN, LOSS, PLAIN, FAINT = "#0f7b5f", "#c2303f", "#2f5fb3", "#7a8594"


def png(report: Report, draw: Draw) -> bytes:
    """Return a report drawn by one of the functions below, 1,200 pixels wide."""
    out = io.BytesIO()
    draw(report).savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def backtest(report: Report) -> Figure:
    """Draw the equity at the end of each day, and how far it lay below its peak."""
    rows = report["metrics"]["daily_equity"]
    days = np.array([row[0] for row in rows], dtype="datetime64[D]")
    worth = np.array([row[1] for row in rows], dtype=np.float64)
    drawn, (upper, lower) = _figure(report, heights=(3, 1), height=6.0, share_x=True)
    upper.plot(days, worth, color=GAIN if worth[-1] >= worth[0] else LOSS, linewidth=1.6)
    upper.axhline(worth[0], color=FAINT, linewidth=0.8, linestyle=":")
    upper.set_ylabel("equity, quote")
    fallen = (worth / np.maximum.accumulate(worth) - 1.0) * 100.0
    lower.fill_between(days, fallen, 0.0, color=LOSS, alpha=0.35, linewidth=0)
    lower.set_ylabel("drawdown, %")
    return drawn


def sweep(report: Report) -> Figure:
    """Draw what the best points scored, beside the parameters as they are."""
    name, rows = report["objective"], report["best"][:MOST_ROWS]
    drawn, (axes,) = _figure(report, height=1.6 + 0.36 * max(len(rows), 1))
    axes.barh([_values(row) for row in rows], [row[name] for row in rows], color=PLAIN, height=0.62)
    axes.invert_yaxis()
    axes.set_xlabel(name)
    if (usual := report["usual"][name]) is not None:
        axes.axvline(usual, color=FAINT, linestyle="--", linewidth=1.2, label="parameters as they are")
        axes.legend(frameon=False)
    return drawn


def walk(report: Report) -> Figure:
    """Draw what each window made after its split, with the parameters chosen before it and with those as they are."""
    name, windows = report["objective"], report["windows"]
    drawn, (axes,) = _figure(report, height=5.0)
    places = np.arange(len(windows), dtype=np.float64)
    kinds = (("chosen before", "after", PLAIN, ""), ("as they are", "usual", FAINT, "///"))
    for number, (label, key, colour, hatch) in enumerate(kinds):
        made = [np.nan if (row[key] or {}).get(name) is None else row[key][name] for row in windows]
        axes.bar(places + (number - 0.5) * 0.38, made, width=0.36, color=colour, hatch=hatch, label=label)
    axes.set_xticks(places, [row["split"][:10] for row in windows], rotation=30, ha="right")
    axes.axhline(0.0, color=FAINT, linewidth=0.8)
    axes.set_ylabel(f"{name} after the split")
    axes.legend(frameon=False)
    return drawn


def scatter(report: Report) -> Figure:
    """Draw how far chance alone reaches around each figure, a panel a figure."""
    by_name: dict[str, list[tuple[str, Mapping[str, float]]]] = {}
    for kind in ("shuffled_trades", "blocks_of_days", "noisy_candles"):
        for name, row in report[kind].items():
            if isinstance(row, Mapping) and None not in (row["low"], row["median"], row["high"], row["actual"]):
                by_name.setdefault(name, []).append((kind.replace("_", " "), row))
    drawn, panels = _figure(report, heights=(1,) * max(len(by_name), 1), height=1.2 + 1.2 * max(len(by_name), 1))
    for axes, (name, rows) in zip(panels, by_name.items(), strict=False):
        for place, (_, row) in enumerate(rows):
            axes.plot([row["low"], row["high"]], [place, place], color=PLAIN, linewidth=5, alpha=0.45)
            axes.plot(row["median"], place, "|", color=PLAIN, markersize=14)
            axes.plot(row["actual"], place, "o", color=LOSS, markersize=6)
        axes.set_yticks(range(len(rows)), [kind for kind, _ in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_title(f"{name}: as it was (dot), median (bar), {report['confidence']:g} of all", fontsize=10)
    return drawn


def _figure(
    report: Report, *, height: float, heights: tuple[int, ...] = (1,), share_x: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure with its heading and one axes for each of `heights`, top to bottom."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    drawn.suptitle(f"{', '.join(report['symbols'])} {report['timeframe']}", x=0.02, ha="left", fontweight="bold")
    found = drawn.subplots(len(heights), 1, squeeze=False, sharex=share_x, height_ratios=heights)
    panels = [row[0] for row in found]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, linewidth=0.5, alpha=0.5)
        axes.set_axisbelow(True)
    return drawn, panels


def _values(row: Mapping[str, Any]) -> str:
    return json.dumps(row["values"]).strip("{}").replace('"', "")
