"""A report as a file: a picture, a PDF, or one HTML page that needs nothing besides itself."""

from __future__ import annotations

import base64
import html
from datetime import date, datetime, timedelta

from notifications import rendering
from notifications.adapters import painter
from notifications.drawing.spec import Report, Table
from notifications.ports import File
from notifications.services import reporting

FORMATS = ("png", "pdf", "html")
MOST_DAYS = 366
_STYLE = (
    "body{margin:2rem auto;max-width:60rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;background:#12161c;color:#e8ecf1}"
    "img{max-width:100%;height:auto;border-radius:8px}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #2a323d;white-space:nowrap}"
    "th{color:#95a1b0;font-weight:500}th:first-child,td:first-child{text-align:left}"
    "@media print{body{background:#fff;color:#000}th,td{border-color:#ccc}}"
)


def of_days(days: int, format: str, *, now: datetime) -> File:
    """Return the report of today and of the days before it; raises painter.NotDrawn."""
    until = now.date() + timedelta(days=1)
    first = until - timedelta(days=days)
    title = "Today" if days == 1 else f"{days} days"
    return made(reporting.report(first, until, title=title, now=now), format, name=name(first, until))


def made(report: Report, format: str, *, name: str) -> File:
    """Return a report in one of FORMATS; raises painter.NotDrawn."""
    if format != "html":
        return painter.draw(report, name=name, format=format)
    picture = painter.draw(report, name=name)
    return File(name=f"{name}.html", media="text/html", content=_page(report, picture).encode())


def name(first: date, until: date) -> str:
    return f"julaba-{rendering.mode().lower()}-{first}-to-{until - timedelta(days=1)}"


def _page(report: Report, picture: File) -> str:
    shown = base64.b64encode(picture.content).decode()
    title = html.escape(f"{report.title}: {report.note}")
    figures = ", ".join(f"{figure.label} {figure.value}" for figure in report.figures)
    body = "".join(_table(table) for table in report.tables)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<img src="data:{picture.media};base64,{shown}" width="1080" height="1350" alt="{title}. {html.escape(figures)}">'
        f"{body}</body></html>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<h2>{html.escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
