"""What the bot can be asked and told: each command is one function with its role, each act one more that does it.

To add a command, write a function of a Request that returns a Reply (or, for an act, a Proposal) and decorate it; it is
then in the menu, in /help and behind the dispatcher's guard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from notifications.models import Role
from notifications.ports import Buttons, File
from notifications.rendering import Line
from notifications.services.contacts import Caller


class BadRequest(Exception):
    """What was asked cannot be answered; one sentence that says what would be.

    `offers` are arguments that would be answered: each becomes a button.
    """

    def __init__(self, cause: str, *, offers: Sequence[str] = ()) -> None:
        super().__init__(cause)
        self.offers = offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command of one authorised person."""

    name: str
    args: tuple[str, ...]
    caller: Caller
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; `is_refreshed` puts a button under it that asks again.

    With a `file` the lines are its caption. `follows` is a run of research: the answer is edited while it goes on.
    """

    title: str
    lines: Sequence[Line]
    buttons: Buttons = ()
    is_refreshed: bool = False
    file: File | None = None
    follows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an act would do: it is shown with a button, and nothing is done before that is pressed."""

    title: str
    lines: Sequence[Line]
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Request], Reply | Proposal]
Written = TypeVar("Written", bound=Handler)
Deed = Callable[[Mapping[str, Any], Caller, datetime], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`is_act` marks what changes something: it needs a private chat and a message that is not old.

    `is_at_once` is the one act without a second step.
    """

    name: str
    role: Role
    group: str
    help: str
    usage: str
    is_act: bool
    is_at_once: bool
    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """The second step of an act. `deed` runs in the transaction that uses up the confirmation and says what was done."""

    name: str
    role: Role
    deed: Deed


ALIASES = {
    "stop": "pause",
    "stopentry": "pause",
    "stopbuy": "pause",
    "forceexit": "close",
    "fx": "close",
    "count": "positions",
    "whitelist": "watchlist",
    "show_config": "params",
}
"""Words of other bots for what there is here; each is as safe as what it stands for."""
COMMANDS: dict[str, Command] = {}
ACTIONS: dict[str, Action] = {}


def command(
    name: str,
    *,
    group: str,
    help: str,
    usage: str = "",
    role: Role = Role.VIEWER,
    is_act: bool = False,
    is_at_once: bool = False,
) -> Callable[[Written], Written]:
    """Register a command; what it answers to is authorised before it is called."""

    def register(handler: Written) -> Written:
        COMMANDS[name] = Command(
            name=name,
            role=role,
            group=group,
            help=help,
            usage=usage,
            is_act=is_act,
            is_at_once=is_at_once,
            handler=handler,
        )
        return handler

    return register


def action(name: str, *, role: Role) -> Callable[[Deed], Deed]:
    """Register the second step of an act."""

    def register(deed: Deed) -> Deed:
        ACTIONS[name] = Action(name=name, role=role, deed=deed)
        return deed

    return register


def whole(args: Sequence[str], *, default: int, most: int) -> int:
    """Return the first argument as a number from 1 to `most`, or the default; raises BadRequest."""
    if not args:
        return default
    if not args[0].isascii() or not args[0].isdecimal() or len(args[0]) > 6 or not 1 <= int(args[0]) <= most:
        raise BadRequest(f"give a whole number from 1 to {most}")
    return int(args[0])
