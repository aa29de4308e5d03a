"""Who did or tried what, and whether the chain of it is unbroken."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import cells
from dashboard.listings import AUDIT
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from trading.models import AuditEntry, AuditHead, AuditOutcome
from trading.services import audit as chain

PERMISSION = "trading.view_auditentry"
MOST_FOLLOWED = 50_000
"""A longer chain is followed by manage.py audit --verify alone: a page should not take so long."""


def _outcome(row: AuditEntry) -> Cell:
    done = row.outcome == AuditOutcome.DONE
    return Cell(text="✓ done" if done else "✕ refused", tone="gain" if done else "loss")


PAGE = ListPage(
    title="Audit",
    explains="audit",
    place="audit",
    listing=AUDIT,
    caption="Acts, log-ins and refusals, newest first",
    empty="Each act of a person, each log-in and each refusal will stand here.",
    columns=(
        Column(label="Number", css="num", sort="number", cell=lambda row: Cell(text=f"#{row.number}")),
        Column(label="When", sort="at", cell=lambda row: cells.moment(row.at)),
        Column(label="By", css="pair", cell=lambda row: Cell(text=row.actor) if row.actor else cells.NONE),
        Column(label="Act", cell=lambda row: cells.words(row.act)),
        Column(label="Outcome", cell=_outcome),
        Column(label="About", css="minor wrap", cell=lambda row: Cell(text=row.about) if row.about else cells.NONE),
        Column(label="What", css="wide wrap", cell=lambda row: Cell(text=row.text)),
        Column(label="From", css="minor", cell=lambda row: Cell(text=row.address) if row.address else cells.NONE),
        Column(
            label="Digest",
            css="minor",
            cell=lambda row: Cell(text=row.digest[:10], hint=f"{row.digest}; request {row.request_id or 'none'}"),
        ),
    ),
)


@never_cache
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    head = AuditHead.objects.filter(pk=1).first()
    is_long = bool(head and head.number > MOST_FOLLOWED)
    verdict = chain.verify() if request.GET.get("check") == "1" and not is_long else None
    return PAGE.response(request, template="dashboard/audit.html", head=head, verdict=verdict, is_long=is_long)
