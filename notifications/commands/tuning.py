"""Parameters that people decide on by message: the mode of the AI, and drafts that the gate holds back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifications.commands.acts import do_setparam
from notifications.models import Role
from notifications.rendering import Line, text
from notifications.services.contacts import Caller
from notifications.services.registry import BadRequest, Proposal, Reply, Request, action, command
from trading import selectors
from trading.core.params import SPECS
from trading.models import DraftStatus, ParameterDraft
from trading.services import consents, gate, parameters

GROUP = "Acts"
NAME = "ai_mode"
MODES = {
    "off": "The AI is asked nothing.",
    "filter": "The AI may veto what passed everything else.",
    "advisory": "The AI may propose, a person confirms; its opinion of setups is only shown.",
    "hybrid": "The AI may veto, and propose what a person confirms.",
    "autonomous": "The AI may veto, and enter by itself, through the same gate as every other entry.",
}


@command(
    "aimode",
    group=GROUP,
    usage="[mode]",
    role=Role.ADMIN,
    is_act=True,
    help="What the AI may do; without a mode, what it may now",
)
def aimode(request: Request) -> Proposal:
    now = str(getattr(selectors.params(), NAME))
    others = [mode for mode in SPECS[NAME].choices if mode != now]
    if not request.args:
        raise BadRequest(f"the AI is in mode {now}: {_meaning(now)} Choose another mode", offers=others)
    mode = request.args[0].lower()
    if mode not in SPECS[NAME].choices:
        raise BadRequest(f"{mode[:20]} is none of {', '.join(SPECS[NAME].choices)}", offers=others)
    if mode == now:
        raise BadRequest(f"the AI is in mode {now} already", offers=others)
    revision = parameters.current(now=request.now)
    return Proposal(
        title=f"AI mode {mode}?",
        lines=text(f"From {now} to {mode}.", _meaning(mode)),
        action="aimode",
        arguments={"name": NAME, "value": mode, "revision": revision.number},
    )


@action("aimode", role=Role.ADMIN)
def do_aimode(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    return do_setparam(arguments, caller, now)


@command("drafts", group="System", help="Proposed parameters that wait or were held back")
def drafts(request: Request) -> Reply:
    lines = [line for draft in _open() for line in _told(draft)]
    return Reply(title="Drafts", lines=lines or text("No proposed parameters wait."), is_refreshed=True)


@command(
    "approve",
    group=GROUP,
    usage="[draft] [reason]",
    role=Role.RISK,
    is_act=True,
    help="Put proposed parameters in force whatever their comparison says",
)
def approve(request: Request) -> Proposal:
    draft, reason = _meant(request.args), " ".join(request.args[1:])
    return Proposal(
        title=f"Approve draft {draft.pk}?",
        lines=[*_told(draft), *text("The gate is overruled, and the history says by whom.")],
        action="approve",
        arguments={"draft": draft.pk, "reason": reason or "approved by Telegram"},
    )


@command("discard", group=GROUP, usage="[draft]", role=Role.RISK, is_act=True, help="Give proposed parameters up")
def discard(request: Request) -> Proposal:
    draft = _meant(request.args)
    return Proposal(title=f"Discard draft {draft.pk}?", lines=_told(draft), action="discard",
                    arguments={"draft": draft.pk})  # fmt: skip


@action("approve", role=Role.RISK)
def do_approve(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    if consents.is_on():
        # A refusal undoes whatever was written for this press, so nothing can be asked for here.
        raise BadRequest(consents.ON_THE_PAGES)
    try:
        revision = gate.overrule(arguments["draft"], reason=arguments["reason"], author=caller.contact.user, now=now)
    except (gate.GateRefused, parameters.RevisionConflict) as refusal:
        raise BadRequest(str(refusal)) from None
    return f"Revision {revision.number} is in force."


@action("discard", role=Role.RISK)
def do_discard(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        gate.discard(arguments["draft"], by=caller.name, now=now)
    except gate.GateRefused as refusal:
        raise BadRequest(str(refusal)) from None
    return f"Draft {arguments['draft']} is discarded."


def _open() -> list[ParameterDraft]:
    return list(ParameterDraft.objects.filter(status__in=gate.OPEN).order_by("pk"))


def _meant(args: tuple[str, ...]) -> ParameterDraft:
    """Return the draft that is named, or the only one that can be meant; raises BadRequest."""
    known = {str(draft.pk): draft for draft in _open()}
    if not known:
        raise BadRequest("no proposed parameters wait or were held back")
    if not args and len(known) == 1:
        return next(iter(known.values()))
    if not args or args[0] not in known:
        raise BadRequest(f"name a draft: {', '.join(known)}", offers=list(known))
    return known[args[0]]


def _told(draft: ParameterDraft) -> list[Line]:
    changes = ", ".join(f"{each['name']} {each['old']} to {each['new']}" for each in draft.changes)
    finding = f": {draft.finding}" if draft.finding and draft.status == DraftStatus.HELD else ""
    return text(f"{draft.pk} by {draft.author_name}, {draft.get_status_display()}{finding}", changes)


def _meaning(mode: str) -> str:
    return MODES.get(mode, "")
