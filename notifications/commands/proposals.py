"""What the AI proposes: listed, confirmed, rejected. Both acts are shown first and done when their button is pressed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifications import formats
from notifications.models import Role
from notifications.rendering import Line, text
from notifications.services.contacts import Caller
from notifications.services.registry import BadRequest, Reply, Request, action, command
from notifications.services.registry import Proposal as Act
from trading.models import UNDECIDED, Proposal, ProposalStatus
from trading.services import proposals

GROUP = "Acts"


@command("proposals", group="Market", help="What the AI proposes and nobody has decided")
def listed(request: Request) -> Reply:
    found = list(Proposal.objects.filter(status__in=UNDECIDED).order_by("pk"))
    lines = [line for proposal in found for line in _told(proposal)]
    return Reply(title="Proposals", lines=lines or text("Nothing is to be decided."), is_refreshed=True)


@command("confirm", group=GROUP, usage="ID", role=Role.TRADER, is_act=True, help="Let the AI's proposal be entered")
def confirm(request: Request) -> Act:
    proposal = _meant(request.args, ProposalStatus.PENDING)
    return Act(
        title=f"Confirm proposal {proposal.pk}?",
        lines=[*_told(proposal), *text("It still has to pass every filter and limit.")],
        action="confirm",
        arguments={"proposal": proposal.pk},
    )


@command("reject", group=GROUP, usage="ID", role=Role.TRADER, is_act=True, help="Let the AI's proposal end")
def reject(request: Request) -> Act:
    proposal = _meant(request.args, *UNDECIDED)
    return Act(
        title=f"Reject proposal {proposal.pk}?",
        lines=_told(proposal),
        action="reject",
        arguments={"proposal": proposal.pk},
    )


@action("confirm", role=Role.TRADER)
def do_confirm(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        proposal = proposals.confirm(arguments["proposal"], who=caller.name, now=now)
    except proposals.NotOpen as refusal:
        raise BadRequest(str(refusal)) from None
    return f"Proposal {proposal.pk} is confirmed: the next tick that may enters it."


@action("reject", role=Role.TRADER)
def do_reject(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        proposal = proposals.reject(arguments["proposal"], who=caller.name, now=now)
    except proposals.NotOpen as refusal:
        raise BadRequest(str(refusal)) from None
    return f"Proposal {proposal.pk} is rejected."


def _meant(args: tuple[str, ...], *statuses: str) -> Proposal:
    """Return the proposal that is named, or the only one that can be meant; raises BadRequest."""
    known = {str(each.pk): each for each in Proposal.objects.filter(status__in=statuses).order_by("pk")}
    if not known:
        raise BadRequest("nothing is to be decided")
    if not args and len(known) == 1:
        return next(iter(known.values()))
    if not args or args[0] not in known:
        raise BadRequest(f"name a proposal: {', '.join(known)}", offers=list(known))
    return known[args[0]]


def _told(proposal: Proposal) -> list[Line]:
    until = f"{proposal.get_status_display()} until {proposal.expires_at:%H:%M} UTC"
    head = f"{proposal.pk}: {proposal.side} {proposal.symbol} at {formats.price(proposal.price)}, {until}"
    risk = f", {proposal.risk} risk" if proposal.risk else ""
    return text(head, f"Confidence {proposal.confidence:.2f}{risk}: {proposal.reason[:300]}")
