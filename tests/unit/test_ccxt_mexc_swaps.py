"""Perpetual contracts at MEXC, by replies as it sends them: wrapped, by its own names, and in contracts of a hundredth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.canned import Canned, canned
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_client import CcxtClient
from trading.core.ports import (
    NotSent,
    OrderKind,
    OrderRejected,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    ReportStatus,
    StopSupport,
)

SYMBOL, CLIENT_ID, ORDER_ID = "BTC/USDT:USDT", "jlswap1", "739113577038255616"
PUBLIC, PRIVATE = "/mexc/api/v1/contract", "/mexc/api/v1/private"
FIND = f"GET {PRIVATE}/order/external/BTC_USDT/{CLIENT_ID}"
DEALS = f"GET {PRIVATE}/order/deal_details/{ORDER_ID}"
MS = int(time.time() * 1000)

CONTRACT = {
    "symbol": "BTC_USDT", "displayName": "BTC_USDT", "baseCoin": "BTC", "quoteCoin": "USDT", "settleCoin": "USDT",
    "contractSize": 0.01, "minLeverage": 1, "maxLeverage": 125, "priceScale": 1, "volScale": 0, "amountScale": 4,
    "priceUnit": 0.1, "volUnit": 1, "minVol": 1, "maxVol": 1000000, "takerFeeRate": 0.0002, "makerFeeRate": 0,
    "state": 0, "isNew": False, "futureType": 1,
}  # fmt: skip


def wrapped(data: Any) -> str:
    return json.dumps({"success": True, "code": 0, "data": data})


def row(**changes: Any) -> dict[str, Any]:
    return {
        "orderId": ORDER_ID, "symbol": "BTC_USDT", "positionId": 0, "price": 50000.1, "vol": 5, "leverage": 10, "side": 1,
        "category": 1, "orderType": 5, "dealAvgPrice": 50000, "dealVol": 5, "orderMargin": 0, "takerFee": 0.5,
        "makerFee": 0, "profit": 0, "feeCurrency": "USDT", "openType": 2, "state": 3, "externalOid": CLIENT_ID,
        "errorCode": 0, "usedMargin": 0, "createTime": MS, "updateTime": MS, "positionMode": 2,
    } | changes  # fmt: skip


def deal(**changes: Any) -> dict[str, Any]:
    told = {
        "id": "299444585", "symbol": "BTC_USDT", "side": 1, "vol": "5", "price": "50000", "feeCurrency": "USDT",
        "fee": "0.5", "timestamp": MS, "profit": 0, "category": 1, "orderId": ORDER_ID, "positionMode": 2, "taker": True,
    } | changes  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


@pytest.fixture
def place() -> Iterator[Canned]:
    with canned() as place:
        place.say(f"GET {PUBLIC}/ping", wrapped(int(time.time() * 1000)))
        place.say(f"GET {PUBLIC}/detail", wrapped([CONTRACT]))
        place.say(f"GET {PRIVATE}/position/position_mode", wrapped(2))
        place.say(f"POST {PRIVATE}/position/change_leverage", wrapped(None))
        place.say(f"POST {PRIVATE}/order/create", wrapped({"orderId": ORDER_ID, "ts": MS}))
        place.say(DEALS, wrapped([deal()]))
        yield place


@pytest.fixture
def broker(place: Canned) -> CcxtBroker:
    return CcxtBroker(client=CcxtClient("mexc", kind="swap", key="k", secret="s", endpoint=place.base_url))


def now() -> datetime:
    return datetime.now(UTC)


def request(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "client_id": CLIENT_ID, "symbol": SYMBOL, "side": OrderSide.BUY, "kind": OrderKind.MARKET,
        "quantity": Decimal("0.05"), "at": now(),
    }  # fmt: skip
    return OrderRequest(**(values | changes))


def sent(place: Canned, path: str) -> list[Any]:
    return [json.loads(line.split(" ", 2)[2]) for line in place.asked if line.startswith(f"POST {PRIVATE}/{path} ")]


@pytest.mark.parametrize(
    ("side", "reduces", "ours"), [("buy", False, 1), ("buy", True, 2), ("sell", False, 3), ("sell", True, 4)]
)
def test_each_side_is_told_and_read_back(
    place: Canned, broker: CcxtBroker, side: str, reduces: bool, ours: int
) -> None:
    place.say(FIND, wrapped(row(side=ours)))
    place.say(DEALS, wrapped([deal(side=ours)]))

    report = broker.submit(request(side=OrderSide(side), reduce_only=reduces))

    assert (report.status, report.side, report.client_id) == (ReportStatus.FILLED, side, CLIENT_ID)
    (fill,) = report.fills
    assert (fill.quantity, fill.price, fill.fee, fill.side) == (Decimal("0.05"), Decimal(50000), Decimal("0.5"), side)
    (told,) = sent(place, "order/create")
    assert (told["externalOid"], told["side"], told["vol"]) == (CLIENT_ID, ours, 5)


def test_the_leverage_of_both_sides_is_capped_once_before_the_first_entry(place: Canned, broker: CcxtBroker) -> None:
    place.say(FIND, wrapped(row()))

    broker.submit(request())
    broker.submit(request())

    assert [(told["leverage"], told["positionType"]) for told in sent(place, "position/change_leverage")] == [
        (10, 1),
        (10, 2),
    ]


def test_an_account_that_keeps_long_and_short_apart_is_refused(place: Canned, broker: CcxtBroker) -> None:
    place.say(f"GET {PRIVATE}/position/position_mode", wrapped(1))

    with pytest.raises(OrderRejected, match="one-way"):
        broker.submit(request())

    assert sent(place, "order/create") == []


def test_a_leverage_that_cannot_be_capped_sends_nothing(place: Canned, broker: CcxtBroker) -> None:
    place.say(f"POST {PRIVATE}/position/change_leverage", json.dumps({"success": False, "code": 500}))

    with pytest.raises(NotSent, match="capped"):
        broker.submit(request())

    assert sent(place, "order/create") == []


def test_a_refusal_comes_with_status_200(place: Canned, broker: CcxtBroker) -> None:
    said = {"success": False, "code": 2005, "message": "Balance insufficient"}
    place.say(f"POST {PRIVATE}/order/create", json.dumps(said))

    with pytest.raises(OrderRejected, match="2005"):
        broker.submit(request())


@pytest.mark.parametrize(
    "said",
    [
        '{"success":false,"code":500,"message":"internal"}',
        "{}",
        "null",
        "<html></html>",
        wrapped(None),
        wrapped({"ts": 1}),
    ],
)
def test_a_reply_that_names_no_order_proves_nothing(place: Canned, broker: CcxtBroker, said: str) -> None:
    place.say(f"POST {PRIVATE}/order/create", said)

    with pytest.raises(OutcomeUnknown):
        broker.submit(request())


@pytest.mark.parametrize(
    "said", [{"success": False, "code": 2040, "message": "order not exist"}, {"success": True, "code": 0, "data": None}]
)
def test_an_order_that_mexc_denies_is_none(place: Canned, broker: CcxtBroker, said: dict[str, Any]) -> None:
    place.say(FIND, json.dumps(said))

    assert broker.find(CLIENT_ID, symbol=SYMBOL, now=now()) is None
    with pytest.raises(OrderRejected, match="knows no order"):
        broker.cancel(CLIENT_ID, symbol=SYMBOL, now=now())


@pytest.mark.parametrize("said", ["{}", "null", wrapped(row(externalOid="other")), '{"success":false,"code":501}'])
def test_what_does_not_name_our_order_denies_nothing(place: Canned, broker: CcxtBroker, said: str) -> None:
    place.say(FIND, said)

    with pytest.raises(OutcomeUnknown):
        broker.find(CLIENT_ID, symbol=SYMBOL, now=now())


@pytest.mark.parametrize("code", [0, 2041])
def test_a_cancel_is_sent_by_the_venues_id_and_its_end_is_asked(place: Canned, broker: CcxtBroker, code: int) -> None:
    place.say(FIND, wrapped(row(state=2, dealVol=2)), wrapped(row(state=4, dealVol=2)))
    place.say(DEALS, wrapped([deal(vol="2", fee="0.2")]))
    place.say(f"POST {PRIVATE}/order/cancel", wrapped([{"orderId": ORDER_ID, "errorCode": code, "errorMsg": "x"}]))

    report = broker.cancel(CLIENT_ID, symbol=SYMBOL, now=now())

    assert sent(place, "order/cancel") == [[ORDER_ID]]
    assert (report.status, [fill.quantity for fill in report.fills]) == (ReportStatus.CANCELED, [Decimal("0.02")])


def test_an_order_that_has_ended_is_not_canceled_again(place: Canned, broker: CcxtBroker) -> None:
    place.say(FIND, wrapped(row()))

    assert broker.cancel(CLIENT_ID, symbol=SYMBOL, now=now()).status == ReportStatus.FILLED
    assert sent(place, "order/cancel") == []


def test_a_cancel_that_mexc_fails_at_is_in_doubt(place: Canned, broker: CcxtBroker) -> None:
    place.say(FIND, wrapped(row(state=2, dealVol=0)))
    place.say(f"POST {PRIVATE}/order/cancel", wrapped([{"orderId": ORDER_ID, "errorCode": 9999}]))

    with pytest.raises(OutcomeUnknown):
        broker.cancel(CLIENT_ID, symbol=SYMBOL, now=now())


def test_an_invalid_order_is_refused(place: Canned, broker: CcxtBroker) -> None:
    place.say(FIND, wrapped(row(state=5, dealVol=0)))

    report = broker.find(CLIENT_ID, symbol=SYMBOL, now=now())

    assert report is not None
    assert report.status == ReportStatus.REJECTED


def test_open_orders_bear_our_id(place: Canned, broker: CcxtBroker) -> None:
    listed = [row(state=2, dealVol=0, side=3), row(orderId="8", externalOid="_m_1", state=2, dealVol=0)]
    place.say(f"GET {PRIVATE}/order/list/open_orders", wrapped(listed))

    reports = broker.open_orders([SYMBOL], now=now())

    assert [(report.client_id, report.side, report.quantity) for report in reports] == [
        (CLIENT_ID, "sell", Decimal("0.05")),
        ("_m_1", "buy", Decimal("0.05")),
    ]


def test_a_list_that_failed_is_not_an_empty_one(place: Canned, broker: CcxtBroker) -> None:
    for junk in ("{}", "null", '{"success":false}'):
        place.say(f"GET {PRIVATE}/order/list/open_orders", junk)
        with pytest.raises(OutcomeUnknown):
            broker.open_orders([SYMBOL], now=now())


def test_executions_are_listed_without_a_field_that_ccxt_looks_for(place: Canned, broker: CcxtBroker) -> None:
    place.say(f"GET {PRIVATE}/order/list/order_deals", wrapped([deal(side=4, positionMode=None)]))

    (fill,) = broker.fills([SYMBOL], since=now() - timedelta(hours=2), now=now())

    assert (fill.side, fill.quantity, fill.venue_order_id) == (OrderSide.SELL, Decimal("0.05"), ORDER_ID)


def test_positions_money_and_what_mexc_can_do(place: Canned, broker: CcxtBroker) -> None:
    short = {"positionId": 1, "symbol": "BTC_USDT", "positionType": 2, "openType": 2, "state": 1, "holdVol": 7}
    place.say(f"GET {PRIVATE}/position/open_positions", wrapped([short]))
    coins = {"currency": "USDT", "positionMargin": 0, "availableBalance": 900, "cashBalance": 990, "frozenBalance": 0,
             "equity": 1000, "unrealized": 10, "bonus": 0}  # fmt: skip
    place.say(f"GET {PRIVATE}/account/assets", wrapped([coins]))

    assert broker.holdings([SYMBOL], now=now()) == {SYMBOL: Decimal("-0.07")}
    assert broker.cash(now=now()) == Decimal(990)
    able = broker.capabilities(SYMBOL)
    assert (able.stop, able.receive_window) == (StopSupport.NONE, timedelta(seconds=10))
