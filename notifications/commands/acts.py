"""What changes something. Each act but the halt is shown first and done when its button is pressed.

Lifting a halt and going live are not among them: they need the pages or a shell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from notifications import formats
from notifications.commands.account import account
from notifications.models import Role
from notifications.rendering import Line, text
from notifications.services.contacts import Caller
from notifications.services.registry import BadRequest, Proposal, Reply, Request, action, command
from trading import selectors
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.models import ACTIVE, StateChange, Trade, TradingState
from trading.services import consents, control, manual, parameters

GROUP = "Acts"
BY_HAND = "by Telegram"


@command(
    "halt",
    group=GROUP,
    role=Role.TRADER,
    is_act=True,
    is_at_once=True,
    help="Enter nothing any more, at once and without a question",
)
def halt(request: Request) -> Reply:
    account()
    changed = control.tighten(TradingState.HALTED, reason=_why(request), now=request.now, by=request.caller.name)
    said = "Trading is halted." if changed else "Trading was halted already."
    return Reply(title="Halt", lines=text(said, "Open trades stay protected. Only the pages or a shell lift a halt."))


@command("pause", group=GROUP, role=Role.TRADER, is_act=True, help="Enter nothing until /resume; exits go on")
def pause(request: Request) -> Proposal:
    if account().trading_state != TradingState.ACTIVE:
        raise BadRequest(f"trading is {account().get_trading_state_display()} already, so there is nothing to pause")
    return Proposal(
        title="Pause?",
        lines=text("Nothing is entered until /resume. Open trades are followed as before."),
        action="pause",
        arguments={"reason": _why(request)},
    )


@command("resume", group=GROUP, role=Role.TRADER, is_act=True, help="Go on after a /pause; it lifts no halt")
def resume(request: Request) -> Proposal:
    _paused_by_hand()
    return Proposal(
        title="Resume?", lines=text("Entries are allowed again."), action="resume", arguments={"reason": _why(request)}
    )


@command(
    "close", group=GROUP, usage="ID|all", role=Role.TRADER, is_act=True, help="Close a trade, or all, at the market"
)
def close(request: Request) -> Proposal:
    wanted = _meant(request.args)
    return Proposal(
        title=f"Close {len(wanted)} trade{'s' if len(wanted) != 1 else ''}?",
        lines=_listed(wanted),
        action="close",
        arguments={"trades": wanted},
    )


@command("panic", group=GROUP, role=Role.TRADER, is_act=True, help="Pause, then close everything at the market")
def panic(request: Request) -> Proposal:
    account()
    wanted = list(Trade.objects.filter(status__in=ACTIVE).order_by("pk").values_list("pk", flat=True))
    lines = [*text("Entries are paused, then everything is closed at the market:"), *_listed(wanted)]
    return Proposal(title="Panic?", lines=lines, action="panic", arguments={"reason": _why(request)})


@command("setparam", group=GROUP, usage="NAME VALUE", role=Role.ADMIN, is_act=True, help="Change one parameter")
def setparam(request: Request) -> Proposal:
    if len(request.args) < 2:
        raise BadRequest("give a name and a value: /params lists the names")
    name, value = request.args[0].lower(), _value(request.args[0].lower(), " ".join(request.args[1:]))
    revision, now = parameters.current(now=request.now), selectors.params().as_json()
    try:
        Params.of({**now, name: value})
    except ParamsError as error:
        raise BadRequest(str(error)) from None
    warning = text("It changes how much money can be lost.") if SPECS[name].risk else []
    return Proposal(
        title=f"Set {name}?",
        lines=[
            *text(f"From {now[name]} to {value} {SPECS[name].unit}.".replace(" .", "."), SPECS[name].help),
            *warning,
        ],
        action="setparam",
        arguments={"name": name, "value": value, "revision": revision.number},
    )


@action("pause", role=Role.TRADER)
def do_pause(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    changed = control.tighten(TradingState.CLOSE_ONLY, reason=arguments["reason"], now=now, by=caller.name)
    return "Trading is paused." if changed else "Trading was paused or halted already."


@action("resume", role=Role.TRADER)
def do_resume(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    _paused_by_hand()
    if consents.is_on():
        # A refusal undoes whatever was written for this press, so nothing can be asked for here.
        raise BadRequest(consents.ON_THE_PAGES)
    control.loosen(TradingState.ACTIVE, reason=arguments["reason"], now=now, by=caller.name)
    return "Trading goes on."


@action("close", role=Role.TRADER)
def do_close(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    asked = [pk for pk in arguments["trades"] if manual.request_close(pk, by=caller.name, now=now)]
    return _closing(asked)


@action("panic", role=Role.TRADER)
def do_panic(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    paused = do_pause(arguments, caller, now)
    return f"{paused} {_closing(manual.request_close_all(by=caller.name, now=now))}"


@action("setparam", role=Role.ADMIN)
def do_setparam(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        made = parameters.propose(
            values={arguments["name"]: arguments["value"]},
            reason=BY_HAND,
            author=caller.contact.user,
            expected_number=arguments["revision"],
            now=now,
        )
    except (ParamsError, parameters.RevisionConflict) as refusal:
        raise BadRequest(str(refusal)) from None
    if made.outcome is parameters.Outcome.ACTIVE:
        return f"{arguments['name']} is {arguments['value']}: revision {made.revision.number}."
    return made.text


def _paused_by_hand() -> None:
    """Raise BadRequest unless what holds is a pause that a person made while all was well."""
    bot, last = account(), StateChange.objects.order_by("-pk").first()
    if bot.trading_state == TradingState.ACTIVE:
        raise BadRequest("trading is running already")
    if bot.trading_state == TradingState.HALTED:
        raise BadRequest("trading is halted: only the pages or a shell lift that")
    if last is None or not last.by or last.from_state != TradingState.ACTIVE:
        raise BadRequest(f"this is no pause by hand ({bot.state_reason}): look, and let it go on from the pages")


def _meant(args: tuple[str, ...]) -> list[int]:
    open_ = [position.trade.pk for position in selectors.open_trades()]
    if not open_:
        raise BadRequest("nothing is open")
    if args and args[0].lower() == "all":
        return open_
    known = {str(pk): pk for pk in open_}
    if not args or args[0] not in known:
        raise BadRequest(f"name a trade: {', '.join(known)}, or all", offers=[*known, "all"])
    return [known[args[0]]]


def _listed(wanted: list[int]) -> list[Line]:
    positions = [position for position in selectors.open_trades() if position.trade.pk in wanted]
    gains = [position.unrealised for position in positions if position.unrealised is not None]
    lines = [f"{p.trade.pk}: {p.trade.side} {formats.quantity(p.trade.remaining)} {p.trade.symbol}" for p in positions]
    if gains:
        lines.append(f"Together {formats.signed(sum(gains, Decimal(0)))} before fees, at the last prices.")
    return text(*(lines or ["Nothing is open."]))


def _closing(asked: list[int]) -> str:
    if not asked:
        return "Nothing was left to close."
    return f"The next tick closes {', '.join(f'trade {pk}' for pk in asked)}."


def _value(name: str, written: str) -> Any:
    """Return what was typed in the parameter's own type; raises BadRequest."""
    if name not in SPECS:
        raise BadRequest(f"{name[:40]} is no parameter: /params lists them")
    kind = SPECS[name].kind
    if kind is tuple:
        return written.replace(",", " ").upper().split()
    if kind is str:
        return written
    try:
        value = json.loads({"on": "true", "off": "false"}.get(written.lower(), written.lower()))
    except (ValueError, RecursionError):
        raise BadRequest(f"{written[:40]} is no value for {name}") from None
    return value


def _why(request: Request) -> str:
    return f"/{request.name} {BY_HAND}"
