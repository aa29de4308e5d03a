"""The parameters in force, and how they came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import cells, frame, parameter_sheet
from dashboard.listings import REVISIONS
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage, Tab
from trading import selectors
from trading.models import ParameterDraft, ParameterRevision
from trading.services.gate import OPEN

PROPOSE = "trading.add_parameterrevision"
TABS = (
    Tab(name="parameters", label="In force"),
    Tab(name="drafts", label="Drafts"),
    Tab(name="revisions", label="History"),
)


def change_cell(changes: Sequence[Mapping[str, Any]], *, none: str = "nothing") -> Cell:
    """Return what changes, a line each, as revisions and drafts keep it."""
    lines = tuple(
        f"{change['name']}: {parameter_sheet.words(change.get('old'))} → {parameter_sheet.words(change.get('new'))}"
        for change in changes
    )
    return Cell(lines=lines) if lines else Cell(text=none, tone="faint")


def _changes(row: ParameterRevision) -> Cell:
    return change_cell(row.changes, none="the defaults" if row.number == 1 else "nothing")


PAGE = ListPage(
    title="Parameters",
    explains="parameters",
    place="parameters",
    listing=REVISIONS,
    caption="Revisions of the parameters, newest first",
    empty="Every change of the parameters will stand here, with its reason. The first tick writes the defaults.",
    href=lambda row: reverse("revision", args=[row.number]),
    tabs=TABS,
    columns=(
        Column(label="Revision", css="pair", sort="number", cell=lambda row: Cell(text=f"#{row.number}")),
        Column(label="By", cell=lambda row: Cell(text=row.author_name)),
        Column(label="What changed", css="wide", cell=_changes),
        Column(label="Reason", css="wide wrap", cell=lambda row: Cell(text=row.reason)),
        Column(label="When", css="num", cell=lambda row: cells.moment(row.created_at)),
    ),
)


@never_cache
@require_safe
def parameters(request: HttpRequest) -> HttpResponse:
    known = frame.context()
    asked, only_changed = request.GET.get("q", "").strip()[:100], request.GET.get("changed") == "1"
    rows = parameter_sheet.rows(known["params"])
    return frame.page(
        request,
        "dashboard/parameters.html",
        place="parameters",
        known=known,
        groups=parameter_sheet.grouped(parameter_sheet.matching(rows, asked, only_changed=only_changed)),
        changed=sum(row.is_changed for row in rows),
        count=len(rows),
        q=asked,
        only_changed=only_changed,
        revision=selectors.revision(),
        drafts=ParameterDraft.objects.filter(status__in=OPEN).order_by("-pk"),
        may_change=request.user.has_perm(PROPOSE),
        tabs=TABS,
        tab="parameters",
    )


@never_cache
@require_safe
def revisions(request: HttpRequest) -> HttpResponse:
    return PAGE.response(request, tab="revisions")
