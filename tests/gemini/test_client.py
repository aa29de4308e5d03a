"""One question to Gemini: what comes back, what is refused, what it costs, and when nobody is asked any more."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings

from mlops.gemini import answers, breaker, budget, client, kits, prompts
from mlops.gemini.answers import Opinion
from mlops.gemini.client import Reply
from mlops.models import GeminiState, GeminiUsage
from tests.gemini.conftest import NOW
from tests.gemini.server import AGAINST, KEY, MODEL, NO, USAGE, YES, Gemini, envelope
from trading.models import Event

pytestmark = pytest.mark.django_db

DATA: dict[str, prompts.Value] = {"setup": {"symbol": "BTC/USDT", "side": "long", "price": 67_000.0}}
COST = 270
"""Of one answer, in millionths of a dollar: 400 tokens at 0.30 and 60 at 2.50."""


def ask(now: Any = NOW) -> Reply[Opinion]:
    return client.ask("opinion", DATA, schema=answers.OPINION_SCHEMA, read=answers.opinion, now=now)


def usage() -> tuple[int, int, int, int]:
    row = GeminiUsage.objects.get()
    return row.tokens, row.cost_micro_usd, row.calls, row.failures


def test_an_answer_comes_with_its_price_and_its_prompt(either: Gemini) -> None:
    reply = ask()

    assert reply.value == Opinion(
        approve=True, confidence=0.83, reasoning=str(YES["reasoning"]), risk="low", against=AGAINST
    )
    assert (reply.reason, reply.model, reply.tokens, reply.cost_micro_usd) == ("", MODEL, 460, COST)
    assert reply.prompt == prompts.load("opinion").stamp
    assert reply.latency_ms > 0
    assert usage() == (460, COST, 1, 0)


def test_a_no_is_an_answer(either: Gemini) -> None:
    either.say(NO)

    reply = ask()

    assert reply.value is not None
    assert (reply.value.approve, reply.value.confidence, reply.value.risk) == (False, 0.9, "high")


def test_both_kits_ask_the_same_and_show_the_key_in_a_header_alone(either: Gemini) -> None:
    ask()

    (call,) = either.calls
    assert call.path.partition("?")[0] == f"/v1beta/models/{MODEL}:generateContent"
    assert call.headers["x-goog-api-key"] == KEY
    assert KEY not in call.path
    assert KEY.encode() not in call.raw
    assert [name for name, value in call.headers.items() if KEY in value] == ["x-goog-api-key"]
    assert prompts.load("opinion").text in call.text
    assert call.text.endswith(prompts.data(DATA))
    config = call.body["generationConfig"]
    schema = config.get("responseJsonSchema") or config["responseSchema"]
    assert (set(schema["properties"]), config["candidateCount"]) == (set(YES), 1)
    assert "tools" not in call.body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_refusal_costs_nothing_and_repeats_nothing_of_what_was_said(either: Gemini, status: int) -> None:
    either.fault, either.status = "status", status

    reply = ask()

    assert reply.value is None
    assert str(status) in reply.reason
    assert KEY not in reply.reason
    assert (len(either.calls), usage()) == (1, (0, 0, 1, 1))


@pytest.mark.parametrize("fault", ["cut", "html", "huge", "empty", "broken"])
def test_half_an_answer_is_none_and_is_booked_at_its_most(either: Gemini, fault: str) -> None:
    either.fault = fault

    reply = ask()

    assert reply.value is None
    assert reply.reason
    tokens, cost, calls, failures = usage()
    assert (len(either.calls), calls, failures) == (1, 1, 1)
    assert tokens > client.MOST_TOKENS
    assert cost > 0


@pytest.mark.parametrize("fault", ["silent", "drip"])
def test_nobody_is_waited_for_beyond_the_time_there_is(
    either: Gemini, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BUDGET_S", 0.2)
    either.fault = fault

    reply = ask()

    assert reply.value is None
    assert reply.reason
    # The other side would have gone on for half a minute.
    assert not either.released.is_set()


def test_a_kit_that_hangs_is_left_behind(gemini: Gemini, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()

    class Hanging:
        FAILURES = (ValueError,)

        @staticmethod
        def generate(call: object) -> object:
            hangs.wait(30)
            return None

    monkeypatch.setattr(client, "BUDGET_S", 0.05)
    monkeypatch.setattr(kits, "load", lambda name: Hanging)

    assert ask().reason == "Gemini did not answer in time"
    hangs.set()


def test_nobody_there_is_said_so(either: Gemini, settings: LazySettings) -> None:
    settings.GEMINI_ENDPOINT = "http://127.0.0.1:1"

    reply = ask()

    assert reply.value is None
    assert reply.reason == "Gemini cannot be reached: connection refused"
    assert usage() == (0, 0, 1, 1)


@pytest.mark.parametrize("endpoint", ["http://192.0.2.1", "ftp://127.0.0.1", "http://localhost.evil.example"])
def test_the_key_leaves_this_machine_by_https_alone(gemini: Gemini, settings: LazySettings, endpoint: str) -> None:
    settings.GEMINI_ENDPOINT = endpoint

    assert ask().value is None
    assert gemini.calls == []


def test_without_a_key_nothing_is_sent_and_nothing_is_booked(gemini: Gemini, settings: LazySettings) -> None:
    settings.GEMINI_API_KEY = ""

    assert ask() == Reply(value=None, reason="no key for Gemini is set")
    assert (gemini.calls, GeminiUsage.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("_case", "body"),
    [
        ("a list", []),
        ("null", None),
        ("no candidate", {"candidates": []}),
        ("two candidates", {"candidates": [*envelope("{}")["candidates"], *envelope("{}")["candidates"]]}),
        ("a blocked prompt", {"promptFeedback": {"blockReason": "SAFETY"}}),
        ("a blocked prompt with an answer", {**envelope(json.dumps(YES)), "promptFeedback": {"blockReason": "OTHER"}}),
        ("broken off", {"candidates": [{"content": {"parts": [{"text": "{}"}]}, "finishReason": "MAX_TOKENS"}]}),
        ("a call of a function", {"candidates": [{"content": {"parts": [{"functionCall": {"name": "buy"}}]}}]}),
        ("no parts", {"candidates": [{"content": {"role": "model"}}]}),
        ("text that is none", {"candidates": [{"content": {"parts": [{"text": 7}]}}]}),
        ("tokens below zero", {**envelope(json.dumps(YES)), "usageMetadata": {"promptTokenCount": -1}}),
        ("tokens in words", {**envelope(json.dumps(YES)), "usageMetadata": {"promptTokenCount": "many"}}),
        ("candidates twice", b'{"candidates": [], ' + json.dumps(envelope(json.dumps(YES))).encode()[1:]),
        ("not a number", b'{"candidates": NaN}'),
        ("deep", b"[" * 20_000),
        ("no text at all", b"\xff\xfe\x00"),
    ],
)
def test_what_is_no_answer_of_geminis_is_none(either: Gemini, _case: str, body: Any) -> None:
    either.envelope = body if body is not None else b"null"

    reply = ask()

    assert reply.value is None
    assert reply.reason
    assert (len(either.calls), GeminiUsage.objects.get().failures) == (1, 1)


def test_an_answer_that_counts_no_tokens_is_booked_at_its_most(gemini: Gemini) -> None:
    gemini.usage = None

    reply = ask()

    assert reply.value is not None
    assert reply.tokens > client.MOST_TOKENS
    assert usage()[0] == reply.tokens


def test_thinking_is_paid_for(gemini: Gemini) -> None:
    gemini.usage = {**USAGE, "thoughtsTokenCount": 100, "totalTokenCount": 560}

    assert ask().cost_micro_usd == 400 * Decimal("0.30") + 160 * Decimal("2.50")


# The budget ------------------------------------------------------------------------------------------


def test_the_days_budget_of_tokens_ends_the_questions(gemini: Gemini, settings: LazySettings) -> None:
    # As much as one question may take at most and another one took.
    sent = len(prompts.load("opinion").text.encode()) + len(prompts.data(DATA).encode())
    settings.GEMINI_TOKENS_PER_DAY = sent // 3 + client.MOST_TOKENS + 460

    replies = [ask() for _ in range(4)]

    used_up = "the day's budget for Gemini is used up"
    assert [reply.reason for reply in replies] == ["", "", used_up, used_up]
    assert len(gemini.calls) == 2


def test_a_question_that_is_under_way_holds_its_part_of_the_budget(gemini: Gemini, settings: LazySettings) -> None:
    settings.GEMINI_TOKENS_PER_DAY = 1_500

    first = budget.book(tokens_in=100, tokens_out=900, now=NOW)
    assert budget.book(tokens_in=100, tokens_out=900, now=NOW) is None

    assert first is not None
    budget.settle(first, tokens=200, cost=0, failed=False)
    assert budget.book(tokens_in=100, tokens_out=900, now=NOW) is not None


def test_the_budget_of_money_ends_them_too_and_the_next_day_is_new(gemini: Gemini, settings: LazySettings) -> None:
    settings.GEMINI_USD_PER_DAY = Decimal("0.0029")

    assert [bool(ask().value) for _ in range(2)] == [True, False]

    assert ask(NOW + timedelta(days=1)).value is not None
    assert GeminiUsage.objects.count() == 2
    assert budget.spent(now=NOW).cost == Decimal(COST) / 1_000_000


def test_what_is_used_up_does_not_open_the_breaker(gemini: Gemini, settings: LazySettings) -> None:
    settings.GEMINI_TOKENS_PER_DAY = 0

    assert [ask().value for _ in range(5)] == [None] * 5
    assert breaker.state().open_until is None


# The breaker -----------------------------------------------------------------------------------------


def test_after_three_failures_gemini_is_left_alone_then_tried_once(gemini: Gemini) -> None:
    gemini.fault = "status"
    for _ in range(5):
        ask()
    assert len(gemini.calls) == breaker.FAILURES
    assert "left alone until 12:01:00 UTC" in ask().reason
    assert list(Event.objects.values_list("kind", flat=True)) == ["ai_down"]

    ask(NOW + timedelta(seconds=61))
    assert len(gemini.calls) == 4
    assert breaker.state().open_until == NOW + timedelta(seconds=61) + 2 * breaker.PAUSE

    gemini.fault = ""
    assert ask(NOW + timedelta(minutes=10)).value is not None
    assert ask(NOW + timedelta(minutes=10)).value is not None
    assert breaker.state().failures_in_row == 0
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True)) == ["ai_down", "ai_back"]


def test_one_question_tries_while_the_others_wait(gemini: Gemini) -> None:
    GeminiState.objects.create(pk=1, failures_in_row=3, open_until=NOW - timedelta(seconds=1))

    assert breaker.refusal(now=NOW) == ""
    assert breaker.refusal(now=NOW).startswith("Gemini is left alone")
    assert breaker.refusal(now=NOW + breaker.TRIAL + timedelta(seconds=1)) == ""


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refused_key_or_an_empty_quota_opens_it_at_once(gemini: Gemini, status: int) -> None:
    gemini.fault, gemini.status = "status", status

    ask()
    ask()

    assert len(gemini.calls) == 1
    assert breaker.state().open_until == NOW + breaker.PAUSE


def test_the_pause_grows_to_a_quarter_of_an_hour(gemini: Gemini) -> None:
    gemini.fault, now = "status", NOW
    for _ in range(12):
        ask(now)
        now = max(now, breaker.state().open_until or now)

    assert breaker.state().open_until is not None
    ask(now)
    until = breaker.state().open_until
    assert until is not None
    assert until - now == breaker.LONGEST_PAUSE


def test_answers_that_cannot_be_used_open_it_too(gemini: Gemini) -> None:
    gemini.say("Sure! I approve.")
    for _ in range(5):
        ask()

    assert len(gemini.calls) == breaker.FAILURES
    assert usage()[:1] == (3 * 460,)
