"""Up to four backtests side by side: figures with the best marked, parameters that differ, and their curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboard import formats
from dashboard.formats import NOTHING
from dashboard.plain_table import Head, PlainTable
from dashboard.run_sheet import day_seconds, percent, plain, r_of
from dashboard.table import Cell
from trading.models import BacktestRun
from trading.services import backtesting

_LESS_IS_BETTER = ("drawdown_fraction", "fees")
_TITLES = {"pnl": "PnL", "expectancy_r": "Expectancy, R"}
_UNJUDGED = ("closed_trades", "exposure_fraction", "parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    names: Sequence[str]
    figures: PlainTable
    parameters: PlainTable
    curves: Sequence[dict[str, Any]]
    """Of each run: its name, and its equity by day in percent of what it began with."""
    same_candles: bool


def sheet(runs: Sequence[BacktestRun]) -> Sheet | None:
    """Return the runs side by side, None without any; raises RunRefused for what cannot be compared."""
    if not runs:
        return None
    made = backtesting.compare(runs)
    names = [f"#{run.pk}" for run in runs]
    heads = [Head(label="Figure", css="pair"), *(Head(label=name, css="num") for name in names)]
    return Sheet(
        names=names,
        figures=PlainTable(
            title="Figures",
            note="★ the best of a line",
            heads=heads,
            rows=[_figure(name, values) for name, values in made["figures"].items() if name != "parts"],
            empty="There are no figures.",
            is_narrow=True,
        ),
        parameters=PlainTable(
            title="Parameters that differ",
            heads=[Head(label="Parameter", css="pair"), *heads[1:]],
            rows=[
                [Cell(text=name), *(Cell(text=_value(value)) for value in values)]
                for name, values in made["parameters"].items()
            ],
            empty="None: these runs have the same parameters.",
            is_narrow=True,
        ),
        curves=[{"name": name, "points": _curve(run)} for name, run in zip(names, runs, strict=True)],
        same_candles=made["same_candles"],
    )


def _figure(name: str, values: Sequence[Any]) -> list[Cell]:
    numbers = [float(value) if value is not None else None for value in values]
    known = [value for value in numbers if value is not None]
    best = None
    if name not in _UNJUDGED and len(set(known)) > 1:
        best = min(known) if name in _LESS_IS_BETTER else max(known)
    shown = [_shown(name, value) for value in values]
    cells = [
        Cell(text=f"★ {text}" if number is not None and number == best else text, tone="best" if number == best else "")
        for text, number in zip(shown, numbers, strict=True)
    ]
    return [Cell(text=_TITLES.get(name, formats.words(name.removesuffix("_fraction")).capitalize())), *cells]


def _shown(name: str, value: Any) -> str:
    if value is None:
        return NOTHING
    if name == "closed_trades":
        return str(value)
    if name in ("pnl", "fees"):
        return formats.money(Decimal(str(value)))
    if name == "expectancy_r":
        return r_of(float(value))
    return percent(float(value)) if name.endswith("_fraction") or name == "win_rate" else plain(float(value))


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _curve(run: BacktestRun) -> list[tuple[int, float]]:
    daily = (run.result or {})["metrics"]["daily_equity"]
    begun = float(daily[0][1]) if daily else 0.0
    return [(day_seconds(day), 100.0 * (float(value) / begun - 1)) for day, value in daily] if begun > 0 else []
