"""A report as files for people: one HTML page with the curves and the figures, and the trades as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from trading.core.candles import Floats
from trading.research import performance

WIDTH, HEIGHT = 1000.0, 260.0
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .8rem;text-align:right}"
    "td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid #8884}"
    "svg{width:100%;height:auto;background:#8881}pre{overflow:auto}"
)
_COLUMNS = (
    *("symbol", "side", "strategy", "regime", "signal_bar", "entry_time", "entry_price", "quantity", "stop"),
    *("closed_time", "exit_reason", "fees", "pnl"),
)
_GROUP = ("trades", "win_rate", "pnl", "profit_factor", "expectancy_r", "fees")


def html(report: Mapping[str, Any]) -> str:
    """Return a page that needs nothing else: no script, no file, no network."""
    rows = report["metrics"]["daily_equity"]
    days, values = [row[0] for row in rows], np.array([row[1] for row in rows], dtype=np.float64)
    title = escape(f"{', '.join(report['symbols'])} {report['timeframe']}, {days[0]} to {days[-1]}")
    peak = np.maximum.accumulate(values)
    parts = [
        f"<h1>{title}</h1>",
        f"<h2>Equity at the end of each day, quote</h2>{_line(values, 'Equity by day')}",
        f"<h2>Drawdown, % of the peak</h2>{_line((values / peak - 1.0) * 100.0, 'Drawdown by day')}",
        f"<h2>Figures</h2><pre>{escape(chr(10).join(performance.table(report)))}</pre>",
        *(_groups(name, groups) for name, groups in report["metrics"]["by"].items() if groups),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def trades(report: Mapping[str, Any]) -> str:
    """Return the trades as CSV, one a line, with what the report says of each but its single exits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([trade[name] for name in _COLUMNS] for trade in report["trades"])
    return out.getvalue()


def _line(values: Floats, label: str) -> str:
    low, high = float(values.min()), float(values.max())
    x = np.linspace(0.0, WIDTH, len(values)) if len(values) > 1 else np.array([0.0])
    y = HEIGHT - (values - low) / ((high - low) or 1.0) * HEIGHT
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x.tolist(), y.tolist(), strict=True))
    return (
        f'<svg viewBox="0 -5 {WIDTH:g} {HEIGHT + 10:g}" role="img" aria-label="{label}, {low:.2f} to {high:.2f}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
        f"<p>{low:.2f} to {high:.2f}</p>"
    )


def _groups(name: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    title = escape(name.replace("_", " "))
    lines = [_row([title, *(each.replace("_", " ") for each in _GROUP)], "th")]
    lines += [_row([key, *(_cell(found[each]) for each in _GROUP)], "td") for key, found in groups.items()]
    return f"<h2>By {title}</h2><table>{''.join(lines)}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
