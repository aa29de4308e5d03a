"""A small table without filters and paging: heads and rows of cells, for what belongs to one page alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.table import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One column; `css` as a table's column has it: num, pair, wide, wrap, minor."""

    label: str
    css: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    title: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    empty: str
    note: str = ""
    explains: str = ""
    """The panel that the button beside the title explains; empty: there is none."""
    is_narrow: bool = False
    """Stays a table on a telephone, where others become cards."""

    @property
    def lines(self) -> list[list[tuple[Head, Cell]]]:
        return [list(zip(self.heads, row, strict=True)) for row in self.rows]
