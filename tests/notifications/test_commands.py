"""Every command for every role, and what the answers look like."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from notifications import rendering
from notifications.adapters import painter
from notifications.commands import load
from notifications.drawing.spec import Picture
from notifications.models import Confirmation, Contact, Role, Update
from notifications.ports import File
from notifications.services import contacts, inbox
from notifications.services.registry import ACTIONS, ALIASES, COMMANDS
from tests import factories
from tests.notifications.conftest import ROLES, STRANGER, Chat, buttons, person
from tests.telegram.launch import BotApi
from trading.core.params import Params
from trading.models import (
    AuditEntry,
    BacktestRun,
    Bot,
    ParameterDraft,
    ParameterRevision,
    Proposal,
    StateChange,
    Trade,
    WatchedPair,
)

pytestmark = pytest.mark.django_db
load()
ARGUMENTS = {"why": "ETH", "close": "all", "setparam": "risk_fraction 0.01", "market": "BTC"}
ARGUMENTS |= {"aimode": "hybrid", "chart": "ETH 1h", "report": "2 html", "backtest": "3"}
ARGUMENTS |= {"ban": "LUNA gone", "lock": "SEI 60 unlock", "switch": "PEPE"}
NEEDS_PAUSE = ("resume",)
RISK = 66
EVERYBODY = {**ROLES, Role.RISK: RISK}
VIEWER, TRADER, ADMIN = (ROLES[role] for role in (Role.VIEWER, Role.TRADER, Role.ADMIN))


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_answers_whom_it_is_for_and_refuses_the_rest(
    chat: Chat, api: BotApi, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter, "draw", undrawn)
    if name in ("approve", "discard"):
        factories_proposed_parameters()
    if name == "cancel":
        factories_run()
    if name in NEEDS_PAUSE:
        factories_paused()
    if name == "switch":
        WatchedPair.objects.create(symbol="DOGE/USDT", source="hand", since=timezone.now(), reason="news")
    if name in ("confirm", "reject"):
        factories_proposed()
    person(Role.RISK, RISK)
    changes, command = StateChange.objects.count(), COMMANDS[name]
    refused = [f"user{sender} by Telegram" for role, sender in EVERYBODY.items() if not _reaches(role, command.role)]

    for count, (role, sender) in enumerate(EVERYBODY.items(), 1):
        number = chat.message(f"/{name} {ARGUMENTS.get(name, '')}", sender)

        may, told = _reaches(role, command.role), api.texts()
        assert len(told) == count
        assert told[-1].startswith("PAPER · ")
        assert ("needs the role" in told[-1]) is not may
        asked = Confirmation.objects.filter(contact__telegram_user_id=sender)
        assert asked.exists() is (may and command.is_act and name != "halt")
        assert chat.outcome(number)

    assert StateChange.objects.count() - changes == int(name == "halt")
    denied = AuditEntry.objects.filter(act="denied", about=f"/{name}", outcome="refused").order_by("number")
    assert list(denied.values_list("actor", flat=True)) == refused
    assert not Trade.objects.filter(remaining_fraction=0, status="open").exists()


def _reaches(role: Role, needed: Role) -> bool:
    return contacts.RANKS.index(role) >= contacts.RANKS.index(needed)


def factories_proposed() -> None:
    now = timezone.now()
    Proposal.objects.create(
        symbol="XRP/USDT", side="long", price=0.5, mode="hybrid", confidence=0.9, created_at=now,
        expires_at=now + timedelta(minutes=20),
    )  # fmt: skip


def undrawn(picture: Picture, *, name: str, format: str = "png") -> File:
    """Stand in for the process that draws, which test_pictures starts."""
    return File(name=f"{name}.{format}", media=painter.MEDIA[format], content=b"drawn")


def factories_proposed_parameters() -> None:
    now = timezone.now()
    base = factories.revision(now)
    changes = [{"name": "max_open_trades", "old": 3, "new": 5}]
    ParameterDraft.objects.create(base=base, values={**base.values, "max_open_trades": 5}, changes=changes, reason="x",
                                  author_name="ann", created_at=now, status="held", finding="worse")  # fmt: skip


def factories_run() -> None:
    values = Params().as_json()
    BacktestRun.objects.create(parameters=values, symbols=["BTC/USDT"], timeframe="15m", requested_by_name="ann",
                               requested_at=timezone.now())  # fmt: skip


def factories_paused() -> None:
    StateChange.objects.create(at=timezone.now(), from_state="active", to_state="close_only", reason="x", by="somebody")
    Bot.objects.update(trading_state="close_only")


def test_a_stranger_gets_no_answer_but_to_whoami(chat: Chat, api: BotApi) -> None:
    for number, name in enumerate(COMMANDS, STRANGER):
        chat.message(f"/{name} {ARGUMENTS.get(name, '')}", number)

    asked = STRANGER + list(COMMANDS).index("whoami")
    assert Update.objects.count() == len(COMMANDS)
    assert api.texts() == [f"PAPER · <b>Who you are</b>\nUser {asked} in chat {asked}, unknown here."]


def test_without_an_account_every_command_still_answers(
    chat: Chat, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter, "draw", undrawn)
    monkeypatch.setattr(inbox, "RATE", len(COMMANDS) + 1)
    for count, name in enumerate(COMMANDS, 1):
        chat.message(f"/{name} {ARGUMENTS.get(name, '')}", ADMIN)

        assert len(api.texts()) == count


def test_who_is_disabled_or_has_no_role_is_a_stranger(chat: Chat, api: BotApi, people: dict[Role, Contact]) -> None:
    people[Role.ADMIN].user.is_active = False
    people[Role.ADMIN].user.save()
    person(None, 44)

    for sender in (ADMIN, 44):
        chat.message("/status", sender)

    assert api.texts() == []


def test_a_known_user_in_an_unknown_chat_and_an_unknown_user_in_a_known_chat_are_strangers(
    chat: Chat, api: BotApi
) -> None:
    chat.message("/status", TRADER, chat={"id": -100, "type": "group"})
    chat.message("/status", STRANGER, chat={"id": TRADER, "type": "private"})

    assert api.texts() == []


def test_a_superuser_is_an_admin_and_a_group_makes_the_role(people: dict[Role, Contact]) -> None:
    root = factories.user("root")

    assert contacts.role_of(root) == Role.ADMIN
    assert [contacts.role_of(contact.user) for contact in people.values()] == list(ROLES)
    assert people[Role.TRADER].user.has_perm("trading.change_trading_state")
    assert not people[Role.VIEWER].user.has_perm("trading.change_trading_state")


def test_nobody_is_answered_where_nobody_is_allowed(chat: Chat, api: BotApi) -> None:
    Contact.objects.all().delete()

    chat.message("/status", TRADER)

    assert api.texts() == []


def test_help_lists_what_the_role_may_use(chat: Chat, api: BotApi) -> None:
    for sender in (VIEWER, ADMIN):
        chat.message("/help", sender)

    viewer, admin = api.texts()
    assert "/halt" not in viewer
    assert all(f"/{name}" in admin for name in COMMANDS)


def test_an_unknown_command_is_told_so_and_a_word_that_is_one_is_not_taken_for_it(chat: Chat, api: BotApi) -> None:
    chat.message("/buy BTC", ADMIN)
    chat.message("halt", ADMIN)

    assert api.texts() == [
        "PAPER · <b>There is no such command</b>\n/buy is not known: /help lists what is.",
        "PAPER · <b>Did you mean /halt?</b>\nWords change nothing: send /halt.",
    ]
    assert StateChange.objects.count() == 0


@pytest.mark.usefixtures("account")
def test_words_of_other_bots_are_understood_and_no_way_around_the_second_step(chat: Chat, api: BotApi) -> None:
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)

    for text in ("/stop", "/forceexit all", "/show_config risk"):
        chat.message(text, TRADER)
    chat.message("/stop", VIEWER)

    stop, exits, config, refused = api.texts()
    assert ("Pause?" in stop, "Close " in exits, "risk_fraction" in config) == (True, True, True)
    assert "it needs the role trader" in refused
    assert StateChange.objects.count() == 0


@pytest.mark.usefixtures("account")
def test_an_answer_is_asked_for_again_in_place(chat: Chat, api: BotApi) -> None:
    chat.message("/balance", VIEWER)
    first = api.sent()[0]
    Bot.objects.update(equity=4321)

    chat.press(buttons(first)["Refresh"], VIEWER, first["message_id"])

    edited = api.sent()[1]
    assert (edited["method"], edited["message_id"]) == ("editMessageText", first["message_id"])
    assert "4,321.00" in edited["text"]
    assert len(api.calls("answerCallbackQuery")) == 1


@pytest.mark.usefixtures("account")
def test_a_long_answer_is_turned_page_by_page(chat: Chat, api: BotApi) -> None:
    chat.message("/params", VIEWER)
    first = api.sent()[0]
    turn = next(data for label, data in buttons(first).items() if "»" in label)

    chat.press(turn, VIEWER, first["message_id"])

    second = api.sent()[1]
    assert second["text"].startswith("PAPER · <b>Parameters")
    assert second["text"] != first["text"]
    assert "«" in buttons(second)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "data", ["r|halt", "p|1|close all", "r|logs", "z|status", "", "c|", "k|x", "p|x|status", "r|" + "a" * 62]
)
def test_a_made_up_button_does_nothing(chat: Chat, api: BotApi, data: str) -> None:
    chat.press(data or "|", VIEWER, 100)

    assert (StateChange.objects.count(), Confirmation.objects.count()) == (0, 0)


def test_a_stranger_presses_in_vain(chat: Chat, api: BotApi) -> None:
    number = chat.press("r|status", STRANGER, 100)

    assert (chat.outcome(number), api.sent(), api.calls("answerCallbackQuery")) == ("ignored: a stranger", [], [])


@pytest.mark.usefixtures("account")
def test_names_from_outside_are_escaped(chat: Chat, api: BotApi) -> None:
    hostile = "</pre><a href='tg://user?id=1'>x</a>&lt;"
    factories.signal(timezone.now(), symbol="BTC/USDT", refused_by=hostile[:40], reason=hostile)
    Trade.objects.update(exit_reason="<b>")

    for text in ("/why BTC", "/signals", "/trades", "/stats", f"/why {hostile}", f"/{'status'} {hostile}", "/summary"):
        chat.message(text, VIEWER)

    told = api.texts()
    assert len(told) == 7
    assert "&lt;/pre&gt;&lt;a href=" in told[0]
    assert all("<a " not in text for text in told)
    assert all(message.get("parse_mode") == "HTML" for message in api.sent())


def test_live_money_is_said_at_the_beginning(chat: Chat, api: BotApi, settings: LazySettings) -> None:
    settings.TRADING_MODE = "live"

    chat.message("/version", VIEWER)

    assert api.texts()[0].startswith("LIVE · ")


def test_whoever_died_in_the_middle_is_followed_by_the_sweep_with_one_answer(
    chat: Chat, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notifications import tasks

    number = chat.message("/version", VIEWER)
    Update.objects.update(handled_at=None, claimed_at=timezone.now() - 2 * inbox.STUCK)

    tasks.sweep()

    assert (len(api.sent()), Update.objects.get().attempts, bool(chat.outcome(number))) == (1, 2, True)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("trades", "0", "give a whole number from 1 to 200"),
        ("trades", "ten", "give a whole number"),
        ("daily", "-1", "give a whole number"),
        ("status", "99999", "there is no trade 99999"),
        ("status", "<b>", "give the number of a trade"),
        ("why", "", "name a symbol such as BTC/USDT"),
        ("why", "DOGE", "DOGE is not watched"),
    ],
)
@pytest.mark.usefixtures("account")
def test_a_wrong_argument_is_told_in_words(chat: Chat, api: BotApi, name: str, arguments: str, words: str) -> None:
    chat.message(f"/{name} {arguments}", VIEWER)

    assert words.lower() in api.texts()[0].lower()
    assert f"Usage: /{name}" in api.texts()[0]


@pytest.mark.usefixtures("account")
def test_figures_are_those_of_the_rows(chat: Chat, api: BotApi) -> None:
    for text in ("/balance", "/positions", "/why WLD", "/risk", "/status"):
        chat.message(text, VIEWER)

    balance, positions, why, risk, status = (rendering.plain(text) for text in api.texts())
    assert "Equity      10,250.42" in balance
    assert "Balance     10,212.40" in balance
    assert "LINK/USDT" in positions
    assert "score 38.00, needs 55.00" in why
    assert "REFUSED  score" in why
    assert "open trades" in risk
    assert status.startswith("PAPER · Status\nTrading is running.")


def test_only_the_dispatcher_calls_a_handler_and_only_confirmations_a_deed() -> None:
    root = Path(__file__).parents[2] / "notifications"
    calls = {
        (path.name, node.func.attr)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("handler", "deed")
    }

    assert calls == {("dispatcher.py", "handler"), ("confirmations.py", "deed")}


def test_acts_are_exactly_those_that_change_something() -> None:
    acts = {name for name, command in COMMANDS.items() if command.is_act}

    of_trading = {"halt", "pause", "resume", "close", "panic", "confirm", "reject"}
    assert acts == of_trading | {"setparam", "ban", "lock", "switch", "aimode", "approve", "discard", "cancel"}
    assert [name for name, command in COMMANDS.items() if command.is_at_once] == ["halt"]
    assert set(ACTIONS) == acts - {"halt"}
    assert all(COMMANDS[name].role == ACTIONS[name].role for name in ACTIONS)
    assert all(COMMANDS[name].role != Role.VIEWER for name in acts)
    assert not ParameterRevision.objects.exists()


@pytest.mark.parametrize(("package", "door"), [("telegram", "telegram.py"), ("apprise", "apprise_door.py")])
def test_each_vendor_has_one_door(package: str, door: str) -> None:
    root = Path(__file__).parents[2]
    found = set()
    for app in ("notifications", "trading", "dashboard", "mlops", "julaba_site"):
        for path in (root / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                if any(name.split(".")[0] == package for name in names):
                    found.add(path.name)

    assert found == {door}
