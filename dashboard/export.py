"""A list as a file: CSV for spreadsheets, JSON for programs, with the filters and the order of the page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpResponse

from dashboard.listings.query import MOST_EXPORTED, Listing
from dashboard.told import Json

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Signs that begin a formula, or are cut off before one is looked for; the last four are = + - @ as wide letters."""


def response(listing: Listing[Any], asked: Mapping[str, str], *, kind: str) -> HttpResponse:
    """Return rows as a file: those of `limit` and `cursor`, else the first MOST_EXPORTED; `kind` is csv or json.

    Raises BadQuery.
    """
    is_part = bool(asked.get("limit") or asked.get("cursor"))
    found = listing.after(asked)[0] if is_part else listing.first(asked, most=MOST_EXPORTED)
    rows = [listing.told(row) for row in found]
    body = as_csv(rows) if kind == "csv" else json.dumps(rows, indent=1)
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    return HttpResponse(
        body, content_type=media, headers={"Content-Disposition": f'attachment; filename="{listing.name}.{kind}"'}
    )


def as_csv(rows: Sequence[Mapping[str, Json]]) -> str:
    """Return rows as CSV with a head; what is nested stands in its cell as JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names)
    writer.writerows(_cells(row, names) for row in rows)
    return out.getvalue()


def _cells(row: Mapping[str, Json], names: Iterable[str]) -> list[str]:
    return [_cell(row.get(name)) for name in names]


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value)
    text = str(value)
    # A spreadsheet would run a text that begins like a formula; a number is none.
    return (
        f"'{text}"
        if isinstance(value, str) and text.lstrip(" ").startswith(_FORMULA) and not _is_number(text)
        else text
    )


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
