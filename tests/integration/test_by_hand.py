"""Acts by hand from the pages and the API: who may, what is asked for twice, and the word where it is real money."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from dashboard import limits, tokens, typed
from dashboard.models import Scope
from tests import factories
from trading.models import AuditEntry, Bot, Event, Instruction, InstructionStatus, LastPrice, Trade, TradingState

pytestmark = pytest.mark.django_db
LIVE = "trading.adapters.ccxt_broker.CcxtBroker"
PAPER = "trading.adapters.paper_broker.PaperBroker"


@pytest.fixture
def trade() -> Trade:
    now = timezone.now()
    limits.forget()
    factories.bot(now)
    made = factories.trade(now)
    LastPrice.objects.update_or_create(
        symbol=made.symbol, defaults={"price": float(made.entry_price) * 1.01, "at": now}
    )
    return made


def person(client: Client, role: str) -> Client:
    user = factories.user(role, is_staff=False)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


@pytest.fixture
def trader(client: Client) -> Client:
    return person(client, "trader")


def post(client: Client, path: str, body: dict[str, Any], **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def test_the_api_asks_for_a_part_and_the_trade_tells_what_became_of_it(trader: Client, trade: Trade) -> None:
    answer = post(trader, f"trades/{trade.pk}/close-part", {"fraction": "0.5"})

    assert (answer.status_code, answer.json()["instruction"]["status"]) == (202, "waiting")
    told = trader.get(f"/api/v1/trades/{trade.pk}").json()["instructions"]
    assert [(each["act"], each["fraction"], each["by"]) for each in told] == [("part", "0.5", "trader")]
    assert AuditEntry.objects.get(act="manual_part").about == f"trade {trade.pk}"


def test_a_repeated_request_asks_once_and_another_one_conflicts(trader: Client, trade: Trade) -> None:
    path = f"trades/{trade.pk}/close-part"
    first = post(trader, path, {"quantity": "0.001"}, **{"Idempotency-Key": "press"})
    again = post(trader, path, {"quantity": "0.001"}, **{"Idempotency-Key": "press"})
    other = post(trader, f"trades/{trade.pk}/break-even", {})

    assert (first.json(), first.status_code) == (again.json(), 202)
    assert (other.status_code, "busy" in other.json()["detail"]) == (409, True)
    assert Instruction.objects.count() == Event.objects.filter(kind="manual_act").count() == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("close-part", {}, 422, "fraction"),
        ("close-part", {"fraction": "1"}, 422, "fraction"),
        ("close-part", {"fraction": "0.1", "quantity": "1"}, 422, "fraction"),
        ("close-part", {"quantity": "99999999"}, 422, "quantity"),
        ("close-part", {"fraction": "abc"}, 422, "fraction"),
        ("close-part", {"fraction": 0.5}, 422, "fraction"),
        ("stop", {}, 422, "price"),
        ("stop", {"price": "0.01"}, 422, "price"),
        ("stop", {"price": "1e999"}, 422, "price"),
    ],
)
def test_what_cannot_be_names_its_field(
    trader: Client, trade: Trade, path: str, body: dict[str, Any], status: int, field: str
) -> None:
    answer = post(trader, f"trades/{trade.pk}/{path}", body)

    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert not Instruction.objects.exists()


def test_no_such_trade_and_one_that_is_closed(trader: Client, trade: Trade) -> None:
    assert post(trader, "trades/999999/break-even", {}).status_code == 404
    Trade.objects.update(status="closed", remaining=0)
    assert post(trader, f"trades/{trade.pk}/break-even", {}).status_code == 409


def test_viewers_and_tokens_that_read_change_nothing(client: Client, trade: Trade) -> None:
    viewer = person(client, "viewer")
    for path in ("close-part", "stop", "break-even"):
        assert post(viewer, f"trades/{trade.pk}/{path}", {"price": "1", "fraction": "0.5"}).status_code == 403
    assert viewer.post(reverse("instruct-trade", args=[trade.pk, "break_even"])).status_code == 403
    assert b"Close a part" not in viewer.get("/positions/").content + viewer.get(f"/trades/{trade.pk}/").content
    assert not Instruction.objects.exists()


@pytest.mark.parametrize("place", ["positions", "trade"])
def test_the_pages_ask_for_a_part_once_however_often_it_is_clicked(trader: Client, trade: Trade, place: str) -> None:
    page = reverse("positions") if place == "positions" else reverse("trade", args=[trade.pk])
    html = trader.get(page).content.decode()
    key = html.split('name="key" value="')[1].split('"')[0]
    address = reverse("instruct-trade", args=[trade.pk, "part"])

    for _ in range(2):
        answer = trader.post(address, {"percent": "25", "key": key}, headers={"Referer": f"http://testserver{page}"})
        assert (answer.status_code, answer.headers["Location"]) == (302, page)

    assert Instruction.objects.get().fraction == 0.25
    assert "close a part" in trader.get(reverse("trade", args=[trade.pk])).content.decode()


def test_what_was_refused_is_said_on_the_page(trader: Client, trade: Trade) -> None:
    made = Instruction.objects.create(
        trade=trade, act="part", by="<b>anna</b>", key="k", asked_at=timezone.now(),
        status=InstructionStatus.REFUSED, text="the rest would be less than a lot",
    )  # fmt: skip

    html = trader.get(reverse("trade", args=[trade.pk])).content.decode()

    assert made.text in html
    assert "<b>anna</b>" not in html
    wrong = trader.post(reverse("instruct-trade", args=[trade.pk, "stop"]), {"price": "abc"}, follow=True)
    assert "Nothing was changed: price" in wrong.content.decode()


def test_with_real_money_a_session_types_the_word_and_a_token_does_not(
    trader: Client, trade: Trade, settings: LazySettings
) -> None:
    settings.BROKER = LIVE
    path = f"trades/{trade.pk}/close-part"

    asked = post(trader, path, {"fraction": "0.5"}, **{"Idempotency-Key": "press"})
    assert (asked.status_code, "X-Typed-Word: CLOSE" in asked.json()["detail"]) == (403, True)
    assert post(trader, path, {"fraction": "0.5"}, **{"X-Typed-Word": "HALT"}).status_code == 403
    assert not Instruction.objects.exists()

    typed_ = {"Idempotency-Key": "press", "X-Typed-Word": "close"}
    assert post(trader, path, {"fraction": "0.5"}, **typed_).status_code == 202
    assert post(trader, f"trades/{trade.pk}/close", {}).status_code == 403
    assert post(trader, "forceexit", {"tradeid": "all"}).status_code == 403

    Instruction.objects.update(status=InstructionStatus.DONE)
    user = User.objects.get(username="trader")
    _, value = tokens.issue(user=user, name="bot", scope=Scope.TRADE, days=1, now=timezone.now())
    program = Client(headers={"Authorization": f"Bearer {value}"})
    assert post(program, path, {"fraction": "0.5"}).status_code == 202


def test_a_nearer_stop_asks_for_no_word_a_wider_one_does(trader: Client, trade: Trade, settings: LazySettings) -> None:
    settings.BROKER = LIVE
    near = trade.first_stop + trade.sign * 0.1 * abs(float(trade.entry_price) - trade.first_stop)
    wide = trade.first_stop - trade.sign * 0.1 * abs(float(trade.entry_price) - trade.first_stop)
    address = reverse("instruct-trade", args=[trade.pk, "stop"])

    assert "Type LOOSEN to go on" in trader.post(address, {"price": f"{wide:.4f}", "reason": "x"}).content.decode()
    refused = post(trader, f"trades/{trade.pk}/stop", {"price": f"{wide:.4f}", "reason": "x"})
    assert "X-Typed-Word: LOOSEN" in refused.json()["detail"]
    assert not Instruction.objects.exists()
    assert post(trader, f"trades/{trade.pk}/stop", {"price": f"{near:.4f}"}).status_code == 202


def test_resuming_by_the_api_asks_for_the_word_a_halt_never(
    trader: Client, trade: Trade, settings: LazySettings
) -> None:
    settings.BROKER = LIVE

    assert post(trader, "state/halt", {"reason": "odd"}).status_code == 200
    assert "X-Typed-Word: RESUME" in post(trader, "state/resume", {"reason": "well"}).json()["detail"]
    assert Bot.objects.get().trading_state == TradingState.HALTED


def test_on_paper_no_word_is_typed(trader: Client, trade: Trade, settings: LazySettings) -> None:
    settings.BROKER = PAPER
    assert post(trader, f"trades/{trade.pk}/close", {}).status_code == 202


def test_every_address_of_the_api_in_the_table_exists_and_takes_the_method() -> None:
    named = {entry.name: entry for entry in _api(get_resolver().url_patterns)}
    for method, name in typed.API_DANGERS:
        view = named[name].callback.view_class
        assert hasattr(view, method.lower()), (method, name)


def _api(entries: list[Any]) -> list[Any]:
    found = []
    for entry in entries:
        found += _api(entry.url_patterns) if hasattr(entry, "url_patterns") else [entry]
    return found
