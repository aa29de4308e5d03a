"""The further pages of a report as a document: its tables, as many as fit on each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from notifications.drawing import report, style
from notifications.drawing.spec import Report, Row, Table

ROWS = 36
_LINE = 0.023
_TOP = 0.94


def draw(told: Report) -> Iterator[Figure]:
    """Yield the pages that hold the tables."""
    page, used = None, 0
    for table, rows in _parts(told.tables):
        if page is None or used + len(rows) + 3 > ROWS:
            if page is not None:
                yield page
            page, used = style.figure(report.WIDTH, report.HEIGHT), 0
        _table(page, table, rows, top=_TOP - used * _LINE)
        used += len(rows) + 4
    if page is not None:
        yield page


def _parts(tables: Sequence[Table]) -> Iterator[tuple[Table, Sequence[Row]]]:
    """Yield each table with its rows, long ones in parts."""
    for table in tables:
        for start in range(0, len(table.rows), ROWS - 3):
            yield table, table.rows[start : start + ROWS - 3]


def _table(page: Figure, table: Table, rows: Sequence[Row], *, top: float) -> None:
    page.text(report.LEFT, top, table.title, fontsize=13, fontweight="bold", va="top")
    places = _places(table)
    for number, cell in enumerate(table.head):
        page.text(places[number], top - 1.4 * _LINE, cell, fontsize=10, color=style.FAINT, va="top", ha=_side(number))
    for line, row in enumerate(rows):
        for number, cell in enumerate(row):
            page.text(places[number], top - (2.4 + line) * _LINE, cell, fontsize=10, va="top", ha=_side(number))


def _places(table: Table) -> list[float]:
    """Return where each column stands: the first from the left, the others by their right ends, as wide as their words."""
    widths = [max(len(str(row[n])) for row in (table.head, *table.rows)) + 3 for n in range(len(table.head))]
    span, whole = report.RIGHT - report.LEFT, sum(widths)
    ends = [report.LEFT + span * sum(widths[: n + 1]) / whole for n in range(len(widths))]
    return [report.LEFT, *ends[1:]]


def _side(number: int) -> str:
    return "right" if number else "left"
