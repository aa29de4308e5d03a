"""The report of a backtest as its page shows it: figures, curves, months, groups, and its trades page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dashboard import formats, performance_sheet
from dashboard.figures import Figure
from dashboard.formats import NOTHING
from dashboard.listings.trades import EXITS
from dashboard.performance_sheet import GroupRow, Point
from dashboard.plain_table import Head, PlainTable
from dashboard.table import Cell

PAGE_TRADES = 100
GROUPS = {
    "symbol": "Pair",
    "regime": "Regime",
    "exit_reason": "Left by",
    "strategy": "Entry",
    "side": "Side",
    "session": "Session",
    "weekday": "Weekday of the entry, UTC",
    "hour": "Hour of the entry, UTC",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS = (0.01, 0.03, 0.06)
"""Months are shaded in four steps; these returns part them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One square of the months: what it returned, and its shade; empty where nothing was traded."""

    text: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    figures: Sequence[Figure]
    equity: Sequence[Point]
    drawdown: Sequence[Point]
    months: Sequence[tuple[str, Sequence[Month]]]
    groups: Sequence[tuple[str, Sequence[GroupRow]]]
    refusals: PlainTable
    trades: PlainTable
    pages: int


def sheet(report: Mapping[str, Any], *, page: int) -> Sheet:
    """Return the sheet; `page` counts the pages of its trades from 1."""
    curve = [(day_seconds(day), float(value)) for day, value in report["metrics"]["daily_equity"]]
    return Sheet(
        figures=figures(report),
        equity=curve,
        drawdown=performance_sheet.drawdown(curve),
        months=months(report["metrics"]["daily_equity"]),
        groups=[(title, _groups(report, name)) for name, title in GROUPS.items() if report["metrics"]["by"].get(name)],
        refusals=_refusals(report),
        trades=_trades(report["trades"], page),
        pages=max(1, -(-len(report["trades"]) // PAGE_TRADES)),
    )


def figures(report: Mapping[str, Any]) -> list[Figure]:
    summary, metrics = report["summary"], report["metrics"]
    held = (metrics["buy_and_hold"] or {}).get("return_fraction")
    made = formats.signed_percent(summary["return_fraction"])
    pnl = formats.signed_money(Decimal(summary["pnl"]))
    return [
        Figure(
            key="return",
            label="Return",
            value=made.text,
            tone=made.tone,
            note=f"holding instead {formats.signed_percent(held).text}" if held is not None else "",
        ),
        Figure(
            key="pnl",
            label="PnL, closed trades",
            value=pnl.text,
            tone=pnl.tone,
            note=f"after fees of {formats.money(Decimal(summary['fees']))}",
        ),
        Figure(
            key="sharpe",
            label="Sharpe ratio",
            value=plain(metrics["sharpe"]),
            note=f"Sortino {plain(metrics['sortino'])}, Calmar {plain(metrics['calmar'])}",
            hint="Of daily returns, a year of them.",
        ),
        Figure(
            key="factor",
            label="Profit factor",
            value=plain(metrics["profit_factor"]),
            note=f"expectancy {r_of(metrics['expectancy_r'])}",
            hint=f"What was gained, divided by what was lost. SQN {plain(metrics['sqn'])}.",
        ),
        Figure(
            key="drawdown",
            label="Deepest drawdown",
            value=percent(metrics["drawdown_fraction"]),
            note=f"in the market {percent(metrics['exposure_fraction'])}",
        ),
        Figure(
            key="trades",
            label="Closed trades",
            value=str(summary["closed_trades"]),
            note=f"{percent(summary['win_rate'])} won",
            hint=f"Longest runs: {metrics['wins_in_row']} won, {metrics['losses_in_row']} lost.",
        ),
    ]


def months(daily: Sequence[Sequence[Any]]) -> list[tuple[str, list[Month]]]:
    """Return each year with its twelve months, the newest year first; a month's return is against the end of the one before."""
    ends: dict[str, float] = {str(day)[:7]: float(value) for day, value in daily}
    returns: dict[str, float] = {}
    before = float(daily[0][1]) if daily else 0.0
    for name, value in ends.items():
        returns[name] = value / before - 1 if before > 0 else 0.0
        before = value
    years = sorted({name[:4] for name in ends}, reverse=True)
    return [(year, [_month(returns.get(f"{year}-{number:02}")) for number in range(1, 13)]) for year in years]


