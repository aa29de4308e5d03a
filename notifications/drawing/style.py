"""Colours, sizes and axes that every picture shares: legible on a telephone, gains and losses apart without colour too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GROUND, PANEL, INK, FAINT, RULE = "#12161c", "#181d25", "#e8ecf1", "#95a1b0", "#2a323d"
GAIN, LOSS, ACCENT, WARN = "#2fbf8f", "#f0616d", "#6aa8ff", "#e5b454"
TONES = {"gain": GAIN, "loss": LOSS, "entry": ACCENT, "stop": LOSS, "target": GAIN, "mark": WARN, "": INK}
DPI = 120
PAPER_DPI = 150

rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 11,
        "text.color": INK,
        "text.parse_math": False,  # a name from outside may hold a dollar sign
        "axes.facecolor": PANEL,
        "axes.edgecolor": RULE,
        "axes.labelcolor": FAINT,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "grid.color": RULE,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
    }
)


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor=GROUND)


def plain(axes: Axes, *, title: str = "") -> Axes:
    """Take away what says nothing, and name the axes."""
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=10)
    axes.grid(visible=True, axis="y", linewidth=0.8)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=12, color=FAINT, pad=8)
    return axes


def head(drawn: Figure, title: str, note: str, *, top: float) -> None:
    """Write the heading; `top` is how many inches lie above its base line."""
    height = drawn.get_size_inches()[1]
    drawn.text(0.04, 1 - top / height, title, fontsize=19, fontweight="bold", va="baseline")
    drawn.text(0.04, 1 - (top + 0.3) / height, note, fontsize=11, color=FAINT, va="baseline")


def moment(at: float, format: str) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime(format)


def save(drawn: Figure, target: Any, format: str) -> None:
    # Without its own moment a picture of the same figures is the same file.
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[format]
    drawn.savefig(target, format=format, facecolor=GROUND, metadata=metadata)
