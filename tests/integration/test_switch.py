"""The kill switch on the pages and in the API: who may, what it needs, and that a refused one changes nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests import factories
from trading.models import Bot, StateChange, TradingState

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
API = "/api/v1/trading-state"


@pytest.fixture
def operator(client: Client) -> Client:
    """Log somebody in who has the permission and nothing else."""
    user = factories.user("olga", is_staff=False)
    user.user_permissions.add(Permission.objects.get(codename="change_trading_state"))
    client.force_login(user)
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(factories.user("vera", is_staff=False))
    return client


def press(client: Client, state: str, reason: str = "looks odd") -> str:
    """Press a button of the frame's form and return the page that follows."""
    return client.post("/trading-state/", {"state": state, "reason": reason}, follow=True).content.decode()


def post(client: Client, body: Any) -> tuple[int, Any]:
    answer = client.post(API, body, content_type="application/json")
    return answer.status_code, answer.json()


def changes() -> list[tuple[str, str, str]]:
    return [(change.to_state, change.reason, change.by) for change in StateChange.objects.order_by("pk")]


def test_halting_from_the_page_holds_at_once_and_is_shown_with_its_reason(operator: Client) -> None:
    factories.bot(NOW)

    html = press(operator, "halted", " looks odd ")

    assert Bot.objects.get().trading_state == TradingState.HALTED
    assert changes() == [("halted", "looks odd", "olga")]
    assert "Trading is halted." in html
    assert "PAPER · HALTED" in html
    assert '<span class="why" title="looks odd">looks odd</span>' in html


def test_a_person_lifts_a_halt_step_by_step(operator: Client) -> None:
    factories.bot(NOW, trading_state="halted", state_reason="software did")

    press(operator, "close_only", "first")
    press(operator, "active", "then")

    assert changes() == [("close_only", "first", "olga"), ("active", "then", "olga")]
    assert Bot.objects.get().trading_state == TradingState.ACTIVE


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("halted", " ", "Nothing was changed: the reason is missing: say why"),
        ("active", "", "Nothing was changed: the reason is missing: say why"),
        ("halted", "x" * 201, "Nothing was changed: the reason has more than 200 characters"),
        ("gone", "why", "Nothing was changed: the state is none of active, close_only, halted"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_and_changes_nothing(
    operator: Client, state: str, reason: str, words: str
) -> None:
    factories.bot(NOW, trading_state="close_only", state_reason="before")

    html = press(operator, state, reason)

    assert words in html
    assert 'class="notice error"' in html
    assert (Bot.objects.get().trading_state, changes()) == ("close_only", [])


def test_before_there_is_an_account_nothing_can_be_halted(operator: Client) -> None:
    assert "there is no account yet" in press(operator, "halted")
    status, told = post(operator, {"state": "halted", "reason": "x"})
    assert (status, told["field"]) == (422, "state")
    assert told["cause"] == "there is no account yet, so nothing trades: start Julaba first"
    assert operator.get(API).json() == {"state": None, "reason": ""}


def test_who_has_no_permission_sees_no_switch_and_moves_nothing(viewer: Client) -> None:
    factories.bot(NOW)

    assert "switch-reason" not in viewer.get("/").content.decode()
    assert viewer.post("/trading-state/", {"state": "halted", "reason": "x"}).status_code == 403
    status, told = post(viewer, {"state": "halted", "reason": "x"})
    assert (status, told["detail"]) == (403, "This needs the permission trading.change_trading_state.")
    assert viewer.get(API).json() == {"state": "active", "reason": ""}
    assert (Bot.objects.get().trading_state, changes()) == ("active", [])


def test_superusers_and_those_with_the_permission_see_the_switch(client: Client, operator: Client) -> None:
    assert "switch-reason" in operator.get("/").content.decode()
    root = Client()
    root.force_login(factories.user("root"))
    assert "switch-reason" in root.get("/").content.decode()


def test_strangers_and_get_requests_move_nothing(client: Client, operator: Client) -> None:
    factories.bot(NOW)
    stranger = Client()

    assert (
        stranger.post("/trading-state/", {"state": "halted", "reason": "x"}).headers["Location"].startswith("/login/")
    )
    assert post(stranger, {"state": "halted", "reason": "x"})[0] == 401
    assert stranger.get(API).status_code == 401
    assert operator.get("/trading-state/?state=halted&reason=x").status_code == 405
    assert changes() == []


@pytest.mark.parametrize("path", ["/trading-state/", API])
def test_without_a_token_nothing_is_changed(path: str) -> None:
    factories.bot(NOW)
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("root"))

    answer = client.post(path, {"state": "halted", "reason": "x"}, content_type="application/json")

    assert (answer.status_code, changes()) == (403, [])


def test_with_the_pages_token_the_api_halts() -> None:
    factories.bot(NOW)
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("root"))
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get("/").content.decode())
    assert found is not None

    answer = client.post(
        API,
        {"state": "halted", "reason": "by script"},
        content_type="application/json",
        headers={"X-CSRFToken": found[1]},
    )

    assert (answer.status_code, answer.json()) == (200, {"state": "halted", "reason": "by script"})
    assert changes() == [("halted", "by script", "root")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "state"),
        ([], "state"),
        ({"state": "off", "reason": "x"}, "state"),
        ({"state": ["halted"], "reason": "x"}, "state"),
        ({"state": "halted"}, "reason"),
        ({"state": "halted", "reason": 1}, "reason"),
        ({"state": "active", "reason": "  "}, "reason"),
    ],
)
def test_the_api_names_the_field_and_the_cause(operator: Client, body: Any, field: str) -> None:
    factories.bot(NOW, trading_state="close_only")

    status, told = post(operator, body)

    assert (status, told["field"], bool(told["cause"])) == (422, field, True)
    assert (Bot.objects.get().trading_state, changes()) == ("close_only", [])


def test_junk_is_no_request_and_asking_twice_changes_once(operator: Client) -> None:
    factories.bot(NOW)

    assert post(operator, "{")[0] == 400
    for _ in range(2):
        assert post(operator, {"state": "halted", "reason": "odd"}) == (200, {"state": "halted", "reason": "odd"})

    assert changes() == [("halted", "odd", "olga")]
