"""What a study found as its page shows it: sweeps, walks forward, Monte Carlo, and parity with what was really decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse

from dashboard import formats
from dashboard.figures import Figure
from dashboard.formats import NOTHING
from dashboard.plain_table import Head, PlainTable
from dashboard.run_sheet import percent, plain, r_of
from dashboard.table import Cell
from trading.models import RunKind

_SPREADS = {
    "shuffled_trades": "trades in another order",
    "blocks_of_days": "days drawn anew in blocks",
    "noisy_candles": "candles with noise",
}
_FRACTIONS = ("return_fraction", "drawdown_fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    figures: Sequence[Figure]
    tables: Sequence[PlainTable]


def sheet(kind: str, report: Mapping[str, Any]) -> Sheet:
    """Return the sheet of a study that is done."""
    return {
        RunKind.SWEEP: _sweep,
        RunKind.WALK: _walk,
        RunKind.MONTECARLO: _scatter,
        RunKind.PARITY: parity,
    }[RunKind(kind)](report)


def parity(report: Mapping[str, Any]) -> Sheet:
    """Return how well what was really decided and filled agrees with what its stored inputs give."""
    alike = report["compared"] - report["differences"]
    share = f"{alike / report['compared']:.1%}" if report["compared"] else NOTHING
    slips = [fill["slippage_fraction"] for fill in report["fills"]]
    causes = ", ".join(f"{count} {name}" for name, count in sorted(report["causes"].items()))
    return Sheet(
        figures=[
            Figure(key="compared", label="Decisions computed again", value=str(report["compared"]), note=causes),
            Figure(
                key="alike",
                label="As expected",
                value=share,
                note=f"{alike} the same, or refused by the account's state",
            ),
            Figure(
                key="differences",
                label="Differences",
                value=str(report["differences"]),
                tone="loss" if report["unexplained"] else "",
                note=f"{report['unexplained']} of them without a reason",
            ),
            Figure(
                key="slip",
                label="Mean entry slip",
                value=formats.basis_points(sum(slips) / len(slips)) if slips else NOTHING,
                note=f"over {report['entries']} entries",
                hint="How much worse than planned entries were filled; a basis point is a hundredth of a percent.",
            ),
        ],
        # Reports of before exits were compared have none.
        tables=[_differences(report["decisions"]), _fills(report["fills"]), _exits(report.get("exits", []))],
    )


def _differences(rows: Sequence[Mapping[str, Any]]) -> PlainTable:
    return PlainTable(
        title="Decisions that differ",
        heads=(
            Head(label="Pair", css="pair"),
            Head(label="Bar, UTC"),
            Head(label="Side"),
            Head(label="Was"),
            Head(label="Cause"),
            Head(label="What differs", css="wide wrap"),
        ),
        rows=[
            (
                Cell(text=row["symbol"], tag=row["timeframe"]),
                Cell(text=str(row["bar_at"])[:16].replace("T", " ")),
                Cell(text=row["side"], tone=f"side {row['side']}"),
                Cell(text=row["status"]),
                Cell(text=row["cause"], tone="loss" if row["cause"] == "unexplained" else ""),
                Cell(text=row["text"]),
            )
            for row in rows
        ],
        empty="None: every decision is what its stored candles and parameters give again.",
    )


def _fills(rows: Sequence[Mapping[str, Any]]) -> PlainTable:
    return PlainTable(
        title="Entries against their plan",
        heads=(
            Head(label="Trade", css="pair"),
            Head(label="Pair"),
            Head(label="Side"),
            Head(label="Planned", css="num"),
            Head(label="Filled", css="num"),
            Head(label="Slip", css="num", hint="How much worse than planned, in hundredths of a percent"),
            Head(label="Left by", css="minor"),
            Head(label="PnL", css="num"),
        ),
        rows=[
            (
                Cell(text=f"#{row['trade']}", href=reverse("trade", args=[row["trade"]])),
                Cell(text=row["symbol"]),
                Cell(text=row["side"], tone=f"side {row['side']}"),
                Cell(text=formats.price(float(row["planned"]))),
                Cell(text=formats.price(float(row["filled"]))),
                Cell(text=formats.basis_points(row["slippage_fraction"])),
                Cell(text=formats.words(row["exit_reason"]) or NOTHING),
                Cell.signed(formats.signed_money(Decimal(row["pnl"]))),
            )
            for row in reversed(rows)
        ],
        empty="No entry was filled in this time.",
    )


def _exits(rows: Sequence[Mapping[str, Any]]) -> PlainTable:
    return PlainTable(
        title="Exits against their levels",
        heads=(
            Head(label="Trade", css="pair"),
            Head(label="Left by"),
            Head(label="When, UTC"),
            Head(label="Level", css="num"),
            Head(label="Filled", css="num"),
            Head(label="Slip", css="num", hint="How much worse than its level, in hundredths of a percent"),
            Head(label="Cause"),
            Head(label="Against the stored bars", css="wide wrap"),
        ),
        rows=[
            (
                Cell(text=f"#{row['trade']}", href=reverse("trade", args=[row["trade"]]), tag=row["symbol"]),
                Cell(text=formats.words(row["reason"])),
                Cell(text=str(row["at"])[:16].replace("T", " ")),
                Cell(text=row["level"] or NOTHING),
                Cell(text=row["filled"]),
                Cell(
                    text=NOTHING if row["slippage_fraction"] is None else formats.basis_points(row["slippage_fraction"])
                ),
                Cell(text=row["cause"]),
                Cell(text=row["text"]),
            )
            for row in reversed(rows)
        ],
        empty="Nothing was left in this time.",
    )


def _sweep(report: Mapping[str, Any]) -> Sheet:
    luck = report["overfitting"] or {}
    best = report["best"][0] if report["best"] else None
    name = report["objective"]
    return Sheet(
        figures=[
            Figure(
                key="tried",
                label="Points tried",
                value=str(report["tried"]),
                note=f"{report['scored']} with a score, {report['contradictions']} contradict themselves",
            ),
            Figure(
                key="best",
                label=f"Best {formats.words(name)}",
                value=plain(best[name]) if best else NOTHING,
                note=f"as they are {plain(report['usual'][name])}",
            ),
            Figure(
                key="deflated",
                label="Deflated Sharpe",
                value=plain(report["deflated_sharpe"]),
                note="above 0.95 it is hardly luck",
                hint="The chance that the best is better than the best of so many tries without any skill.",
            ),
            Figure(
                key="overfit",
                label="Chance of overfitting",
                value=percent(luck.get("probability")),
                note="that the best here is below the middle elsewhere",
            ),
        ],
        tables=[_trials("Best points", [*report["best"], report["usual"]], name)],
    )


def _trials(title: str, rows: Sequence[Mapping[str, Any]], objective: str) -> PlainTable:
    return PlainTable(
        title=title,
        heads=(
            Head(label="Parameters", css="pair wrap"),
            Head(label=formats.words(objective).capitalize(), css="num"),
            Head(label="Return", css="num"),
            Head(label="Drawdown", css="num"),
            Head(label="Expectancy", css="num minor"),
            Head(label="Trades", css="num"),
        ),
        rows=[
            (
                Cell(text=_values(row["values"])),
                Cell(text=plain(row[objective])),
                _return(row["return_fraction"]),
                Cell(text=percent(row["drawdown_fraction"])),
                Cell(text=r_of(row.get("expectancy_r"))),
                Cell(text=str(row["trades"])),
            )
            for row in rows
        ],
        empty="No point had trades enough for a score.",
    )


def _walk(report: Mapping[str, Any]) -> Sheet:
    chosen, usual, name = report["chosen"], report["usual"], report["objective"]
    made, stayed = formats.signed_percent(chosen["return_fraction"]), formats.signed_percent(usual["return_fraction"])
    return Sheet(
        figures=[
            Figure(
                key="chosen",
                label="Return after the splits",
                value=made.text,
                tone=made.tone,
                note=f"parameters as they are {stayed.text}",
            ),
            Figure(
                key="sharpe",
                label="Sharpe after the splits",
                value=plain(chosen["sharpe"]),
                note=f"as they are {plain(usual['sharpe'])}",
            ),
            Figure(
                key="efficiency",
                label="Efficiency",
                value=plain(report["efficiency"]),
                note="return after the splits over that before",
            ),
            Figure(
                key="profitable",
                label="Windows with a gain",
                value=percent(report["profitable_fraction"]),
                note=f"{len(report['windows'])} windows, {'anchored' if report['is_anchored'] else 'rolling'}",
            ),
        ],
        tables=[
            PlainTable(
                title="Windows",
                heads=(
                    Head(label="Traded from", css="pair"),
                    Head(label=f"{formats.words(name).capitalize()} before", css="num"),
                    Head(label="after", css="num"),
                    Head(label="as it is", css="num"),
                    Head(label="Return after", css="num"),
                    Head(label="Chosen", css="wide wrap"),
                ),
                rows=[_window(row, name) for row in report["windows"]],
                empty="There is no window.",
            )
        ],
    )


def _window(row: Mapping[str, Any], name: str) -> list[Cell]:
    before, after = row["before"] or {}, row["after"] or {}
    return [
        Cell(text=row["split"][:10]),
        Cell(text=plain(before.get(name))),
        Cell(text=plain(after.get(name))),
        Cell(text=plain(row["usual"][name])),
        _return(after.get("return_fraction")),
        Cell(text=_values(row["values"]) if row["values"] is not None else "none had a score"),
    ]


def _scatter(report: Mapping[str, Any]) -> Sheet:
    held = f"{report['confidence']:.0%} of all"
    rows = []
    for kind, title in _SPREADS.items():
        for name, row in report[kind].items():
            if not isinstance(row, dict):
                continue
            show = percent if name in _FRACTIONS else plain
            rows.append(
                (
                    Cell(text=title),
                    Cell(text=formats.words(name.removesuffix("_fraction"))),
                    Cell(text=show(row["actual"])),
                    Cell(text=show(row["median"])),
                    Cell(text=f"{show(row['low'])} to {show(row['high'])}"),
                    Cell(text=str(row["draws"])),
                )
            )
    days = report["blocks_of_days"]
    return Sheet(
        figures=[
            Figure(key="trades", label="Trades", value=str(report["trades"]), note=f"on {report['days']} days"),
            _spread("return", "Return", days["return_fraction"], held),
            _spread("drawdown", "Deepest drawdown", days["drawdown_fraction"], held),
            _spread("order", "Drawdown by order alone", report["shuffled_trades"]["drawdown_fraction"], held),
        ],
        tables=[
            PlainTable(
                title="What else could have come of it",
                heads=(
                    Head(label="Drawn", css="pair"),
                    Head(label="Figure"),
                    Head(label="As it was", css="num"),
                    Head(label="Median", css="num"),
                    Head(label=held, css="num"),
                    Head(label="Draws", css="num minor"),
                ),
                rows=rows,
                empty="Nothing was drawn.",
            )
        ],
    )


def _spread(key: str, label: str, row: Mapping[str, Any], held: str) -> Figure:
    note = f"{percent(row['low'])} to {percent(row['high'])} in {held}"
    return Figure(key=key, label=f"{label}, median", value=percent(row["median"]), note=note)


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in values.items()) if values else "as they are"


def _return(value: float | None) -> Cell:
    return Cell.signed(formats.signed_percent(value) if value is not None else None)
