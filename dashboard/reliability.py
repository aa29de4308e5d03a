"""Small drawings of the reports as places in a box: the reliability curve, bars with intervals, the influence ramp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import formats
from dashboard.formats import NOTHING, Signed

SIZE = 100.0
"""Of the square in which probabilities are drawn, y downward."""
MOST_WEIGHT, RAMP_FROM, RAMP_TO = 0.20, 100, 200
"""The influence that a regime model can earn, and the samples between which it grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One bin of the curve; the area says how many decisions it holds."""

    x: float
    y: float
    radius: float
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One source as a bar from zero, with its interval; `x`, `width`, `low` and `high` are percent of the rail."""

    key: str
    name: str
    kind: str
    x: float
    width: float
    zero: float
    low: float | None
    high: float | None
    tone: str
    value: Signed
    interval: str
    pnl: Signed
    words: str
    """Earns, costs, or cannot be told."""
    decisions: int
    stopped: int
    precision: str
    accuracy: str
    refused_r: Signed | None
    is_bypassed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Where a model stands on the way to its influence."""

    line: str
    x: float
    y: float
    text: str


def dots(bins: Sequence[Mapping[str, Any]]) -> list[Dot]:
    """Return the bins as dots: to the right what was said, upward what came."""
    most = max((each["count"] for each in bins), default=1)
    return [
        Dot(
            x=round(SIZE * each["said"], 1),
            y=round(SIZE * (1 - each["won"]), 1),
            radius=round(1.5 + 4.0 * (each["count"] / most) ** 0.5, 2),
            hint=f"said {each['said']:.0%}, won {each['won']:.0%} of {each['count']}",
        )
        for each in bins
    ]


def path(found: Sequence[Dot]) -> str:
    """Return the dots as the points of a polyline."""
    return " ".join(f"{each.x},{each.y}" for each in found)


def bars(sources: Mapping[str, Mapping[str, Any]], bypassed: frozenset[str], names: Mapping[str, str]) -> list[Bar]:
    """Return every source that refused anything, who earns most first."""
    shown = {name: each for name, each in sources.items() if each["tn"] + each["fn"]}
    ends = [0.0]
    for each in shown.values():
        spread = each["value"]["r"]
        ends += [value for value in (spread["actual"], spread["low"], spread["high"]) if value is not None]
    low, high = min(ends), max(ends)
    scale = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / scale, 2)

    made = []
    for name, each in sorted(shown.items(), key=lambda pair: -pair[1]["value"]["r"]["actual"]):
        spread = each["value"]["r"]
        made.append(
            Bar(
                key=name,
                name=names.get(name) or formats.words(name),
                kind=each["kind"],
                x=place(min(0.0, spread["actual"])),
                width=round(abs(place(spread["actual"]) - place(0.0)), 2),
                zero=place(0.0),
                low=None if spread["low"] is None else place(spread["low"]),
                high=None if spread["high"] is None else place(spread["high"]),
                tone=_tone(spread),
                value=formats.multiple(spread["actual"]),
                interval=interval(spread) if each["value"]["stopped"] else NOTHING,
                pnl=_money(each["value"]["pnl"]["actual"]),
                words=_words(each["value"]),
                decisions=each["total"],
                stopped=each["value"]["stopped"],
                precision=share(each["precision"]),
                accuracy=share(each["accuracy"]),
                refused_r=formats.multiple(each["refused_r"]) if each["refused_r"] is not None else None,
                is_bypassed=name in bypassed,
            )
        )
    return made


def interval(spread: Mapping[str, float | None]) -> str:
    if spread["low"] is None or spread["high"] is None:
        return NOTHING
    return f"{spread['low']:+.1f} to {spread['high']:+.1f} R".replace("-", formats.MINUS)


def ramp(*, samples: int, influence: float, reason: str) -> Ramp:
    """Return the line from nothing to the most a model can move, and where this one stands."""
    width = 300

    def x(count: float) -> float:
        return round(SIZE * min(count, width) / width, 1)

    def y(weight: float) -> float:
        return round(SIZE * (1 - weight / (MOST_WEIGHT * 1.15)), 1)

    corners = [(0, 0.0), (RAMP_FROM, 0.0), (RAMP_TO, MOST_WEIGHT), (width, MOST_WEIGHT)]
    return Ramp(
        line=" ".join(f"{x(count)},{y(weight)}" for count, weight in corners),
        x=x(samples),
        y=y(influence),
        text=f"{influence:.0%} of the score: {reason}" if reason else f"{influence:.0%} of the score",
    )


def share(fraction: float | None) -> str:
    return f"{fraction:.0%}" if fraction is not None else NOTHING


def _words(value: Mapping[str, Any]) -> str:
    if not value["stopped"]:
        return "never decided alone"
    return {"gain": "earns", "loss": "costs"}.get(_tone(value["r"]), "cannot be told yet")


def _money(value: float) -> Signed:
    text = f"{value:+,.2f}"
    tone = "gain" if value > 0 else "loss" if value < 0 else "flat"
    return Signed(text.replace("-", formats.MINUS), tone)


def _tone(spread: Mapping[str, float | None]) -> str:
    low, high = spread["low"], spread["high"]
    if low is None or high is None:
        return "flat"
    return "gain" if low > 0 else "loss" if high < 0 else "flat"
