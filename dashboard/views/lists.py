"""A page that is one table: the same rows as HTML, CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard import export, frame, table
from dashboard.listings import BadQuery, Listing, asked_of
from dashboard.table import Column, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One of several tables that share a place in the navigation; `name` is its address."""

    name: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """What a page with a table needs besides its rows; `refresh` names the pushed panels that make it ask anew."""

    title: str
    place: str
    listing: Listing[Any]
    columns: Sequence[Column[Any]]
    caption: str
    empty: str
    href: Callable[[Any], str] | None = None
    refresh: str = ""
    tabs: Sequence[Tab] = ()
    keep: Sequence[str] = ()
    explains: str = ""
    """The panel that the button in the head explains; empty: there is none."""

    def table(self, request: HttpRequest) -> Table:
        return table.build(
            self.listing,
            self.columns,
            asked_of(request.GET),
            caption=self.caption,
            empty=self.empty,
            href=self.href,
            keep=self.keep,
        )

    def file(self, request: HttpRequest) -> HttpResponse | None:
        """Return the rows as a file where the address asks for one; a wrong question is answered by the page."""
        kind = request.GET.get("format", "")
        if kind not in ("csv", "json"):
            return None
        try:
            return export.response(self.listing, asked_of(request.GET), kind=kind)
        except BadQuery:
            return None

    def response(
        self, request: HttpRequest, *, template: str = "dashboard/list.html", tab: str = "", **values: Any
    ) -> HttpResponse:
        if file := self.file(request):
            return file
        return frame.page(request, template, place=self.place, page=self, tab=tab, table=self.table(request), **values)
