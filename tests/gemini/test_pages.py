"""The button on the panels, the page on which people ask, and the API: for those who are logged in, with a token, as text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from mlops import chat, panels
from mlops.gemini import prompts
from mlops.models import ChatMessage, ChatSource
from tests import factories, page_factories
from tests.gemini import rows
from tests.gemini.conftest import NOW
from tests.gemini.server import Gemini
from tests.mlops import report_rows
from trading.models import BacktestRun

pytestmark = pytest.mark.django_db
TEMPLATES = Path(__file__).resolve().parents[2] / "dashboard" / "templates"
VENDORS = "{'google.genai', 'google.generativeai', 'grpc', 'numba', 'pandas', 'xgboost', 'sklearn'}"


@pytest.fixture
def reader(client: Client) -> User:
    user = factories.user(is_staff=False)
    client.force_login(user)
    return user


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(path, json.dumps(body or {}), content_type="application/json")


def test_each_panel_is_explained_empty_and_full_from_numbers_alone() -> None:
    empty = {name: panels.snapshot(name, now=NOW) for name in panels.PANELS}
    page_factories.fill(NOW)
    rows.scan(NOW)
    report_rows.fill(NOW)
    BacktestRun.objects.create(parameters={}, symbols=[], timeframe="15m", requested_by_name="anna", requested_at=NOW)
    full = {name: panels.snapshot(name, now=NOW) for name in panels.PANELS}

    for name, shown in [*empty.items(), *full.items()]:
        assert shown.says, name
        assert all(line.strip() and not re.search(r"None|nan|[{}]", line) for line in shown.says), name
        assert prompts.data(shown.data), name
    assert {name: shown.title for name, shown in empty.items()} == {name: shown.title for name, shown in full.items()}
    assert all(shown.data for shown in full.values())
    assert [name for name in full if list(full[name].says) == list(empty[name].says)] == []


def test_an_explanation_says_what_stands_out() -> None:
    page_factories.fill(NOW)

    assert panels.snapshot("risk", now=NOW).says[1] == "Reached: open trades, so no further trade is entered."
    assert panels.snapshot("open", now=NOW).says[:2] == [
        "3 positions open. If every stop were hit now, 141.42 would be lost, 1.4% of equity.",
        "BTC/USDT long stands at +1.73 R, 1 target hit, for 3 h.",
    ]
    assert panels.snapshot("performance", now=NOW).says[-1] == (
        "With fewer than 30 trades these ratios are mostly chance."
    )


def test_every_button_names_a_panel_that_there_is(client: Client, reader: User) -> None:
    factories.overview(NOW)
    named = set()
    for path in (
        "/",
        "/positions/",
        "/risk/",
        "/performance/",
        "/health/",
        "/signals/",
        "/trades/",
        "/journal/",
        "/reconciliation/",
    ):
        found = re.findall(r'data-explain="([a-z]+)"', client.get(path).content.decode())
        assert found
        assert len(found) == len(set(found))
        named |= set(found)

    assert named <= set(panels.NAMES)
    assert len(named) >= 10


def test_a_panel_is_explained_and_the_row_is_kept(client: Client, reader: User) -> None:
    factories.overview(NOW)

    told = client.post("/explain/risk/").json()

    row = ChatMessage.objects.get()
    assert (row.kind, row.topic, row.user, row.user_name) == ("explain", "risk", reader, reader.get_username())
    assert (told["answer"], told["source"], told["is_waiting"]) == (row.answer, "rules", False)
    assert told["by"] == "Julaba's rules, without AI."


def test_strangers_and_forged_requests_are_not_answered(client: Client) -> None:
    assert client.post("/explain/risk/").status_code == 302
    assert client.get("/chat/").status_code == 302
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(factories.user())
    assert forged.post("/explain/risk/").status_code == 403
    assert forged.post("/chat/", {"question": "why?"}).status_code == 403
    assert ChatMessage.objects.count() == 0


@pytest.mark.parametrize(("path", "status"), [("/explain/nothing/", 404), ("/explain/answers/1/", 404)])
def test_what_there_is_not_is_not_found(client: Client, reader: User, path: str, status: int) -> None:
    ask = client.get if "answers" in path else client.post

    assert ask(path).status_code == status


def test_looking_asks_nobody(client: Client, reader: User) -> None:
    assert client.get("/explain/risk/").status_code == 405
    assert client.get("/chat/").status_code == 200
    assert client.get("/api/v1/commentary").status_code == 200
    assert ChatMessage.objects.count() == 0


def test_too_many_questions_are_told_so(client: Client, reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "MOST_A_MINUTE", 1)

    assert client.post("/explain/risk/").status_code == 200
    refused = client.post("/explain/risk/")
    assert (refused.status_code, refused.json()["detail"][:9]) == (429, "At most 1")
    throttled = post(client, "/api/v1/chat", {"question": "why?"})
    assert (throttled.status_code, throttled.headers["Content-Type"]) == (429, "application/problem+json")


def test_an_answer_is_the_readers_own(client: Client, reader: User, gemini: Gemini) -> None:
    gemini.say("It is quiet.")
    told = client.post("/explain/risk/").json()
    assert (told["is_waiting"], told["answer"]) == (True, None)
    address = f"/explain/answers/{told['id']}/"
    assert client.get(address).json()["is_waiting"] is True

    chat.answer(told["id"], now=ChatMessage.objects.get().asked_at)

    after = client.get(address).json()
    assert (after["answer"], after["source"], after["model"]) == ("It is quiet.", "gemini", "gemini-test-1")
    other = Client()
    other.force_login(factories.user("other"))
    assert other.get(address).status_code == 404
    assert other.get(f"/api/v1/chat/{told['id']}").status_code == 404


def test_the_page_shows_what_was_asked_and_answered(client: Client, reader: User) -> None:
    factories.overview(NOW)

    answered = client.post("/chat/", {"question": "How close are the limits?"}, follow=True)

    page = answered.content.decode()
    assert "How close are the limits?" in page
    assert "Reached: open trades" in page
    assert "Julaba&#x27;s rules, without AI." in page


def test_nothing_asked_is_said_so(client: Client, reader: User) -> None:
    page = client.post("/chat/", {"question": "  "}, follow=True).content.decode()

    assert "Ask something in words." in page


def test_the_api_asks_and_answers(client: Client, reader: User, gemini: Gemini) -> None:
    gemini.say("Because volume is low.")

    asked = post(client, "/api/v1/chat", {"question": "why?"})
    assert (asked.status_code, asked.json()["is_waiting"]) == (202, True)
    message = ChatMessage.objects.get()
    chat.answer(message.pk, now=message.asked_at)
    told = client.get(f"/api/v1/chat/{message.pk}").json()

    assert (told["answer"], told["source"]) == ("Because volume is low.", ChatSource.GEMINI)
    explained = post(client, "/api/v1/explain", {"panel": "risk"})
    assert (explained.status_code, explained.json()["topic"]) == (202, "risk")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v1/explain", {"panel": "nothing"}, "panel"),
        ("/api/v1/explain", {}, "panel"),
        ("/api/v1/chat", {"question": 7}, "question"),
        ("/api/v1/chat", ["why"], "question"),
    ],
)
def test_the_api_names_what_to_correct(client: Client, reader: User, path: str, body: Any, field: str) -> None:
    refused = post(client, path, body)

    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_the_process_that_serves_pages_knows_nothing_of_google() -> None:
    code = f"import django; django.setup(); import julaba_site.asgi, dashboard.urls, sys; from mlops import chat, assistant; print(*sorted({VENDORS} & set(sys.modules)))"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "GEMINI_API_KEY": "AIza-some-key-0123456789",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)

    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
