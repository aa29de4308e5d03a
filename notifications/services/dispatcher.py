"""The one way in: a message or a press is authorised here before any handler hears of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from notifications import rendering
from notifications.adapters import doors
from notifications.commands import load
from notifications.models import Delivery, Update
from notifications.ports import Buttons, File, Refused, Unavailable
from notifications.services import alerts, answers, confirmations, contacts, following, outbox
from notifications.services.contacts import Caller
from notifications.services.registry import ALIASES, COMMANDS, BadRequest, Command, Proposal, Reply, Request
from trading.adapters import meters
from trading.models import AuditOutcome
from trading.services import audit

OLD = timedelta(seconds=60)
"""An act that was written longer ago is not done: whoever wrote it may have given up waiting."""
WHOAMI = "whoami"
CONFIRM, CANCEL, AGAIN, PAGE, ACKNOWLEDGE, ASK, DISMISS = "c", "x", "r", "p", "k", "a", "d"
MOST_OFFERED, OFFERED_IN_ROW = 24, 3
LONGEST_DATA = 64
"""Bytes that a button may carry."""
_COMMAND = re.compile(r"/([a-z_]{1,32})(@\w{1,40})?(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)

logger = logging.getLogger(__name__)


def dispatch(update: Update, *, now: datetime) -> str:
    """Answer or ignore what came in, and return in words what became of it."""
    load()
    caller = contacts.find(sender_id=update.sender_id, chat_id=update.chat_id)
    if caller is None:
        return _stranger(update, now)
    if update.is_press:
        return _pressed(update, caller, now)
    name, args, is_addressed = _parsed(update.text)
    if name is None:
        return _chat(update, caller, now)
    chosen = COMMANDS.get(name)
    if chosen is None:
        return _say(update, "There is no such command", f"/{name} is not known: /help lists what is.", now)
    refusal = _refusal(chosen, update, caller, now) or (chosen.is_act and is_addressed and "send it without the name")
    if refusal:
        return _say(update, f"/{name} was not done", f"{refusal}.", now)
    return _run(chosen, args, update, caller, now)


def is_halt(text: str) -> bool:
    return _parsed(text)[0] == "halt"


def _parsed(text: str) -> tuple[str | None, tuple[str, ...], bool]:
    """Return a command's name, its arguments and whether it names a bot; None where the text is no command."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None:
        return None, (), False
    name = found[1].lower()
    return ALIASES.get(name, name), tuple((found[3] or "").split()), bool(found[2])


def _refusal(chosen: Command, update: Update, caller: Caller, now: datetime) -> str:
    """Return why this person may not have this command now; nothing where they may."""
    if not caller.may(chosen.role):
        meters.count("julaba_telegram_rejected", reason="role")
        why = f"it needs the role {chosen.role}, yours is {caller.role}"
        audit.record(
            "denied", actor=caller.name, at=now, about=f"/{chosen.name}", text=why, outcome=AuditOutcome.REFUSED
        )
        return why
    if not chosen.is_act:
        return ""
    if not update.is_private:
        return "what changes something works in a private chat only"
    if not update.is_press and (update.sent_at is None or now - update.sent_at > OLD):
        return f"it is older than {OLD.seconds} s: send it again if you still want it"
    return ""


def _stranger(update: Update, now: datetime) -> str:
    if update.is_press or _parsed(update.text)[0] != WHOAMI:
        meters.count("julaba_telegram_rejected", reason="stranger")
        return "ignored: a stranger"
    return _say(update, "Who you are", f"User {update.sender_id} in chat {update.chat_id}, unknown here.", now)


def _chat(update: Update, caller: Caller, now: datetime) -> str:
    """Answer words in a private chat with words. Nothing else comes of them, whatever they say."""
    if not update.is_private or not update.text.lstrip()[:1].isalnum() or not settings.ASSISTANT:
        return "ignored: no command"
    words = update.text.split()
    meant = COMMANDS.get(words[0].strip(".,!?:").lower())
    if meant is not None and (meant.is_act or len(words) == 1):
        return _say(update, f"Did you mean /{meant.name}?", f"Words change nothing: send /{meant.name}.", now)
    said = answers.assistant().ask(update.text, user=caller.contact.user, reply_to=outbox.chat(update.chat_id), now=now)
    _put(update, rendering.pages("Julaba", answers.lines(said.text))[0], now)
    return "answered in words"


def _run(
    chosen: Command, args: tuple[str, ...], update: Update, caller: Caller, now: datetime, *, page: int = 0
) -> str:
    try:
        made = chosen.handler(Request(name=chosen.name, args=args, caller=caller, now=now))
    except BadRequest as refusal:
        usage = f"Usage: /{chosen.name} {chosen.usage}".rstrip()
        words = f"{str(refusal)[:1].upper()}{str(refusal)[1:]}."
        return _say(update, f"/{chosen.name}", words, now, usage, buttons=_offered(chosen, refusal.offers))
    if isinstance(made, Proposal):
        return _propose(made, update, caller, now)
    line = " ".join((chosen.name, *args))
    longest = rendering.LONGEST if made.file is None else rendering.LONGEST_CAPTION
    parts = rendering.pages(made.title, made.lines, longest=longest)
    page = min(page, len(parts) - 1)
    with transaction.atomic():
        delivery = _put(update, parts[page], now, buttons=_buttons(made, line, page, len(parts)), file=made.file)
        if delivery is not None and made.follows is not None:
            following.follow(made.follows, delivery)
    return f"answered /{line}"


