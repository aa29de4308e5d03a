"""Two steps for what changes something: bound to a person, a chat, a message and its arguments, for a minute, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications.models import Confirmation, Contact, Role, Update
from notifications.services import confirmations, dispatcher, inbox
from tests.notifications.conftest import ROLES, Chat, buttons, person
from tests.telegram.launch import BotApi
from trading.models import Bot, Event, ParameterDraft, ParameterRevision, StateChange, Trade, TradingState
from trading.services import control, parameters

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]
VIEWER, TRADER, ADMIN = (ROLES[role] for role in (Role.VIEWER, Role.TRADER, Role.ADMIN))


def ask(chat: Chat, api: BotApi, text: str, sender: int = TRADER) -> dict[str, Any]:
    """Write a command and return the message with the buttons."""
    chat.message(text, sender)
    return api.sent()[-1]


def confirm(chat: Chat, message: dict[str, Any], sender: int = TRADER, **more: Any) -> str:
    return chat.outcome(chat.press(buttons(message)["Confirm"], sender, message["message_id"], **more))


def leaving() -> list[int]:
    return list(Trade.objects.filter(status="open", remaining_fraction=0).order_by("pk").values_list("pk", flat=True))


def state() -> str:
    return Bot.objects.get().trading_state


def test_a_pause_holds_after_the_second_step_and_a_resume_ends_it(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/pause")
    assert state() == "active"

    assert confirm(chat, asked) == "Trading is paused."
    assert state() == "close_only"

    assert confirm(chat, ask(chat, api, "/resume")) == "Trading goes on."
    assert state() == "active"
    assert [change.by for change in StateChange.objects.order_by("pk")] == ["user22 by Telegram"] * 2


def test_a_halt_is_one_step_and_nothing_here_lifts_it(chat: Chat, api: BotApi) -> None:
    chat.message("/halt", TRADER)
    assert state() == "halted"

    chat.message("/resume", ADMIN)

    assert "only the pages or a shell lift that" in api.texts()[-1]
    assert (state(), Confirmation.objects.count()) == ("halted", 0)


def test_a_resume_that_was_asked_before_a_halt_lifts_nothing(chat: Chat, api: BotApi) -> None:
    confirm(chat, ask(chat, api, "/pause"))
    asked = ask(chat, api, "/resume")
    control.tighten(TradingState.HALTED, reason="x", now=timezone.now(), by="anna")

    assert confirm(chat, asked).startswith("not done: trading is halted")
    assert state() == "halted"


def test_what_software_restricted_no_resume_lifts(chat: Chat, api: BotApi) -> None:
    control.tighten(TradingState.CLOSE_ONLY, reason="books differ", now=timezone.now())

    chat.message("/resume", ADMIN)

    assert "this is no pause by hand (books differ)" in api.texts()[-1].lower()
    assert state() == "close_only"


def test_one_trade_or_all_are_closed(chat: Chat, api: BotApi) -> None:
    first, second, third = Trade.objects.filter(status="open").order_by("pk").values_list("pk", flat=True)

    confirm(chat, ask(chat, api, f"/close {second}"))
    assert leaving() == [second]

    assert confirm(chat, ask(chat, api, "/close all")) == f"The next tick closes trade {first}, trade {third}."
    assert leaving() == [first, second, third]
    assert Event.objects.filter(kind="manual_close").count() == 3


def test_panic_pauses_then_closes(chat: Chat, api: BotApi) -> None:
    assert confirm(chat, ask(chat, api, "/panic")).startswith("Trading is paused. The next tick closes trade")

    assert (state(), len(leaving())) == ("close_only", 3)


def test_panic_leaves_a_halt_a_halt(chat: Chat, api: BotApi) -> None:
    chat.message("/halt", TRADER)

    confirm(chat, ask(chat, api, "/panic"))

    assert (state(), len(leaving())) == ("halted", 3)


def test_a_second_press_says_already_done(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/pause")
    confirm(chat, asked)
    Bot.objects.update(trading_state="active")

    assert confirm(chat, asked) == "not done: already done: Trading is paused."
    assert state() == "active"
    assert api.calls("answerCallbackQuery")[-1]["text"] == "Already done: Trading is paused."


def test_of_two_presses_at_the_same_moment_one_does_it(
    chat: Chat, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(chat, api, "/pause")
    find = confirmations._find

    def overtaken(*given: Any) -> Confirmation:
        """Let another press be handled between reading what the button means and doing it."""
        found = find(*given)
        monkeypatch.setattr(confirmations, "_find", find)
        confirm(chat, asked)
        return found

    monkeypatch.setattr(confirmations, "_find", overtaken)

    assert confirm(chat, asked) == "not done: already done"
    assert (state(), StateChange.objects.count()) == ("close_only", 1)


def test_what_was_canceled_is_not_done(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/close all")

    chat.press(buttons(asked)["Cancel"], TRADER, asked["message_id"])

    assert confirm(chat, asked) == "not done: already done: canceled"
    assert leaving() == []


def test_a_minute_later_it_has_expired(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/close all")
    Confirmation.objects.update(expires_at=timezone.now())

    assert confirm(chat, asked) == "not done: this has expired: ask again"
    assert leaving() == []


def test_another_persons_press_does_nothing_even_an_admins(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/close all")

    assert confirm(chat, asked, ADMIN) == "not done: this button is not yours"
    # In the trader's own chat the admin is a stranger, who has just written and so is not even kept.
    chat.press(buttons(asked)["Confirm"], ADMIN, asked["message_id"], chat={"id": TRADER, "type": "private"})

    assert Update.objects.filter(chat_id=TRADER, sender_id=ADMIN).count() == 0
    assert leaving() == []
    assert confirm(chat, asked).startswith("The next tick")


def test_a_token_works_under_its_own_message_alone(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/close all")

    assert confirm(chat, {**asked, "message_id": asked["message_id"] + 1}) == "not done: this button is not yours"
    assert chat.outcome(chat.press("c|made-up", TRADER, asked["message_id"])) == "not done: this button is not yours"
    assert leaving() == []


def test_who_lost_the_role_meanwhile_is_refused(chat: Chat, api: BotApi, people: dict[Role, Contact]) -> None:
    asked = ask(chat, api, "/close all")
    people[Role.TRADER].user.groups.set(people[Role.VIEWER].user.groups.all())

    assert confirm(chat, asked) == "not done: this needs the role trader"
    assert leaving() == []


def test_acts_work_in_a_private_chat_alone(chat: Chat, api: BotApi) -> None:
    group = {"id": -500, "type": "supergroup"}
    contact = person(Role.ADMIN, 55)
    Contact.objects.filter(pk=contact.pk).update(chat_id=-500)

    for text in ("/halt", "/close all"):
        chat.message(text, 55, chat=group)
    chat.message("/version", 55, chat=group)

    refused, also, told = api.texts()
    assert "works in a private chat only" in refused
    assert "works in a private chat only" in also
    assert "Julaba" in told
    assert (state(), Confirmation.objects.count()) == ("active", 0)


@pytest.mark.parametrize("text", ["/halt", "/close all", "/pause", "/panic", "/setparam risk_fraction 0.01"])
def test_an_act_that_arrives_late_is_not_done(chat: Chat, api: BotApi, text: str) -> None:
    chat.message(text, ADMIN, age_s=61)

    assert "is older than 60 s" in api.texts()[-1]
    assert (state(), Confirmation.objects.count()) == ("active", 0)


def test_an_act_that_waited_here_is_not_done(chat: Chat, api: BotApi) -> None:
    number = chat.message("/version", TRADER)
    Update.objects.filter(pk=number).update(text="/halt", handled_at=None, claimed_at=None)

    inbox.handle(number, now=timezone.now() + dispatcher.OLD + timedelta(seconds=1))

    assert state() == "active"


def test_an_act_that_names_a_bot_may_be_meant_for_another(chat: Chat, api: BotApi) -> None:
    chat.message("/halt@some_other_bot", TRADER)

    assert "send it without the name" in api.texts()[-1]
    assert state() == "active"


def test_a_parameter_goes_through_the_gate(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/setparam Risk_Fraction 0.01", ADMIN)
    assert "From 0.02 to 0.01" in asked["text"]
    assert "how much money can be lost" in asked["text"]

    assert confirm(chat, asked, ADMIN) == "risk_fraction is 0.01: revision 2."

    revision = ParameterRevision.objects.latest("number")
    assert (revision.values["risk_fraction"], revision.author_name, revision.reason) == (0.01, "user33", "by Telegram")


def test_a_parameter_that_somebody_changed_meanwhile_is_left_alone(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/setparam risk_fraction 0.01", ADMIN)
    parameters.revise(values={"adx_min_trend": 20}, reason="x", author=None, expected_number=1, now=timezone.now())

    assert confirm(chat, asked, ADMIN).startswith("not done: revision 2 came after revision 1")
    assert parameters.current(now=timezone.now()).number == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("risk_fraction", "give a name and a value"),
        ("risk_fraction 5", "outside"),
        ("risk_fraction NaN", "is no value"),
        ("risk_fraction [[[", "is no value"),
        ("nothing 1", "is no parameter"),
        ("kelly 1", "not true or false"),
        ("timeframe 9z", "not one of"),
        ("pairs <b>", "is not a symbol"),
        ("trading_mode live", "is no parameter"),
    ],
)
def test_an_impossible_parameter_is_told_in_words(chat: Chat, api: BotApi, text: str, words: str) -> None:
    chat.message(f"/setparam {text}", ADMIN)

    assert words in api.texts()[-1].lower()
    assert not Confirmation.objects.exists()


@pytest.mark.parametrize(
    ("text", "value"), [("kelly off", False), ("pairs btc/usdt eth/usdt", ["BTC/USDT", "ETH/USDT"])]
)
def test_switches_and_lists_are_written_as_people_do(chat: Chat, api: BotApi, text: str, value: object) -> None:
    said = confirm(chat, ask(chat, api, f"/setparam {text}", ADMIN), ADMIN)

    assert "is being compared with revision 1" in said
    assert ParameterDraft.objects.get().values[text.split()[0]] == value
    assert parameters.current(now=timezone.now()).number == 1


def test_nothing_open_means_nothing_to_close(chat: Chat, api: BotApi) -> None:
    Trade.objects.update(status="closed")

    chat.message("/close all", TRADER)

    assert "nothing is open" in api.texts()[-1].lower()


def test_while_telegram_is_down_an_act_is_still_done_once(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/pause")
    api.fault("down", "all")

    confirm(chat, asked)

    assert (state(), StateChange.objects.count()) == ("close_only", 1)
