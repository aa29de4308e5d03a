"""The AI's proposals by Telegram: told, listed, and decided in two steps by those who may trade."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications.models import Alert, Role
from notifications.services import journal
from tests.notifications.conftest import ROLES, Chat, buttons
from tests.telegram.launch import BotApi
from trading import events
from trading.models import Proposal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]
VIEWER, TRADER = ROLES[Role.VIEWER], ROLES[Role.TRADER]


@pytest.fixture
def proposal() -> Proposal:
    now = timezone.now()
    return Proposal.objects.create(
        symbol="XRP/USDT", side="long", price=0.5123, mode="hybrid", confidence=0.85, reason="<b>a trend</b>", risk="low",
        created_at=now, expires_at=now + timedelta(minutes=20),
    )  # fmt: skip


def asked(chat: Chat, api: BotApi, text: str, sender: int = TRADER) -> dict[str, Any]:
    chat.message(text, sender)
    return api.sent()[-1]


@pytest.mark.parametrize(("act", "status"), [("confirm", "confirmed"), ("reject", "rejected")])
def test_a_trader_decides_in_two_steps(chat: Chat, api: BotApi, proposal: Proposal, act: str, status: str) -> None:
    message = asked(chat, api, f"/{act} {proposal.pk}")
    assert "XRP/USDT" in message["text"]
    assert "&lt;b&gt;a trend&lt;/b&gt;" in message["text"]
    assert Proposal.objects.get().status == "pending"

    outcome = chat.outcome(chat.press(buttons(message)["Confirm"], TRADER, message["message_id"]))

    assert outcome.startswith(f"Proposal {proposal.pk} is {status}")
    assert (Proposal.objects.get().status, Proposal.objects.get().decided_by) == (status, "user22 by Telegram")


def test_one_that_expired_meanwhile_is_not_confirmed(chat: Chat, api: BotApi, proposal: Proposal) -> None:
    message = asked(chat, api, f"/confirm {proposal.pk}")
    Proposal.objects.update(expires_at=timezone.now())

    outcome = chat.outcome(chat.press(buttons(message)["Confirm"], TRADER, message["message_id"]))

    assert "not done" in outcome
    assert "nobody decided in time" in outcome
    assert Proposal.objects.get().status == "pending"  # the next tick writes that it expired


@pytest.mark.parametrize("act", ["confirm", "reject"])
def test_who_only_looks_decides_nothing(chat: Chat, api: BotApi, proposal: Proposal, act: str) -> None:
    message = asked(chat, api, f"/{act} {proposal.pk}", VIEWER)

    assert "needs the role" in message["text"]
    assert Proposal.objects.get().status == "pending"


@pytest.mark.parametrize("text", ["/confirm 999", "/confirm all", "/reject x"])
def test_a_proposal_has_to_be_named(chat: Chat, api: BotApi, proposal: Proposal, text: str) -> None:
    assert f"Name a proposal: {proposal.pk}" in asked(chat, api, text)["text"]


def test_the_only_one_needs_no_number_and_of_several_one_has_to_be_named(
    chat: Chat, api: BotApi, proposal: Proposal
) -> None:
    assert f"Confirm proposal {proposal.pk}?" in asked(chat, api, "/confirm")["text"]

    proposal.pk, proposal.symbol = None, "ADA/USDT"
    proposal.save()

    assert f"Name a proposal: {proposal.pk - 1}, {proposal.pk}" in asked(chat, api, "/confirm")["text"]


def test_free_text_confirms_nothing(chat: Chat, proposal: Proposal) -> None:
    for text in ("confirm", "yes, confirm it", f"confirm {proposal.pk}"):
        chat.message(text, TRADER)

    assert Proposal.objects.get().status == "pending"


def test_what_is_to_be_decided_is_listed(chat: Chat, api: BotApi, proposal: Proposal) -> None:
    assert (
        f"{proposal.pk}: long XRP/USDT at 0.51230, waits for a person" in asked(chat, api, "/proposals", VIEWER)["text"]
    )
    Proposal.objects.update(status="rejected")
    assert "Nothing is to be decided." in asked(chat, api, "/proposals", VIEWER)["text"]


def test_people_are_told_of_a_proposal() -> None:
    now = timezone.now()
    journal.relay(now=now)

    events.emit("proposal", at=now, text="The AI proposes long XRP/USDT", symbol="XRP/USDT")
    journal.relay(now=now)

    assert Alert.objects.get(kind="proposal").text == "The AI proposes long XRP/USDT"
