"""Questions in words by Telegram: answered with text where they were asked, at once by the rules and later by Gemini."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from mlops import chat as talk
from mlops.assistant import Assistant
from mlops.models import ChatMessage, GeminiState
from notifications.models import Delivery, Role
from notifications.services import answers, outbox
from tests.gemini import rows, server
from tests.gemini.conftest import turn
from tests.gemini.server import Gemini
from tests.notifications.conftest import NOW, ROLES, Chat
from tests.telegram.launch import BotApi
from trading.models import Advice, Signal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]
VIEWER = ROLES[Role.VIEWER]


@pytest.fixture
def gemini(settings: LazySettings) -> Iterator[Gemini]:
    with server.running() as running:
        yield turn(settings, running)


def test_free_text_is_answered_from_the_state(chat: Chat, api: BotApi) -> None:
    number = chat.message("How close are the limits?", VIEWER)

    assert chat.outcome(number) == "answered in words"
    (text,) = api.texts()
    assert "Reached: open trades, so no further trade is entered." in text
    assert text.startswith("PAPER · <b>Julaba</b>")
    assert "Julaba's rules, without AI." in text


def test_markup_in_an_answer_is_escaped(chat: Chat, api: BotApi) -> None:
    ChatMessage.objects.create(
        kind="commentary", user_name="", asked_at=timezone.now(), answer="<b>buy</b> & <a href='x'>now</a>"
    )

    chat.message("/intel", VIEWER)

    assert "&lt;b&gt;buy&lt;/b&gt; &amp; &lt;a href='x'&gt;now&lt;/a&gt;" in api.texts()[0]


def test_in_a_group_and_to_strangers_nothing_is_said(chat: Chat, api: BotApi) -> None:
    group = {"id": VIEWER, "type": "group"}
    chat.message("How close are the limits?", VIEWER, chat=group)
    chat.message("How close are the limits?", 99)

    assert (api.sent(), ChatMessage.objects.count()) == ([], 0)


def test_gemini_answers_with_a_message_of_its_own(chat: Chat, api: BotApi, gemini: Gemini) -> None:
    gemini.say("The limit of open trades is reached.\n\nWatch it.")

    chat.message("How close are the limits?", VIEWER)
    assert "Gemini is asked; its answer follows." in api.texts()[0]
    message = ChatMessage.objects.get()
    assert message.reply_to == outbox.chat(VIEWER)
    talk.answer(message.pk, now=timezone.now())
    talk.answer(message.pk, now=timezone.now())
    outbox.deliver(now=timezone.now())

    told = api.texts()
    assert len(told) == 2
    assert told[1].startswith("PAPER · <b>Question</b>\nThe limit of open trades is reached.\n\nWatch it.")
    assert "Gemini (gemini-test-1); it may be wrong, and nothing it says is carried out." in told[1]


def test_an_answer_is_sent_once_however_often_it_is_told(chat: Chat) -> None:
    for _ in range(3):
        answers.hear(key="chat:7", channel=outbox.chat(VIEWER), title="Question", text="x " * 5_000, now=NOW)

    parts = list(Delivery.objects.filter(key__startswith="chat:7:").order_by("pk").values_list("text", flat=True))
    assert len(parts) == 3
    assert sum(part.count("x") for part in parts) == 5_000


def test_a_symbol_is_analysed(chat: Chat, api: BotApi) -> None:
    rows.scan(timezone.now())

    chat.message("/analyze btc", VIEWER)
    chat.message("/analyze DOGE", VIEWER)

    analysed, refused = api.texts()
    assert "<b>Analysis of BTC/USDT</b>" in analysed
    assert "BTC/USDT was trend at 100 in the scan of 3 min ago and came 1 of 3 with 68 of 100 points" in analysed
    assert "A long trade is open on it." in analysed
    assert "DOGE is not watched" in refused


def test_the_market_is_commented_on(chat: Chat, api: BotApi) -> None:
    rows.scan(timezone.now())

    chat.message("/intel", VIEWER)

    assert "BTC/USDT leads with 68 of 100 points" in api.texts()[0]


def test_who_answers_is_told_without_a_key(chat: Chat, api: BotApi) -> None:
    chat.message("/ai", VIEWER)

    (text,) = api.texts()
    assert "rules, without AI: no key is set" in text
    assert "Breaker" not in text


def test_who_answers_is_told_with_budget_breaker_and_last_answers(gemini: Gemini) -> None:
    signal = Signal.objects.order_by("pk").first()
    assert signal is not None
    Advice.objects.create(
        signal=signal, source="ai", approve=False, confidence=0.81, influence=1.0, reason="", model="m", at=NOW
    )
    GeminiState.objects.create(
        pk=1,
        failures_in_row=3,
        open_until=NOW + timedelta(seconds=30),
        last_error="Gemini answered with status 500",
        last_error_at=NOW,
    )

    told = dict(Assistant().status(now=NOW + timedelta(seconds=5)))

    assert told["Who answers"] == "Gemini, gemini-test-1"
    assert told["Tokens"] == "0 of 1,000,000"
    assert told["Cost"] == "$0.0000 of $1.00"
    assert told["Breaker"] == "left alone until 12:00:30 UTC, 3 failures in a row"
    assert told["Last failure"] == "5 s ago: Gemini answered with status 500"
    assert told["5 s ago"] == f"{signal.symbol} {signal.side}: no 0.81"


def test_too_many_questions_are_told_so(chat: Chat, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "MOST_A_MINUTE", 1)

    chat.message("why is it quiet?", VIEWER)
    chat.message("why is it, really?", VIEWER)

    assert "At most 1 questions a minute are answered: ask again in a moment." in api.texts()[1]
