"""What a picture shows, as plain values that pass from one process to another as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Row = Sequence[str]
At = float
"""Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A price with a word; `tone` is entry, stop, target or mark. It is drawn from the moment `since` on, if any."""

    price: float
    text: str
    tone: str
    since: At | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution: `tone` is gain, loss or entry."""

    at: At
    price: float
    is_buy: bool
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars of one symbol as [at, open, high, low, close], oldest first, and what was done there."""

    title: str
    note: str
    bars: Sequence[Sequence[float]]
    levels: Sequence[Level] = ()
    fills: Sequence[Fill] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its name; `tone` is gain, loss or nothing."""

    label: str
    value: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    title: str
    head: Row
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an account made in a span: `equity` is [at, quote], `trades` [at, PnL], `hours` [hour UTC, PnL, trades]."""

    title: str
    note: str
    figures: Sequence[Figure]
    equity: Sequence[Sequence[float]]
    trades: Sequence[Sequence[float]]
    hours: Sequence[Sequence[float]]
    advice: Sequence[Row] = ()
    """What AI and ML did, as (name, value)."""
    tables: Sequence[Table] = ()
    """What a document holds besides."""


Picture = Chart | Report
FORMATS = ("png", "pdf", "svg")


def as_json(picture: Picture, *, format: str) -> dict[str, Any]:
    return {"what": type(picture).__name__, "format": format, "picture": asdict(picture)}


def read(told: dict[str, Any]) -> tuple[Picture, str]:
    """Return the picture and its format, as `as_json` has written them."""
    given = dict(told["picture"])
    if told["what"] == "Chart":
        levels = [Level(**each) for each in given.pop("levels")]
        fills = [Fill(**each) for each in given.pop("fills")]
        return Chart(levels=levels, fills=fills, **given), told["format"]
    figures = [Figure(**each) for each in given.pop("figures")]
    tables = [Table(**each) for each in given.pop("tables")]
    return Report(figures=figures, tables=tables, **given), told["format"]
