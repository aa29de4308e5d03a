"""What people decide by message: the AI's mode, drafts that the gate holds back; and buttons that choose for an act."""

from __future__ import annotations

import pytest
from django.utils import timezone

from notifications.models import Confirmation, Role
from tests import factories
from tests.notifications.conftest import ROLES, Chat, buttons
from tests.telegram.launch import BotApi
from trading import selectors
from trading.models import DraftStatus, Event, ParameterDraft, StateChange, Trade, TradeStatus
from trading.services import parameters

pytestmark = pytest.mark.django_db
VIEWER, TRADER, ADMIN = (ROLES[role] for role in (Role.VIEWER, Role.TRADER, Role.ADMIN))


def press(chat: Chat, api: BotApi, label: str, sender: int) -> int:
    """Press a button under the newest message."""
    newest = api.sent()[-1]
    return chat.press(buttons(newest)[label], sender, newest["message_id"])


@pytest.fixture
def draft(account: None) -> ParameterDraft:
    now = timezone.now()
    base = parameters.current(now=now)
    parameters.propose(values={"max_open_trades": 5}, reason="more", author=None, by="ann",
                       expected_number=base.number, now=now)  # fmt: skip
    ParameterDraft.objects.update(status=DraftStatus.HELD, finding="its Sharpe is worse")
    return ParameterDraft.objects.get()


@pytest.mark.usefixtures("account")
def test_the_mode_is_chosen_by_a_button_and_confirmed_by_another(chat: Chat, api: BotApi) -> None:
    chat.message("/aimode", ADMIN)
    assert "The AI is in mode filter" in api.texts()[0]
    assert list(buttons(api.sent()[0])) == ["off", "advisory", "hybrid", "autonomous", "Cancel"]

    press(chat, api, "off", ADMIN)
    assert "AI mode off?" in api.texts()[-1]
    assert selectors.params().ai_mode == "filter"
    press(chat, api, "Confirm", ADMIN)

    asked = ParameterDraft.objects.filter(changes__0__name="ai_mode").exists()
    assert asked or selectors.params().ai_mode == "off"


@pytest.mark.usefixtures("account")
def test_a_mode_that_is_none_is_told_with_those_that_are(chat: Chat, api: BotApi) -> None:
    chat.message("/aimode yolo", ADMIN)
    chat.message("/aimode filter", ADMIN)

    assert "Yolo is none of off, filter, advisory, hybrid, autonomous" in api.texts()[0]
    assert "The AI is in mode filter already" in api.texts()[1]
    assert not Confirmation.objects.exists()


def test_a_draft_that_was_held_back_is_approved_in_two_steps(chat: Chat, api: BotApi, draft: ParameterDraft) -> None:
    chat.message(f"/approve {draft.pk} I know why", ADMIN)
    assert "its Sharpe is worse" in api.texts()[0]
    assert "max_open_trades 3 to 5" in api.texts()[0]
    assert selectors.params().max_open_trades == 3

    press(chat, api, "Confirm", ADMIN)

    draft.refresh_from_db()
    assert (draft.status, draft.overrule_reason, draft.settled_by) == ("active", "I know why", "user33")
    assert selectors.params().max_open_trades == 5


def test_a_draft_is_discarded_and_then_there_is_none(chat: Chat, api: BotApi, draft: ParameterDraft) -> None:
    chat.message("/drafts", VIEWER)
    chat.message("/discard", ADMIN)
    press(chat, api, "Confirm", ADMIN)
    chat.message("/approve", ADMIN)

    assert f"{draft.pk} by ann, held back" in api.texts()[0]
    assert "No proposed parameters wait" in api.texts()[-1]
    assert ParameterDraft.objects.get().status == DraftStatus.DISCARDED


def test_a_trader_approves_nothing(chat: Chat, api: BotApi, draft: ParameterDraft) -> None:
    chat.message(f"/approve {draft.pk}", TRADER)

    assert "it needs the role risk" in api.texts()[0]
    assert not Confirmation.objects.exists()


@pytest.mark.usefixtures("account")
def test_a_trade_to_close_is_chosen_by_a_button(chat: Chat, api: BotApi) -> None:
    wanted = str(Trade.objects.filter(status=TradeStatus.OPEN).order_by("pk").first().pk)  # type: ignore[union-attr]
    chat.message("/close", TRADER)
    assert {wanted, "all", "Cancel"} <= set(buttons(api.sent()[0]))

    press(chat, api, wanted, TRADER)

    assert "Close 1 trade?" in api.texts()[-1]
    assert Confirmation.objects.get().arguments == {"trades": [int(wanted)]}
    assert not Event.objects.filter(kind="manual_close").exists()


@pytest.mark.usefixtures("account")
def test_cancel_under_a_choice_does_nothing(chat: Chat, api: BotApi) -> None:
    chat.message("/close", TRADER)
    press(chat, api, "Cancel", TRADER)

    assert "Nothing was done" in api.texts()[-1]
    assert not Confirmation.objects.exists()


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("data", ["a|halt", "a|status", "a|", "a|nothing 1", "a|halt now"])
def test_a_made_up_choice_does_nothing(chat: Chat, api: BotApi, data: str) -> None:
    chat.message("/close", TRADER)
    chat.press(data, TRADER, api.sent()[0]["message_id"])

    assert (StateChange.objects.count(), Confirmation.objects.count(), len(api.sent())) == (0, 0, 1)


@pytest.mark.usefixtures("account")
def test_a_choice_of_somebody_else_is_judged_by_their_own_role(chat: Chat, api: BotApi) -> None:
    chat.press("a|close all", VIEWER, 100)

    assert (Confirmation.objects.count(), api.sent()) == (0, [])
    assert "It needs the role trader" in api.calls("answerCallbackQuery")[0]["text"]


@pytest.mark.usefixtures("account")
def test_a_choice_in_a_group_does_nothing(chat: Chat, api: BotApi) -> None:
    from notifications.models import Contact

    trader = Contact.objects.get(telegram_user_id=TRADER)
    Contact.objects.create(user=trader.user, telegram_user_id=TRADER, chat_id=-5)

    chat.press("a|close all", TRADER, 100, chat={"id": -5, "type": "group"})

    assert Confirmation.objects.count() == 0


def test_symbols_are_offered_where_one_is_wanted(chat: Chat, api: BotApi) -> None:
    factories.bot(timezone.now())
    chat.message("/why", VIEWER)

    press(chat, api, "ETH", VIEWER)

    assert "Why ETH/USDT" in api.texts()[-1]