def _offered(chosen: Command, offers: Sequence[str]) -> Buttons:
    """Return a button for each argument that would be answered; one of an act asks it, and nothing is done by it."""
    if chosen.is_at_once or not offers:
        return []
    kind = ASK if chosen.is_act else AGAIN
    made = [(offer, f"{kind}|{chosen.name} {offer}") for offer in offers[:MOST_OFFERED]]
    fitting = [button for button in made if len(button[1].encode()) <= LONGEST_DATA]
    rows = [fitting[start : start + OFFERED_IN_ROW] for start in range(0, len(fitting), OFFERED_IN_ROW)]
    return [*rows, [("Cancel", DISMISS)]]


def _buttons(made: Reply, line: str, page: int, count: int) -> Buttons:
    """Return the answer's own buttons, and those that turn its pages or ask again."""
    row = [("«", f"{PAGE}|{page - 1}|{line}")] if page > 0 else []
    row += [(f"{page + 1} of {count} »", f"{PAGE}|{page + 1}|{line}")] if page + 1 < count else []
    row += [("Refresh", f"{AGAIN}|{line}")] if made.is_refreshed else []
    fitting = [button for button in row if len(button[1].encode()) <= LONGEST_DATA]
    return [*made.buttons, *([fitting] if fitting else [])]


def _propose(made: Proposal, update: Update, caller: Caller, now: datetime) -> str:
    secret = confirmations.token()
    buttons = [[("Confirm", f"{CONFIRM}|{secret}"), ("Cancel", f"{CANCEL}|{secret}")]]
    lines = [*made.lines, rendering.Line(f"Confirm within {confirmations.LIFE.seconds} s.")]
    with transaction.atomic():
        delivery = _put(update, rendering.pages(made.title, lines)[0], now, buttons=buttons)
        if delivery is not None:
            confirmations.open_for(made, delivery, caller, secret=secret, now=now)
    return f"asked to confirm {made.action}"


def _pressed(update: Update, caller: Caller, now: datetime) -> str:
    kind, _, rest = update.text.partition("|")
    if kind in (CONFIRM, CANCEL):
        return _decided(kind, rest, update, caller, now)
    if kind == ACKNOWLEDGE and rest.isascii() and rest.isdecimal():
        return _acknowledged(int(rest[:18]), update, caller, now)
    if kind == ASK:
        return _asked(rest, update, caller, now)
    if kind == DISMISS:
        _toast(update, "")
        return _say(update, "Canceled", "Nothing was done.", now)
    page, line = 0, rest
    if kind == PAGE:
        number, _, line = rest.partition("|")
        page = int(number) if number.isascii() and number.isdecimal() and len(number) < 5 else 0
    name, args, _ = _parsed(f"/{line}")
    chosen = COMMANDS.get(name or "")
    if kind not in (AGAIN, PAGE) or chosen is None or chosen.is_act or not caller.may(chosen.role):
        _toast(update, "This button does nothing.")
        return "ignored: an unknown button"
    _toast(update, "")
    return _run(chosen, args, update, caller, now, page=page)


def _asked(line: str, update: Update, caller: Caller, now: datetime) -> str:
    """Take the first step of an act that was chosen by a button; the second is still to come."""
    name, args, _ = _parsed(f"/{line}")
    chosen = COMMANDS.get(name or "")
    if chosen is None or not chosen.is_act or chosen.is_at_once:
        _toast(update, "This button does nothing.")
        return "ignored: an unknown button"
    if refusal := _refusal(chosen, update, caller, now):
        _toast(update, f"{refusal[:1].upper()}{refusal[1:]}.")
        return f"not done: {refusal}"
    _toast(update, "")
    return _run(chosen, args, update, caller, now)


def _decided(kind: str, secret: str, update: Update, caller: Caller, now: datetime) -> str:
    if not update.is_private:
        return "ignored: not in a private chat"
    decide = confirmations.confirm if kind == CONFIRM else confirmations.cancel
    try:
        outcome = decide(secret, update, caller, now=now)
    except confirmations.NotDone as refusal:
        words = f"{str(refusal)[:1].upper()}{str(refusal)[1:]}"
        _toast(update, words)
        return f"not done: {refusal}"
    _put(update, rendering.pages("Done" if kind == CONFIRM else "Canceled", rendering.text(outcome))[0], now)
    _toast(update, outcome)
    return outcome


def _acknowledged(pk: int, update: Update, caller: Caller, now: datetime) -> str:
    was_open = alerts.acknowledge(pk, by=caller.name, now=now)
    _toast(update, "Acknowledged." if was_open else "It was acknowledged already.")
    return f"acknowledged alert {pk}"


def _say(update: Update, title: str, words: str, now: datetime, *more: str, buttons: Buttons = ()) -> str:
    _put(update, rendering.pages(title, rendering.text(words, *more))[0], now, buttons=buttons)
    return f"said: {words}"


def _put(
    update: Update, text: str, now: datetime, *, buttons: Buttons = (), file: File | None = None
) -> Delivery | None:
    """Write the one answer to an update; an update that is handled again gets no second one."""
    return outbox.put(
        key=f"update:{update.pk}",
        channel=outbox.chat(update.chat_id),
        kind=outbox.REPLY,
        text=text,
        buttons=buttons,
        # Words cannot become a picture: that is a message of its own.
        edits=update.message_id if update.is_press and file is None else None,
        attachment=outbox.attach(file, now=now) if file is not None else None,
        now=now,
    )


def _toast(update: Update, words: str) -> None:
    """Show a few words over the pressed button; they are worth no second try."""
    bot = doors.telegram()
    if bot is None:
        return
    try:
        bot.answer(update.press_id, words)
    except (Unavailable, Refused) as failure:
        logger.info("a press is not answered: %s", failure)
