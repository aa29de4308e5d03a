"""Whether our books agree with the venue's, and whether what must hold does."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import cells, formats
from dashboard.listings import INVARIANTS, RECONCILIATION
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage, Tab
from trading.models import ExternalHolding, ExternalOrder, InvariantRun, ReconcileRun

TABS = (Tab(name="reconciliation", label="Comparisons"), Tab(name="invariants", label="Invariants"))
MOST_EXTERNAL = 50


def _verdict(passed: bool, *, good: str, bad: str) -> Cell:
    return Cell(text=f"✓ {good}", tone="gain") if passed else Cell(text=f"✕ {bad}", tone="loss")


def _found(row: ReconcileRun) -> Cell:
    lines = tuple(_difference(each) for each in row.differences)
    if row.problem:
        lines = (row.problem, *lines)
    return Cell(lines=lines) if lines else Cell(text="nothing", tone="faint")


def _difference(found: dict[str, Any]) -> str:
    what = " ".join(str(found.get(name, "")) for name in ("symbol", "kind")).strip()
    return f"{what}: ours {found.get('ours', '')}, theirs {found.get('theirs', '')}. {found.get('action', '')}".strip()


def _violations(row: InvariantRun) -> Cell:
    lines = tuple(f"{each.get('id', '')} {each.get('text', '')}: {each.get('found', '')}" for each in row.violations)
    return Cell(lines=lines) if lines else Cell(text="nothing", tone="faint")


RUNS = ListPage(
    title="Reconciliation",
    place="reconciliation",
    listing=RECONCILIATION,
    caption="Comparisons with the venue, newest first",
    empty="Every comparison of our books with the venue's will stand here: one before anything is entered, then one "
    "every 30 s.",
    tabs=TABS,
    explains="reconciliation",
    columns=(
        Column(label="When", cell=lambda row: cells.moment(row.at), sort="at"),
        Column(label="Result", cell=lambda row: _verdict(row.passed, good="agrees", bad="needs a look")),
        Column(label="Kind", css="minor", cell=lambda row: Cell(text=row.get_kind_display())),
        Column(label="Found", css="wide wrap", cell=_found),
        Column(label="Orders", css="num minor", cell=lambda row: Cell(text=str(row.orders))),
        Column(label="Fills", css="num minor", cell=lambda row: Cell(text=str(row.fills))),
        Column(label="Positions", css="num minor", cell=lambda row: Cell(text=str(row.positions))),
    ),
)
CHECKS = ListPage(
    title="Reconciliation",
    explains="invariants",
    place="reconciliation",
    listing=INVARIANTS,
    caption="Checks of the invariants, newest first",
    empty="What must hold at every moment is checked each minute; each check will stand here.",
    tabs=TABS,
    columns=(
        Column(label="When", cell=lambda row: cells.moment(row.at), sort="at"),
        Column(
            label="Result",
            cell=lambda row: _verdict(
                not row.violations, good=f"all {row.checked}", bad=f"{len(row.violations)} broken"
            ),
        ),
        Column(label="Found", css="wide wrap", cell=_violations),
    ),
)


@never_cache
@require_safe
def reconciliation(request: HttpRequest) -> HttpResponse:
    orders = ExternalOrder.objects.order_by("-last_seen_at")[:MOST_EXTERNAL]
    holdings = ExternalHolding.objects.order_by("symbol")[:MOST_EXTERNAL]
    return RUNS.response(
        request,
        template="dashboard/reconciliation.html",
        tab="reconciliation",
        external_orders=[(order, formats.quantity(order.quantity)) for order in orders],
        external_holdings=[(holding, formats.quantity(holding.quantity)) for holding in holdings],
    )


@never_cache
@require_safe
def invariants(request: HttpRequest) -> HttpResponse:
    return CHECKS.response(request, tab="invariants")
