"""Replies as Binance and MEXC send them on spot: fields that are missing, null, texts, or in a state that few have seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.canned import Canned, canned
from trading.adapters import ccxt_questions
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_client import CcxtClient
from trading.core.ports import OrderKind, OrderRejected, OrderRequest, OrderSide, OutcomeUnknown, ReportStatus

SYMBOL, CLIENT_ID = "BTC/USDT", "jlrecorded1"
ORDER, TRADES, OPEN = "/api/v3/order", "GET /api/v3/myTrades", "GET /api/v3/openOrders"
MS = int(time.time() * 1000)

BINANCE_SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
    "quotePrecision": 8, "quoteAssetPrecision": 8, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"], "permissions": [],
    "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00000001", "maxQty": "9000.00000000", "stepSize": "0.00000001"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
    ],
}  # fmt: skip
BNB_SYMBOL = BINANCE_SYMBOL | {"symbol": "BNBUSDT", "baseAsset": "BNB"}
MEXC_SYMBOL = {
    "symbol": "BTCUSDT", "status": "1", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
    "quotePrecision": 2, "quoteAssetPrecision": 2, "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
    "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"], "filters": [],
    "baseSizePrecision": "0.000001", "quoteAmountPrecision": "1", "maxQuoteAmount": "2000000", "makerCommission": "0",
    "takerCommission": "0.0005", "tradeSideType": "1", "st": False,
}  # fmt: skip


def order(**changes: Any) -> str:
    """Return what Binance says of an order of ours that filled; its own order of fields."""
    told = {
        "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": CLIENT_ID, "price": "0.00000000",
        "origQty": "0.01000000", "executedQty": "0.01000000", "cummulativeQuoteQty": "500.00000000",
        "status": "FILLED", "timeInForce": "GTC", "type": "MARKET", "side": "BUY", "stopPrice": "0.00000000",
        "icebergQty": "0.00000000", "time": MS, "updateTime": MS, "isWorking": True, "workingTime": MS,
        "origQuoteOrderQty": "0.00000000", "selfTradePreventionMode": "EXPIRE_MAKER",
    }  # fmt: skip
    told |= changes
    return json.dumps({name: value for name, value in told.items() if value != "absent"})


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": 28457, "orderId": 28, "orderListId": -1, "price": "50000.00000000",
        "qty": "0.01000000", "quoteQty": "500.00000000", "commission": "0.00001000", "commissionAsset": "BTC",
        "time": MS, "isBuyer": True, "isMaker": False, "isBestMatch": True,
    } | changes  # fmt: skip


@pytest.fixture
def place() -> Iterator[Canned]:
    with canned() as place:
        for prefix, symbols in (("", [BINANCE_SYMBOL, BNB_SYMBOL]), ("/mexc", [MEXC_SYMBOL])):
            info = {"timezone": "UTC", "serverTime": MS, "rateLimits": [], "exchangeFilters": [], "symbols": symbols}
            place.say(f"GET {prefix}/api/v3/exchangeInfo", json.dumps(info))
            place.say(f"GET {prefix}/api/v3/time", json.dumps({"serverTime": int(time.time() * 1000)}))
        yield place


def broker_at(place: Canned, exchange: str = "binance") -> CcxtBroker:
    return CcxtBroker(client=CcxtClient(exchange, key="k", secret="s", endpoint=place.base_url))


def request(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "client_id": CLIENT_ID, "symbol": SYMBOL, "side": OrderSide.BUY, "kind": OrderKind.MARKET,
        "quantity": Decimal("0.01"), "at": datetime.now(UTC),
    }  # fmt: skip
    return OrderRequest(**(values | changes))


def find(broker: CcxtBroker) -> Any:
    return broker.find(CLIENT_ID, symbol=SYMBOL, now=datetime.now(UTC))


def test_a_bare_acknowledgement_is_asked_about_and_its_trades_are_booked(place: Canned) -> None:
    ack = {"symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": CLIENT_ID, "transactTime": MS}
    place.say(f"POST {ORDER}", json.dumps(ack))
    place.say(f"GET {ORDER}", order())
    place.say(TRADES, json.dumps([trade()]))

    report = broker_at(place).submit(request())

    assert (report.status, report.venue_order_id) == (ReportStatus.FILLED, "28")
    (fill,) = report.fills
    assert (fill.quantity, fill.price, fill.base_fee) == (Decimal("0.01"), Decimal(50000), Decimal("0.00001"))


def test_fields_in_another_order_and_unknown_ones_besides_change_nothing(place: Canned) -> None:
    told = dict(reversed(list(json.loads(order(fills=[], usedSor=True, workingFloor="SOR")).items())))
    place.say(f"POST {ORDER}", json.dumps(told))
    place.say(TRADES, json.dumps([dict(reversed(list(trade(extra=None).items())))]))

    assert broker_at(place).submit(request()).status == ReportStatus.FILLED


def test_a_fee_in_bnb_is_worth_its_price(place: Canned) -> None:
    place.say(f"POST {ORDER}", order())
    place.say(TRADES, json.dumps([trade(commission="0.00060000", commissionAsset="BNB")]))
    place.say("GET /api/v3/ticker/24hr", json.dumps({"symbol": "BNBUSDT", "lastPrice": "600.00", "closeTime": MS}))

    (fill,) = broker_at(place).submit(request()).fills

    assert (fill.fee, fill.base_fee) == (Decimal("0.36"), Decimal(0))


@pytest.mark.parametrize("left_out", [{"commission": None, "commissionAsset": None}, {"commissionAsset": "NOCOIN"}])
def test_a_fee_that_nobody_can_price_is_taken_as_the_markets(place: Canned, left_out: dict[str, Any]) -> None:
    place.say(f"POST {ORDER}", order())
    place.say(TRADES, json.dumps([trade(**left_out)]))

    (fill,) = broker_at(place).submit(request()).fills

    assert (fill.fee, fill.base_fee) == (Decimal("0.5"), Decimal(0))


def test_numbers_in_scientific_notation_and_times_as_texts_stay_exact(place: Canned) -> None:
    place.say(
        f"GET {ORDER}", order(executedQty="1.5E-7", origQty="1.5E-7", time=str(MS), updateTime=str(MS), orderId="28")
    )
    place.say(TRADES, json.dumps([trade(qty="1.5E-7", time=str(MS), commission="1E-10", id="28457", orderId="28")]))

    report = find(broker_at(place))

    (fill,) = report.fills
    assert (report.status, report.quantity) == (ReportStatus.FILLED, Decimal("0.00000015"))
    assert (fill.quantity, fill.base_fee) == (Decimal("0.00000015"), Decimal("0.0000000001"))
    assert fill.at == datetime.fromtimestamp(MS // 1000, UTC) + timedelta(milliseconds=MS % 1000)


@pytest.mark.parametrize(
    ("state", "executed", "expected"),
    [
        ("EXPIRED_IN_MATCH", "0", ReportStatus.CANCELED),
        ("EXPIRED", "0.01000000", ReportStatus.CANCELED),
        ("CANCELED", "0", ReportStatus.CANCELED),
        ("REJECTED", "0", ReportStatus.REJECTED),
        ("PENDING_NEW", "0", ReportStatus.OPEN),
        ("PENDING_CANCEL", "0", ReportStatus.OPEN),
        ("PENDING_CANCEL", "0.01000000", ReportStatus.PARTIAL),
        ("NEW_INSURANCE", "0", ReportStatus.OPEN),
        ("NEW_ADL", "0", ReportStatus.OPEN),
    ],
)
def test_every_state_that_binance_has_a_word_for(
    place: Canned, state: str, executed: str, expected: ReportStatus
) -> None:
    place.say(f"GET {ORDER}", order(status=state, executedQty=executed))
    place.say(TRADES, json.dumps([trade()] if Decimal(executed) else []))

    report = find(broker_at(place))

    assert report.status == expected
    assert sum((fill.quantity for fill in report.fills), Decimal(0)) == Decimal(executed)


def test_a_state_that_nobody_knows_proves_nothing(place: Canned) -> None:
    place.say(f"GET {ORDER}", order(status="FROZEN_BY_TOMORROW"))

    with pytest.raises(OutcomeUnknown, match="status"):
        find(broker_at(place))


def test_somebodys_order_in_a_strange_state_does_not_hide_the_others(place: Canned) -> None:
    theirs = json.loads(order(orderId=29, clientOrderId="web_1", status="FROZEN_BY_TOMORROW", executedQty="0"))
    ours = json.loads(order(status="NEW", executedQty="0", type="LIMIT", price="40000.00000000"))
    place.say(OPEN, json.dumps([theirs, ours]))

    listed = broker_at(place).open_orders([SYMBOL], now=datetime.now(UTC))

    assert [(row.client_id, row.status) for row in listed] == [
        ("web_1", ReportStatus.OPEN),
        (CLIENT_ID, ReportStatus.OPEN),
    ]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-2013, "Order does not exist."),
        (-2026, "Order was canceled or expired with no executed qty over 90 days ago and has been archived."),
    ],
)
def test_what_binance_no_longer_knows_is_none(place: Canned, code: int, text: str) -> None:
    place.say(f"GET {ORDER}", json.dumps({"code": code, "msg": text}), status=400)

    assert find(broker_at(place)) is None


def test_an_answer_about_another_client_id_is_no_answer(place: Canned) -> None:
    place.say(f"GET {ORDER}", order(clientOrderId="somebody"))

    with pytest.raises(OutcomeUnknown, match="names no order"):
        find(broker_at(place))


def test_the_reply_to_a_cancel_bears_another_id_and_the_order_is_asked_for(place: Canned) -> None:
    told = order(status="CANCELED", executedQty="0", origClientOrderId=CLIENT_ID, clientOrderId="cancel1")
    place.say(f"DELETE {ORDER}", told)
    place.say(f"GET {ORDER}", order(status="CANCELED", executedQty="0"))

    report = broker_at(place).cancel(CLIENT_ID, symbol=SYMBOL, now=datetime.now(UTC))

    assert report.status == ReportStatus.CANCELED


def test_a_cancel_that_comes_too_late_tells_what_was_filled(place: Canned) -> None:
    place.say(f"DELETE {ORDER}", json.dumps({"code": -2011, "msg": "Unknown order sent."}), status=400)
    place.say(f"GET {ORDER}", order())
    place.say(TRADES, json.dumps([trade()]))

    report = broker_at(place).cancel(CLIENT_ID, symbol=SYMBOL, now=datetime.now(UTC))

    assert (report.status, len(report.fills)) == (ReportStatus.FILLED, 1)


def test_a_trade_that_is_not_listed_yet_keeps_the_end_of_an_order_open(place: Canned) -> None:
    place.say(f"POST {ORDER}", order())
    place.say(TRADES, "[]")
    broker = broker_at(place)

    report = broker.submit(request())

    assert (report.status, report.fills) == (ReportStatus.PARTIAL, ())
    place.say(f"GET {ORDER}", order())
    with pytest.raises(OutcomeUnknown, match="not all listed"):
        find(broker)


MEXC = "/mexc/api/v3/order"


def mexc_order(**changes: Any) -> str:
    """Return what MEXC says of an order: numbers and times as texts, and nulls."""
    return json.dumps({
        "symbol": "BTCUSDT", "orderId": "C02__342252993005723644225", "orderListId": "-1", "clientOrderId": CLIENT_ID,
        "price": "0", "origQty": "0.01", "executedQty": "0.01", "cummulativeQuoteQty": "500", "status": "FILLED",
        "timeInForce": None, "type": "MARKET", "side": "BUY", "stopPrice": None, "icebergQty": None, "time": str(MS),
        "updateTime": None, "isWorking": True, "origQuoteOrderQty": "0", "stpMode": "",
    } | changes)  # fmt: skip


def mexc_trade(**changes: Any) -> str:
    return json.dumps([{
        "symbol": "BTCUSDT", "id": "505979017439002624X1", "orderId": "C02__342252993005723644225", "orderListId": -1,
        "price": "50000", "qty": "0.01", "quoteQty": "500", "commission": "0.25", "commissionAsset": "USDT",
        "time": MS, "isBuyer": True, "isMaker": False, "isBestMatch": True, "isSelfTrade": False, "clientOrderId": None,
    } | changes])  # fmt: skip


def test_mexc_says_no_more_than_an_id_and_is_asked(place: Canned) -> None:
    said = {"symbol": "BTCUSDT", "orderId": "C02__342252993005723644225", "orderListId": -1, "price": "0",
            "origQty": "0.01", "type": "MARKET", "stpMode": "", "side": "BUY", "transactTime": MS}  # fmt: skip
    place.say(f"POST {MEXC}", json.dumps(said))
    place.say(f"GET {MEXC}", mexc_order())
    place.say("GET /mexc/api/v3/myTrades", mexc_trade())

    report = broker_at(place, "mexc").submit(request())

    (fill,) = report.fills
    assert (report.status, fill.fee, fill.quantity) == (ReportStatus.FILLED, Decimal("0.25"), Decimal("0.01"))


@pytest.mark.parametrize("named", [CLIENT_ID, None, ""])
def test_mexc_may_leave_the_client_id_out(place: Canned, named: str | None) -> None:
    place.say(f"GET {MEXC}", mexc_order(clientOrderId=named, status="PARTIALLY_CANCELED"))
    place.say("GET /mexc/api/v3/myTrades", mexc_trade())

    report = find(broker_at(place, "mexc"))

    assert (report.client_id, report.status) == (CLIENT_ID, ReportStatus.CANCELED)
    assert [fill.quantity for fill in report.fills] == [Decimal("0.01")]


def test_mexc_denies_an_order_by_its_code(place: Canned) -> None:
    place.say(f"GET {MEXC}", json.dumps({"code": -2013, "msg": "Order does not exist."}), status=400)
    place.say(f"DELETE {MEXC}", json.dumps({"code": -2011, "msg": "Unknown order sent."}), status=400)
    broker = broker_at(place, "mexc")

    assert find(broker) is None
    with pytest.raises(OrderRejected, match="knows no order"):
        broker.cancel(CLIENT_ID, symbol=SYMBOL, now=datetime.now(UTC))


@pytest.mark.parametrize("newest_first", [True, False])
def test_more_trades_than_mexc_lists_at_once_are_all_found(
    place: Canned, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    monkeypatch.setitem(ccxt_questions._PAGE, "mexc", 3)
    made = [(str(number), MS - 10_000 + 1_000 * number) for number in range(8)]
    broker = broker_at(place, "mexc")

    def listed(symbol: str, since: int, limit: int, params: dict[str, int]) -> list[dict[str, Any]]:
        inside = [
            {"id": id, "timestamp": at, "amount": "1", "price": "1", "side": "buy", "order": "1", "fee": None}
            for id, at in sorted(made, key=lambda one: -one[1] if newest_first else one[1])
            if since <= at <= params["until"]
        ]
        return inside[:limit]

    monkeypatch.setattr(broker.client.exchange, "fetch_my_trades", listed)
    monkeypatch.setattr(ccxt_questions, "_check_list", lambda client, call: None)

    fills = broker.fills([SYMBOL], since=datetime.now(UTC) - timedelta(hours=1), now=datetime.now(UTC))

    assert [fill.venue_fill_id.rpartition("-")[2] for fill in fills] == [id for id, _ in made]
