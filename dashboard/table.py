"""The one table of all pages: columns and cells as values, and what its template needs of the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model

from dashboard.formats import NOTHING, Signed
from dashboard.listings.query import BadQuery, Filter, Listing, Page

M = TypeVar("M", bound=Model)
PAGE_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one cell shows; `at` is shown as an age, `tone` is a CSS class, `href` makes it a link."""

    text: str = ""
    tone: str = ""
    hint: str = ""
    href: str = ""
    at: datetime | None = None
    tag: str = ""
    lines: Sequence[str] = ()
    """Shown below each other instead of the text."""
    segments: Sequence[Any] = ()
    """Parts of a whole as one bar instead of the text: each has x, width and most, of 100; the hint says them in words."""

    @classmethod
    def signed(cls, value: Signed | None, *, hint: str = "") -> Cell:
        return cls(text=value.text, tone=value.tone, hint=hint) if value else cls(text=NOTHING, tone="faint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[M]):
    """One column: `css` holds num (right-aligned), pair (the row's name), wide (whole width on a telephone), minor;
    extra is shown only where the reader asks for the column."""

    label: str
    cell: Callable[[M], Cell]
    sort: str = ""
    css: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    label: str
    css: str
    hint: str
    href: str = ""
    sorted: str = ""
    """ascending, descending or empty, as aria-sort wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the filter row with what was asked."""

    filter: Filter
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    key: str
    href: str
    cells: Sequence[tuple[Head, Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything that dashboard/table.html shows; its links keep what was asked."""

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Row]
    fields: Sequence[Field]
    is_filtered: bool
    empty: str
    """What will stand here, and what to do now."""
    said: str = ""
    """How many rows there are, and which of them are shown."""
    problem: str = ""
    previous: str = ""
    following: str = ""
    csv: str = ""
    json: str = ""
    clear: str = "?"
    keeps: Mapping[str, str] = field(default_factory=dict)
    """What a new filter must not lose: the sort, and the span of the page."""


def build(
    listing: Listing[M],
    columns: Sequence[Column[M]],
    asked: Mapping[str, str],
    *,
    caption: str,
    empty: str,
    href: Callable[[M], str] | None = None,
    keep: Sequence[str] = (),
) -> Table:
    """Return the table of a page; what cannot be answered is said in it, and everything is shown instead."""
    problem, known = "", _known(listing, asked, keep)
    try:
        page, (name, down) = listing.page(known, size=PAGE_ROWS), listing.sorting(known)
    except BadQuery as wrong:
        problem = f"{wrong.field}: {wrong}"
        known = {key: asked[key] for key in keep if asked.get(key)}
        page, (name, down) = listing.page(known, size=PAGE_ROWS), listing.sorting(known)
    heads = [_head(column, known, name, down=down) for column in columns]
    fields = [Field(filter=filter, value=known.get(filter.name, "")) for filter in listing.filters]
    return Table(
        caption=caption,
        heads=heads,
        rows=[
            Row(
                key=f"{listing.name}-{row.pk}",
                href=href(row) if href else "",
                cells=[(head, column.cell(row)) for head, column in zip(heads, columns, strict=True)],
            )
            for row in page.rows
        ],
        fields=fields,
        is_filtered=any(field.value for field in fields),
        empty=empty,
        said=_said(page),
        problem=problem,
        previous=_link(known, page=str(page.number - 1)) if page.number > 1 else "",
        following=_link(known, page=str(page.number + 1)) if page.has_next else "",
        csv=_link(known, page="", format="csv"),
        json=_link(known, page="", format="json"),
        clear=_link({key: known[key] for key in keep if key in known}),
        keeps={key: value for key, value in known.items() if key == "sort" or key in keep},
    )


def _known(listing: Listing[Any], asked: Mapping[str, str], keep: Sequence[str]) -> dict[str, str]:
    names = {"sort", "page", *keep, *(filter.name for filter in listing.filters)}
    return {name: value for name, value in asked.items() if name in names and value.strip()}


def _head(column: Column[Any], known: Mapping[str, str], name: str, *, down: bool) -> Head:
    is_sorted = bool(column.sort) and column.sort == name
    # The first click on a column shows the largest first, the second one turns it round.
    turned = column.sort if is_sorted and down else f"-{column.sort}"
    return Head(
        label=column.label,
        css=column.css,
        hint=column.hint,
        href=_link(known, sort=turned, page="") if column.sort else "",
        sorted=("descending" if down else "ascending") if is_sorted else "",
    )


def _said(page: Page[Any]) -> str:
    if not page.rows:
        return ""
    last = page.first + len(page.rows) - 1
    of = f"{page.count:,}" if page.count is not None else "more than 10,000"
    return f"{page.first:,} to {last:,} of {of}" if page.has_next or page.number > 1 else f"{of} in all"


def _link(known: Mapping[str, str], **changed: str) -> str:
    return "?" + urlencode({name: value for name, value in {**known, **changed}.items() if value})
