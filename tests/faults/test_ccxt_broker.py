"""CcxtBroker over the fake venue: every way in which a reply can lie."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue, venue
from trading.adapters import ccxt_broker, ccxt_questions
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_budget import OwnPause
from trading.adapters.ccxt_client import CcxtClient
from trading.core.ports import (
    AccessDenied,
    NotSent,
    OrderKind,
    OrderRejected,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    ReportStatus,
    StopSupport,
)

SYMBOL = "BTC/USDT"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.sqlite3") as running:
        yield running


@pytest.fixture
def place(shared: Venue) -> Iterator[Venue]:
    shared.heal()
    shared.price(SYMBOL, "50000")
    for exchange in ("binance", "mexc"):
        shared.fees("quote", exchange=exchange)
        shared.key(exchange, trade=True, revoked=False)
    yield shared
    shared.heal()


def broker_at(place: Venue, exchange: str = "binance", key: str = API_KEY) -> CcxtBroker:
    return CcxtBroker(client=CcxtClient(exchange, key=key, secret=API_SECRET, endpoint=place.base_url))


@pytest.fixture
def broker(place: Venue) -> CcxtBroker:
    return broker_at(place)


@pytest.fixture
def mexc(place: Venue) -> CcxtBroker:
    return broker_at(place, "mexc")


def now() -> datetime:
    return datetime.now(UTC)


def request(**changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_id": f"jltest{next(_numbers)}",
        "symbol": SYMBOL,
        "side": OrderSide.BUY,
        "kind": OrderKind.MARKET,
        "quantity": Decimal("0.01"),
        "at": now(),
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_a_market_order_is_filled_with_its_fills(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    asked = request()
    report = broker.submit(asked)
    assert (report.client_id, report.status, report.quantity) == (asked.client_id, ReportStatus.FILLED, Decimal("0.01"))
    assert [(fill.quantity, fill.price, fill.fee, fill.base_fee) for fill in report.fills] == [
        (Decimal("0.01"), Decimal(50000), Decimal("0.5"), Decimal(0))
    ]
    assert report.fills[0].venue_fill_id.startswith(f"{exchange}-BTC/USDT-")
    assert report.fills[0].side == OrderSide.BUY
    again = broker.find(asked.client_id, symbol=SYMBOL, now=now())
    assert again is not None
    assert {fill.venue_fill_id for fill in again.fills} == {fill.venue_fill_id for fill in report.fills}
    accepted = [row for row in place.accepted(exchange) if row["client_id"] == asked.client_id]
    assert len(accepted) == 1


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_a_limit_order_rests_is_listed_and_is_canceled_twice(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    asked = request(kind=OrderKind.LIMIT, price=Decimal("40000.5"))
    assert broker.submit(asked).status == ReportStatus.OPEN
    listed = {report.client_id: report for report in broker.open_orders([SYMBOL], now=now())}
    assert listed[asked.client_id].quantity == Decimal("0.01")
    for _ in range(2):
        assert broker.cancel(asked.client_id, symbol=SYMBOL, now=now()).status == ReportStatus.CANCELED
    assert asked.client_id not in {report.client_id for report in broker.open_orders([SYMBOL], now=now())}


def test_many_symbols_are_listed_by_one_request(broker: CcxtBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(kind=OrderKind.LIMIT, price=Decimal("40000.5"))
    broker.submit(asked)
    monkeypatch.setattr(ccxt_broker, "_AT_ONCE", 1)
    requests: list[object] = []
    listed = broker.client.exchange.fetch_open_orders

    def list_and_note(*asked: object) -> object:
        requests.append(asked[0])
        return listed(*asked)

    monkeypatch.setattr(broker.client.exchange, "fetch_open_orders", list_and_note)

    assert [r.client_id for r in broker.open_orders([SYMBOL, "ETH/USDT"], now=now())] == [asked.client_id]
    assert broker.open_orders(["ETH/USDT", "LTC/USDT"], now=now()) == []

    assert requests == [None, None]


def test_a_stop_rests_and_fills_at_the_venue(place: Venue, broker: CcxtBroker) -> None:
    broker.submit(request())
    stop = request(side=OrderSide.SELL, kind=OrderKind.STOP, trigger=Decimal(49000), reduce_only=True)
    resting = broker.submit(stop)
    assert resting.status == ReportStatus.OPEN
    listed = {report.client_id: report for report in broker.open_orders([SYMBOL], now=now())}
    assert listed[stop.client_id].trigger == Decimal(49000)
    place.price(SYMBOL, "48900")
    found = broker.find(stop.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert found.status == ReportStatus.FILLED
    assert sum(fill.quantity for fill in found.fills) == Decimal("0.01")


def test_what_the_venues_can_do(broker: CcxtBroker, mexc: CcxtBroker) -> None:
    assert broker.capabilities(SYMBOL).stop == StopSupport.MARKET
    assert mexc.capabilities(SYMBOL).stop == StopSupport.NONE
    for each in (broker, mexc):
        assert each.capabilities(SYMBOL).receive_window == timedelta(seconds=2)
        assert each.capabilities(SYMBOL).pays_notional
        assert not each.capabilities(SYMBOL).absence_is_final


def test_mexc_refuses_a_stop_without_sending_it(place: Venue, mexc: CcxtBroker) -> None:
    stop = request(side=OrderSide.SELL, kind=OrderKind.STOP, trigger=Decimal(49000))
    with pytest.raises(OrderRejected, match="holds no stops"):
        mexc.submit(stop)
    assert place.order(stop.client_id, "mexc") is None


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
@pytest.mark.parametrize(
    "what",
    [
        "accept_then_cut",
        "accept_then_truncate",
        "accept_then_html",
        "accept_then_null",
        "accept_then_empty",
        "accept_then_5xx",
        "wrong_order",
    ],
)
def test_an_accepted_order_with_a_broken_reply_is_in_doubt_and_then_found(
    place: Venue, exchange: str, what: str
) -> None:
    broker = broker_at(place, exchange)
    broker.capabilities(SYMBOL)
    asked = request()
    place.fault(what, "POST order")
    with pytest.raises(OutcomeUnknown):
        broker.submit(asked)
    found = broker.find(asked.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert found.status == ReportStatus.FILLED
    assert sum(fill.quantity for fill in found.fills) == Decimal("0.01")
    assert len([row for row in place.accepted(exchange) if row["client_id"] == asked.client_id]) == 1


@pytest.mark.parametrize("what", ["lose_request", "http_5xx"])
def test_a_request_without_an_answer_is_in_doubt_although_nothing_happened(
    place: Venue, broker: CcxtBroker, what: str
) -> None:
    broker.capabilities(SYMBOL)
    asked = request()
    place.fault(what, "POST order")
    with pytest.raises(OutcomeUnknown):
        broker.submit(asked)
    assert broker.find(asked.client_id, symbol=SYMBOL, now=now()) is None


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_only_one_request_is_sent_and_a_pause_stops_all_others(place: Venue, exchange: str) -> None:
    pause = OwnPause()
    client = CcxtClient(exchange, key=API_KEY, secret=API_SECRET, endpoint=place.base_url, pause=pause)
    broker = CcxtBroker(client=client)
    broker.capabilities(SYMBOL)
    broker.clock_offset(now=now())
    before = place.log()["total"]
    place.fault("rate_limit", "POST order")
    with pytest.raises(NotSent) as refused:
        broker.submit(request())
    assert place.log()["total"] == before + 1
    assert refused.value.retry_after is not None
    assert refused.value.retry_after > timedelta(0)
    assert pause.get() is not None
    with pytest.raises(NotSent):
        broker.submit(request(reduce_only=True))
    with pytest.raises(OutcomeUnknown):
        broker.cash(now=now())
    assert place.log()["total"] == before + 1


def test_a_late_permit_is_refused_by_the_clock(place: Venue, broker: CcxtBroker) -> None:
    asked = request(at=now() - timedelta(seconds=20))
    with pytest.raises(NotSent, match="clock"):
        broker.submit(asked)
    assert place.order(asked.client_id) is None
    assert broker.submit(request()).status == ReportStatus.FILLED


def test_a_clock_that_is_off_is_measured_and_used(place: Venue) -> None:
    place.fault("clock", ms=90_000)
    broker = broker_at(place)
    assert broker.clock_offset(now=now()) == pytest.approx(timedelta(seconds=90), abs=timedelta(seconds=1))
    assert broker.submit(request()).status == ReportStatus.FILLED


def test_a_duplicate_id_is_in_doubt_not_refused(place: Venue, broker: CcxtBroker) -> None:
    asked = request(kind=OrderKind.LIMIT, price=Decimal(40000))
    broker.submit(asked)
    with pytest.raises(OutcomeUnknown, match="duplicate"):
        broker.submit(asked)
    broker.cancel(asked.client_id, symbol=SYMBOL, now=now())


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_what_the_venue_refuses_is_final(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    with pytest.raises(OrderRejected) as refused:
        broker.submit(request(quantity=Decimal(1000)))
    assert not isinstance(refused.value, AccessDenied)
    with pytest.raises(OrderRejected, match="has no NOPE/USDT"):
        broker.submit(request(symbol="NOPE/USDT"))
    with pytest.raises(OrderRejected, match="grid"):
        broker.submit(request(quantity=Decimal("0.010000000001")))
    with pytest.raises(OrderRejected, match="grid"):
        broker.submit(request(kind=OrderKind.LIMIT, price=Decimal("40000.0000000000001")))


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_a_key_without_rights_is_denied(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    broker.capabilities(SYMBOL)
    place.key(exchange, revoked=True)
    with pytest.raises(AccessDenied):
        broker.submit(request())
    with pytest.raises(OutcomeUnknown):
        broker.cash(now=now())


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_not_known_and_not_answered_differ(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    assert broker.find("jlnever", symbol=SYMBOL, now=now()) is None
    with pytest.raises(OrderRejected):
        broker.cancel("jlnever", symbol=SYMBOL, now=now())
    with pytest.raises(OutcomeUnknown):
        broker.find("jlnever", symbol="NOPE/USDT", now=now())
    for what in ("http_5xx", "accept_then_html", "accept_then_null", "accept_then_cut"):
        place.fault(what, "GET order")
        with pytest.raises(OutcomeUnknown):
            broker.find("jlnever", symbol=SYMBOL, now=now())


QUESTIONS: dict[str, Callable[[CcxtBroker], object]] = {
    "openOrders": lambda broker: broker.open_orders([SYMBOL], now=now()),
    "myTrades": lambda broker: broker.fills([SYMBOL], since=now() - timedelta(hours=1), now=now()),
    "account": lambda broker: broker.holdings([SYMBOL], now=now()),
}


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
@pytest.mark.parametrize("path", QUESTIONS)
@pytest.mark.parametrize(
    "what",
    [
        "accept_then_html",
        "accept_then_null",
        "accept_then_empty",
        "accept_then_cut",
        "accept_then_truncate",
        "http_5xx",
    ],
)
def test_a_question_with_a_broken_answer_says_nothing(place: Venue, exchange: str, path: str, what: str) -> None:
    broker = broker_at(place, exchange)
    QUESTIONS[path](broker)
    place.fault(what, f"GET {path}")
    with pytest.raises(OutcomeUnknown):
        QUESTIONS[path](broker)


def test_an_empty_balance_is_never_zero(place: Venue, broker: CcxtBroker) -> None:
    assert broker.cash(now=now()) > 0
    place.fault("empty_balances")
    with pytest.raises(OutcomeUnknown):
        broker.cash(now=now())


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_fees_in_base_quote_and_a_third_coin(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    place.price("BNB/USDT", "600")
    place.fees("base", exchange=exchange)
    before = broker.holdings([SYMBOL], now=now())[SYMBOL]
    (fill,) = broker.submit(request()).fills
    assert (fill.base_fee, fill.fee) == (Decimal("0.00001"), Decimal("0.5"))
    assert broker.holdings([SYMBOL], now=now())[SYMBOL] == before + Decimal("0.00999")
    place.fees("BNB", exchange=exchange)
    (fill,) = broker.submit(request()).fills
    assert fill.base_fee == 0
    assert fill.fee == pytest.approx(Decimal("0.5"), rel=Decimal("0.001"))


def test_a_partial_fill_stays_partial_then_canceled_with_its_fills(place: Venue, broker: CcxtBroker) -> None:
    asked = request(kind=OrderKind.LIMIT, price=Decimal(40000))
    broker.submit(asked)
    place.fill(asked.client_id, fraction="0.4")
    found = broker.find(asked.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert (found.status, [fill.quantity for fill in found.fills]) == (ReportStatus.PARTIAL, [Decimal("0.004")])
    assert found.fills[0].client_id == asked.client_id
    canceled = broker.cancel(asked.client_id, symbol=SYMBOL, now=now())
    assert (canceled.status, len(canceled.fills)) == (ReportStatus.CANCELED, 1)


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_fills_are_paged_and_each_is_listed_once(place: Venue, exchange: str) -> None:
    broker = broker_at(place, exchange)
    since = now()
    ids = {fill.venue_fill_id for _ in range(12) for fill in broker.submit(request()).fills}
    place.limits(exchange, page=5)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(ccxt_questions._PAGE, exchange, 5)
            fills = broker.fills([SYMBOL], since=since - timedelta(seconds=1), now=now())
    finally:
        place.limits(exchange, page=1000)
    listed = [fill.venue_fill_id for fill in fills]
    assert ids <= set(listed)
    assert len(listed) == len(set(listed))
    assert all(fill.venue_order_id and fill.symbol == SYMBOL and not fill.client_id for fill in fills)


def test_fills_that_cannot_be_asked_for_leave_an_accepted_order_open(place: Venue, mexc: CcxtBroker) -> None:
    mexc.capabilities(SYMBOL)
    asked = request()
    place.fault("http_5xx", "GET myTrades")
    report = mexc.submit(asked)
    assert (report.status, report.fills) == (ReportStatus.PARTIAL, ())
    place.fault("http_5xx", "GET order")
    report = mexc.submit(request())
    assert (report.status, report.fills) == (ReportStatus.OPEN, ())
    found = mexc.find(asked.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert found.status == ReportStatus.FILLED


def test_where_nobody_listens_nothing_was_sent(place: Venue, broker: CcxtBroker) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broker.submit(request())
    broker.client.exchange.urls["api"]["private"] = f"http://127.0.0.1:{port}/api/v3"
    with pytest.raises(NotSent, match="not_sent"):
        broker.submit(request())


def test_without_a_venue_nothing_is_sent_at_all() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broker = CcxtBroker(client=CcxtClient("binance", key="k", secret="s", endpoint=f"http://127.0.0.1:{port}"))
    with pytest.raises(NotSent, match="not ready"):
        broker.submit(request())
    with pytest.raises(OutcomeUnknown):
        broker.capabilities(SYMBOL)