def plain(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}".replace("-", formats.MINUS)


def percent(value: float | None) -> str:
    return NOTHING if value is None else formats.percent(value)


def r_of(value: float | None) -> str:
    return NOTHING if value is None else formats.multiple(value).text


def _month(made: float | None) -> Month:
    if made is None:
        return Month()
    shown = formats.signed_percent(made)
    step = 1 + sum(abs(made) >= limit for limit in _STEPS)
    return Month(text=shown.text, tone=f"{shown.tone} step-{step}" if shown.tone != "flat" else "flat")


def _groups(report: Mapping[str, Any], name: str) -> list[GroupRow]:
    found: Mapping[str, Mapping[str, Any]] = report["metrics"]["by"][name]
    most = max((abs(float(row["pnl"])) for row in found.values()), default=0.0)
    words = dict(EXITS) if name == "exit_reason" else {}
    order = list(found) if name in ("weekday", "hour") else sorted(found, key=lambda key: -float(found[key]["pnl"]))
    return [
        GroupRow(
            name=words.get(key, formats.words(key)) or NOTHING,
            trades=found[key]["trades"],
            wins=f"{found[key]['wins'] / found[key]['trades']:.0%}",
            pnl=formats.signed_money(Decimal(str(found[key]["pnl"]))),
            factor=f"{found[key]['profit_factor']:.2f}" if found[key]["profit_factor"] is not None else "no loss",
            r=formats.multiple(found[key]["expectancy_r"]) if found[key]["expectancy_r"] is not None else None,
            share=round(100 * abs(float(found[key]["pnl"])) / most) if most else 0,
        )
        for key in order
    ]


def _refusals(report: Mapping[str, Any]) -> PlainTable:
    found = sorted(report["refusals"].items(), key=lambda pair: -pair[1])
    return PlainTable(
        title="Why no trade",
        explains="stopped",
        note=f"{report['setups']} setups, {report['taken']} taken",
        heads=(
            Head(label="Refused first by", css="pair"),
            Head(label="Setups", css="num"),
            Head(label="Of all", css="num"),
        ),
        rows=[
            (
                Cell(text=formats.words(name)),
                Cell(text=str(count)),
                Cell(text=f"{count / report['setups']:.1%}" if report["setups"] else NOTHING),
            )
            for name, count in found
        ],
        empty="Nothing was refused.",
    )


def _trades(trades: Sequence[Mapping[str, Any]], page: int) -> PlainTable:
    first = (page - 1) * PAGE_TRADES
    shown = trades[first : first + PAGE_TRADES]
    return PlainTable(
        title="Trades",
        explains="tested",
        note=f"{first + 1} to {first + len(shown)} of {len(trades)}" if trades else "",
        heads=(
            Head(label="Pair", css="pair"),
            Head(label="Side"),
            Head(label="PnL", css="num"),
            Head(label="Entered", css="num"),
            Head(label="At", css="num"),
            Head(label="Size", css="num minor"),
            Head(label="Left", css="num"),
            Head(label="Left by"),
            Head(label="Entry", css="minor"),
            Head(label="Regime", css="minor"),
            Head(label="Fees", css="num minor"),
        ),
        rows=[_trade(trade) for trade in shown],
        empty="No setup was taken: the table beside says what refused them.",
    )


def _trade(trade: Mapping[str, Any]) -> list[Cell]:
    return [
        Cell(text=trade["symbol"], tag="" if trade["closed_time"] else "open at the end"),
        Cell(text=trade["side"], tone=f"side {trade['side']}"),
        Cell.signed(formats.signed_money(Decimal(trade["pnl"]))),
        _when(trade["entry_time"]),
        Cell(text=formats.price(float(trade["entry_price"]))),
        Cell(text=formats.quantity(Decimal(trade["quantity"]))),
        _when(trade["closed_time"]),
        Cell(text=dict(EXITS).get(trade["exit_reason"] or "", formats.words(trade["exit_reason"] or "")) or NOTHING),
        Cell(text=formats.words(trade["strategy"])),
        Cell(text=formats.words(trade["regime"])),
        Cell(text=formats.money(Decimal(trade["fees"]))),
    ]


def _when(text: str | None) -> Cell:
    return Cell(text=text[:16].replace("T", " ") if text else NOTHING, hint="UTC")


def day_seconds(text: str) -> int:
    """Return the seconds since 1970 of a date's midnight, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
