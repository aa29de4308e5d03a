"""What the AI proposes: people confirm or reject it here, and the tick enters what is confirmed."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import cells, formats, frame, stepup, switch
from dashboard.listings.proposals import PROPOSALS
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from trading.models import UNDECIDED, Proposal, ProposalStatus
from trading.services import proposals as service

MODES = {
    "off": "The AI is off: it is asked nothing and proposes nothing.",
    "filter": "The AI may veto setups and proposes nothing: the modes advisory, hybrid and autonomous propose.",
    "advisory": "The AI is only shown on setups. What it proposes here enters when a person confirms it.",
    "hybrid": "The AI may veto setups. What it proposes here enters when a person confirms it.",
    "autonomous": "The AI may veto setups. What it proposes enters by itself, through the same filters and limits.",
}
_TONES = {
    ProposalStatus.PENDING: "outcome expired",
    ProposalStatus.CONFIRMED: "outcome expired",
    ProposalStatus.TAKEN: "outcome taken",
}


def _status(row: Proposal) -> Cell:
    text = row.get_status_display()
    tone = _TONES.get(ProposalStatus(row.status), "outcome refused")
    return Cell(text=text.capitalize(), tone=tone, hint=row.outcome)


def _href(row: Proposal) -> str:
    return reverse("decision", args=[row.signal_id]) if row.signal_id else ""


PAGE = ListPage(
    title="Proposals",
    explains="ai",
    place="proposals",
    listing=PROPOSALS,
    caption="Trades that the AI proposed, newest first",
    empty="Trades that the AI proposes will stand here, in the modes in which it may propose.",
    refresh="decisions",
    columns=(
        Column(label="Pair", css="pair", sort="symbol", cell=lambda row: Cell(text=row.symbol, href=_href(row))),
        Column(label="Side", cell=lambda row: cells.side(row.side)),
        Column(label="Status", cell=_status),
        Column(label="What became of it", css="wide wrap", cell=lambda row: Cell(text=row.outcome or formats.NOTHING)),
        Column(label="Confidence", css="num", sort="confidence", cell=lambda row: Cell(text=f"{row.confidence:.2f}")),
        Column(label="Price", css="num minor", cell=lambda row: Cell(text=formats.price(row.price))),
        Column(label="Model", css="minor", cell=lambda row: Cell(text=row.model or formats.NOTHING)),
        Column(label="Decided by", css="minor", cell=lambda row: Cell(text=row.decided_by or formats.NOTHING)),
        Column(label="Proposed", css="num", sort="created", cell=lambda row: cells.moment(row.created_at)),
    ),
)


@never_cache
@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    known = frame.context()
    return PAGE.response(
        request,
        template="dashboard/proposals.html",
        known=known,
        undecided=Proposal.objects.filter(status__in=UNDECIDED).order_by("pk"),
        mode=MODES[known["params"].ai_mode],
        may_decide=request.user.has_perm(switch.PERMISSION),
    )


@require_POST
def decide_proposal(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Confirm or reject a proposal; one that is decided already stays as it is, and the page says so."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(switch.PERMISSION):
        raise PermissionDenied
    if act not in ACTS:
        raise Http404
    now = timezone.now()
    if act == "confirm" and not stepup.is_fresh(request, now=now):
        return stepup.ask(request)
    try:
        proposal = ACTS[act](pk, who=request.user.get_username(), now=now)
    except service.NotOpen as refusal:
        messages.error(request, f"Nothing was changed: {refusal}.")
    else:
        messages.success(request, f"Proposal {proposal.pk} is {proposal.get_status_display()}.")
    return redirect("proposals")


ACTS = {"confirm": service.confirm, "reject": service.reject}
