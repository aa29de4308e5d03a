"""What freqtrade's own client sends, word for word: a token as the password, JSON null where it has nothing to say."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import limits
from dashboard.tokens import MARK
from tests import api_world, factories
from trading.models import BlacklistEntry, Bot, Instruction, PairLock, Trade

pytestmark = pytest.mark.django_db


class Freqtrade:
    """Asks as freqtrade_client does: every request has a JSON body, if only null."""

    def __init__(self, password: str, name: str = "anybody") -> None:
        basic = b64encode(f"{name}:{password}".encode()).decode()
        self._client = Client(headers={"Authorization": f"Basic {basic}", "Accept": "application/json"})

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any = None) -> Any:
        return self._client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")

    def delete(self, path: str) -> Any:
        return self._client.delete(f"/api/v1/{path}", "null", content_type="application/json")


@pytest.fixture
def now() -> datetime:
    limits.forget()
    return timezone.now()


@pytest.fixture
def freqtrade(now: datetime) -> Freqtrade:
    factories.overview(now)
    return Freqtrade(api_world.token_of(factories.user(), now))


def open_trade() -> Trade:
    return Trade.objects.filter(status="open").order_by("pk")[0]


# Who asks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["correct horse battery staple", "", f"{MARK}made-up"])
def test_a_password_is_no_token(now: datetime, password: str) -> None:
    factories.user(password="correct horse battery staple")

    assert Freqtrade(password, "operator").get("balance").status_code == 401


def test_what_a_proxy_asked_for_does_not_log_a_session_out(now: datetime) -> None:
    factories.bot(now)
    client = Client(headers={"Authorization": f"Basic {b64encode(b'proxy:word').decode()}"})
    client.force_login(factories.user())

    assert client.get("/api/v1/balance").status_code == 200


# Reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["balance", "count", "profit", "stats", "performance", "status", "version", "show_config", "logs", "whitelist",
     "blacklist", "locks", "trades", "health", "daily", "weekly", "monthly"],
)  # fmt: skip
def test_what_it_reads_is_answered(freqtrade: Freqtrade, path: str) -> None:
    assert freqtrade.get(path).status_code in ((200, 503) if path == "health" else (200,))


def test_a_bot_that_trades_says_that_it_is_running(freqtrade: Freqtrade) -> None:
    assert freqtrade.get("show_config").json()["state"] == "running"
    freqtrade.post("stopbuy")
    assert freqtrade.get("show_config").json()["state"] == "paused"


@pytest.mark.parametrize("path", ["daily", "weekly", "monthly"])
def test_a_timescale_is_how_many_are_told(freqtrade: Freqtrade, path: str) -> None:
    assert len(freqtrade.get(path, timescale=1).json()["results"]) == 1
    assert freqtrade.get(path, timescale="x").json()["field"] == "timescale"


def test_trades_are_asked_for_by_offset(freqtrade: Freqtrade) -> None:
    every = [row["id"] for row in freqtrade.get("trades", limit=500).json()["results"]]
    assert len(every) > 4

    first = freqtrade.get("trades", limit=2).json()
    second = freqtrade.get("trades", limit=2, offset=2).json()

    assert [row["id"] for row in first["results"] + second["results"]] == every[:4]
    assert second["next"] == str(every[3])
    rest = freqtrade.get("trades", limit=500, offset=2).json()
    assert ([row["id"] for row in rest["results"]], rest["next"]) == (every[2:], None)
    assert freqtrade.get("trades", offset=9000).json() == {"results": [], "next": None}


def test_an_offset_goes_on_where_values_are_missing(freqtrade: Freqtrade) -> None:
    every = [row["id"] for row in freqtrade.get("trades", sort="-closed", limit=500).json()["results"]]

    told = [
        row["id"]
        for offset in range(0, len(every), 3)
        for row in freqtrade.get("trades", sort="-closed", limit=3, offset=offset).json()["results"]
    ]

    assert told == every


def test_trades_in_the_order_of_their_numbers(freqtrade: Freqtrade) -> None:
    numbers = [row["id"] for row in freqtrade.get("trades", order_by_id="true").json()["results"]]

    assert numbers == sorted(numbers)
    assert freqtrade.get("trades", order_by_id="maybe").json()["field"] == "order_by_id"
    assert freqtrade.get("trades", offset=1, cursor=3).json()["field"] == "cursor"


def test_one_trade_has_its_old_address(freqtrade: Freqtrade) -> None:
    pk = open_trade().pk

    assert freqtrade.get(f"trade/{pk}").json() == freqtrade.get(f"trades/{pk}").json()


# Acting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "state"), [("stop", "halted"), ("stopbuy", "close_only"), ("pause", "close_only"), ("start", "active")]
)
def test_an_act_without_a_word_is_done(freqtrade: Freqtrade, path: str, state: str) -> None:
    assert freqtrade.post(path).status_code == 200
    assert Bot.objects.get().trading_state == state


def test_reloading_is_not_needed(freqtrade: Freqtrade) -> None:
    assert freqtrade.post("reload_config").status_code == 200


def test_what_needs_a_word_still_needs_it(freqtrade: Freqtrade) -> None:
    assert freqtrade.post("trading-state").status_code == 422
    assert freqtrade.post(f"trades/{open_trade().pk}/notes").json()["field"] == "text"


@pytest.mark.parametrize("amount", [0.01, "0.01"])
def test_an_amount_closes_a_part(freqtrade: Freqtrade, amount: object) -> None:
    trade = open_trade()
    assert trade.remaining > Decimal("0.01")

    told = freqtrade.post("forceexit", {"tradeid": str(trade.pk), "ordertype": "market", "amount": amount})

    assert (told.status_code, told.json()["trades"]) == (202, [trade.pk])
    asked = Instruction.objects.get()
    assert (asked.trade_id, asked.act, asked.quantity) == (trade.pk, "part", Decimal("0.01"))
    trade.refresh_from_db()
    assert trade.exit_reason == ""


@pytest.mark.parametrize("more", ["0", "1"])
def test_an_amount_of_all_that_is_open_closes_the_trade(freqtrade: Freqtrade, more: str) -> None:
    trade = open_trade()
    amount = str(trade.remaining + Decimal(more))

    assert (
        freqtrade.post("forceexit", {"tradeid": str(trade.pk), "ordertype": None, "amount": amount}).status_code == 202
    )

    trade.refresh_from_db()
    assert (trade.exit_reason, trade.remaining_fraction, Instruction.objects.count()) == ("manual", 0, 0)


def test_without_an_amount_everything_leaves(freqtrade: Freqtrade) -> None:
    pk = open_trade().pk

    told = freqtrade.post("forceexit", {"tradeid": str(pk), "ordertype": None, "amount": None})

    assert told.json()["result"] == f"Trade {pk} is closed with the next tick."


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"amount": [1]}, "amount"),
        ({"ordertype": "limit"}, "ordertype"),
        ({"price": 70000}, "price"),
        ({"tradeid": "all", "amount": 0.01}, "amount"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_and_nothing_is_asked(
    freqtrade: Freqtrade, asked: dict[str, Any], field: str
) -> None:
    refused = freqtrade.post("forceexit", {"tradeid": str(open_trade().pk), "ordertype": "market", **asked})

    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert not Instruction.objects.exists()
    assert not Trade.objects.filter(exit_reason="manual").exists()


def test_nothing_is_entered_past_the_guards(freqtrade: Freqtrade) -> None:
    assert freqtrade.post("forceenter", {"pair": "BTC/USDT", "side": "long", "price": None}).status_code == 409


def test_pairs_are_banned_together_or_not_at_all(freqtrade: Freqtrade) -> None:
    assert freqtrade.post("blacklist", {"blacklist": ["LUNA/USDT", "FTT/USDT"]}).status_code == 201
    assert set(BlacklistEntry.objects.values_list("symbol", flat=True)) == {"LUNA/USDT", "FTT/USDT"}

    refused = freqtrade.post("blacklist", {"blacklist": ["UST/USDT", "no pair"]})
    assert refused.status_code == 422
    assert BlacklistEntry.objects.count() == 2


def test_a_lock_is_set_until_a_moment_and_lifted_by_its_number(freqtrade: Freqtrade, now: datetime) -> None:
    until = now.replace(microsecond=0) + timedelta(hours=3)
    asked = [{"pair": "SOL/USDT", "until": f"{until:%Y-%m-%d %H:%M:%S}Z", "side": "*", "reason": ""}]

    assert freqtrade.post("locks", asked).status_code == 201

    lock = PairLock.objects.get(symbol="SOL/USDT")
    assert timedelta(0) <= lock.until - until <= timedelta(minutes=1)
    assert freqtrade.delete(f"locks/{lock.pk}").json()["done"] == "The lock is lifted."
    assert freqtrade.delete("locks/999").status_code == 422


@pytest.mark.parametrize(
    ("lock", "field"),
    [
        ({"pair": "SOL/USDT", "until": "soon"}, "until"),
        ({"pair": "SOL/USDT", "until": "2020-01-01 00:00:00Z"}, "minutes"),
        ({"pair": "SOL/USDT", "until": "2099-01-01 00:00:00Z"}, "minutes"),
        ({"pair": "SOL/USDT", "until": "2099-01-01 00:00:00Z", "side": "long"}, "side"),
        ({"until": "2099-01-01 00:00:00Z"}, "minutes"),
    ],
)
def test_a_lock_that_cannot_be_is_refused_by_name(freqtrade: Freqtrade, lock: dict[str, str], field: str) -> None:
    refused = freqtrade.post("locks", [lock])

    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert freqtrade.post("locks", [lock, lock]).json()["field"] == "body"
    assert not PairLock.objects.exists()


def test_columns_of_candles_are_asked_for_by_post(freqtrade: Freqtrade, now: datetime) -> None:
    whole = freqtrade.get("pair_candles", pair="BTC/USDT", timeframe="15m", limit=3).json()

    some = freqtrade.post("pair_candles", {"pair": "BTC/USDT", "timeframe": "15m", "limit": 3, "columns": ["close"]})

    assert some.json()["columns"] == ["date", "close"]
    assert some.json()["data"] == [[row[0], row[4]] for row in whole["data"]] != []
    assert freqtrade.post("pair_candles", {"pair": "BTC/USDT", "columns": ["rsi"]}).json()["field"] == "columns"
