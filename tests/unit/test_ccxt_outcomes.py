"""What a venue's answer proves: recorded bodies, and what ccxt makes of them."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import ccxt
import pytest

from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_budget import Budget, HeldBack, OwnPause
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_outcomes import Asked, Outcome, Reply, Sent, classify, is_unknown_order

OURS = Asked(client_id="jl1", symbol="BTC/USDT", market_id="BTCUSDT", side="buy")


def body(code: object, text: str = "") -> str:
    return json.dumps({"code": code, "msg": text})


FUNDS = "Account has insufficient balance for requested action."
REFUSALS = [
    ("binance", 400, body(-2010, FUNDS), Outcome.REJECTED),
    ("binance", 400, body(-2010, "Stop price would trigger immediately."), Outcome.REJECTED),
    ("binance", 400, body(-2010, "Order would immediately match and take."), Outcome.REJECTED),
    ("binance", 400, body(-2010, "Market is closed."), Outcome.REJECTED),
    ("binance", 400, body(-2010, "This symbol is not permitted for this account."), Outcome.REJECTED),
    ("binance", 400, body(-2010, "Duplicate order sent."), Outcome.DUPLICATE_ID),
    ("binance", 400, body(-2010, "a sentence of tomorrow"), Outcome.AMBIGUOUS),
    ("binance", 400, body(-1013, "Filter failure: NOTIONAL"), Outcome.REJECTED),
    ("binance", 400, body(-1111, "Precision is over the maximum defined for this asset."), Outcome.REJECTED),
    ("binance", 400, body(-1121, "Invalid symbol."), Outcome.REJECTED),
    ("binance", 400, body(-2019, "Margin is insufficient."), Outcome.REJECTED),
    ("binance", 400, body(-2022, "ReduceOnly Order is rejected."), Outcome.REJECTED),
    ("binance", 400, body(-2021, "Order would immediately trigger."), Outcome.REJECTED),
    ("binance", 400, body(-2021, "Order cancel-replace partially failed."), Outcome.AMBIGUOUS),
    ("binance", 400, body(-4116, "ClientOrderId is duplicated."), Outcome.DUPLICATE_ID),
    ("binance", 400, body(-1021, "Timestamp for this request is outside of the recvWindow."), Outcome.CLOCK),
    ("binance", 401, body(-2014, "API-key format invalid."), Outcome.DENIED_ACCESS),
    ("binance", 401, body(-2015, "Invalid API-key, IP, or permissions for action."), Outcome.DENIED_ACCESS),
    ("binance", 400, body(-1022, "Signature for this request is not valid."), Outcome.DENIED_ACCESS),
    ("binance", 429, body(-1003, "Too much request weight used"), Outcome.THROTTLED),
    ("binance", 418, body(-1003, "Way too much request weight used; IP banned"), Outcome.THROTTLED),
    ("binance", 429, "<html>429</html>", Outcome.THROTTLED),
    (
        "binance",
        400,
        body(-1015, "Too many new orders; current limit is 100 orders per TEN SECONDS."),
        Outcome.THROTTLED,
    ),
    ("binance", 400, body(-1006, "An unexpected response was received from the message bus."), Outcome.AMBIGUOUS),
    ("binance", 408, body(-1007, "Timeout waiting for response from backend server."), Outcome.AMBIGUOUS),
    ("binance", 503, body(-1008, "Server is currently overloaded with other requests."), Outcome.AMBIGUOUS),
    ("binance", 503, body(-2010, FUNDS), Outcome.AMBIGUOUS),
    ("binance", 400, body(-1000, "An unknown error occurred while processing the request."), Outcome.AMBIGUOUS),
    ("binance", 404, "", Outcome.AMBIGUOUS),
    ("binance", 403, "<html>WAF</html>", Outcome.AMBIGUOUS),
    ("binance", 407, "<html>Proxy Authentication Required</html>", Outcome.AMBIGUOUS),
    ("binance", 400, "{", Outcome.AMBIGUOUS),
    ("binance", 502, "<html>502 Bad Gateway</html>", Outcome.AMBIGUOUS),
    ("mexc", 400, body(30004, "Insufficient position"), Outcome.REJECTED),
    ("mexc", 400, body(30002, "The minimum transaction volume cannot be less than:5USDT"), Outcome.REJECTED),
    ("mexc", 400, body(10007, "bad symbol"), Outcome.REJECTED),
    ("mexc", 400, body(603, "Repeated request"), Outcome.DUPLICATE_ID),
    ("mexc", 400, body(700003, "Timestamp for this request is outside of the recvWindow."), Outcome.CLOCK),
    ("mexc", 400, body(700002, "Signature for this request is not valid."), Outcome.DENIED_ACCESS),
    ("mexc", 403, body(700007, "No permission to access the endpoint."), Outcome.DENIED_ACCESS),
    ("mexc", 400, body(700006, "IP [1.2.3.4] not in the ip white list"), Outcome.DENIED_ACCESS),
    ("mexc", 429, body(429, "Too Many Requests"), Outcome.THROTTLED),
    ("mexc", 500, body(500, "Internal error"), Outcome.AMBIGUOUS),
    ("mexc", 400, body(730000, "Request failed, please contact the customer service"), Outcome.AMBIGUOUS),
    ("mexc", 504, body(504, "Gateway Time-out"), Outcome.AMBIGUOUS),
]


class _Canned(BaseHTTPRequestHandler):
    """Answers what the test says, and counts."""

    status: ClassVar[int] = 200
    content: ClassVar[str] = "{}"
    headers_out: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[str]] = []

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        self.send_response(self.status)
        for name, value in self.headers_out.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.content.encode())))
        self.end_headers()
        self.wfile.write(self.content.encode())

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def canned() -> Iterator[HTTPServer]:
    _Canned.status, _Canned.content, _Canned.headers_out = 200, "{}", {}
    _Canned.asked.clear()
    with HTTPServer(("127.0.0.1", 0), _Canned) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client_at(server: HTTPServer | int, exchange_id: str = "binance", **more: Any) -> CcxtClient:
    port = server if isinstance(server, int) else server.server_address[1]
    return CcxtClient(exchange_id, key="k", secret="s", endpoint=f"http://127.0.0.1:{port}", **more)


def send(client: CcxtClient) -> tuple[object, Sent]:
    """Send an order the way ccxt does, in a market that is known without asking."""
    exchange = client.exchange
    market = exchange.safe_market_structure({
        "id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
        "type": "spot", "spot": True, "active": True, "precision": {"amount": "0.00001", "price": "0.01"},
        "info": {"orderTypes": ["MARKET", "LIMIT"]},
    })  # fmt: skip
    exchange.set_markets([market])
    with client.call(permit_at=datetime.now(UTC)) as call:
        try:
            answer: object = exchange.create_order("BTC/USDT", "market", "buy", "0.01", None, {"clientOrderId": "jl1"})
        except (ccxt.BaseError, LookupError, TypeError, ValueError, AttributeError) as error:
            answer = error
    return answer, call.sent


@pytest.mark.parametrize(("exchange_id", "status", "content", "expected"), REFUSALS)
def test_what_a_refusal_proves(
    canned: HTTPServer, exchange_id: str, status: int, content: str, expected: Outcome
) -> None:
    _Canned.status, _Canned.content = status, content
    answer, sent = send(client_at(canned, exchange_id))
    assert isinstance(answer, BaseException)
    assert classify(exchange_id, answer, OURS, sent=sent) == expected
    assert len(_Canned.asked) == 1


ACCEPTED = {
    "symbol": "BTCUSDT",
    "orderId": 28,
    "clientOrderId": "jl1",
    "side": "BUY",
    "status": "NEW",
    "origQty": "0.01",
}
MEXC_ACCEPTED = {"symbol": "BTCUSDT", "orderId": "C02__342252993005723644225", "orderListId": -1, "side": "BUY"}


@pytest.mark.parametrize(
    ("exchange_id", "content", "expected"),
    [
        ("binance", json.dumps(ACCEPTED), Outcome.ACCEPTED),
        ("mexc", json.dumps(MEXC_ACCEPTED), Outcome.ACCEPTED),
        ("mexc", json.dumps(MEXC_ACCEPTED | {"clientOrderId": "other"}), Outcome.AMBIGUOUS),
        ("binance", json.dumps(ACCEPTED | {"clientOrderId": "other"}), Outcome.AMBIGUOUS),
        ("binance", json.dumps({key: ACCEPTED[key] for key in ("symbol", "orderId")}), Outcome.AMBIGUOUS),
        ("binance", json.dumps(ACCEPTED | {"symbol": "ETHUSDT"}), Outcome.AMBIGUOUS),
        ("binance", json.dumps(ACCEPTED | {"side": "SELL"}), Outcome.AMBIGUOUS),
        ("binance", json.dumps(ACCEPTED | {"orderId": "<html>"}), Outcome.AMBIGUOUS),
        ("binance", json.dumps(ACCEPTED | {"orderId": None}), Outcome.AMBIGUOUS),
        ("binance", "null", Outcome.AMBIGUOUS),
        ("binance", "", Outcome.AMBIGUOUS),
        ("binance", "<html>ok</html>", Outcome.AMBIGUOUS),
        ("binance", "[]", Outcome.AMBIGUOUS),
        ("binance", "{}", Outcome.AMBIGUOUS),
        ("mexc", "null", Outcome.AMBIGUOUS),
        ("mexc", "<html>ok</html>", Outcome.AMBIGUOUS),
        ("mexc", "{}", Outcome.AMBIGUOUS),
    ],
)
def test_what_a_reply_of_200_proves(canned: HTTPServer, exchange_id: str, content: str, expected: Outcome) -> None:
    _Canned.content = content
    answer, sent = send(client_at(canned, exchange_id))
    assert classify(exchange_id, answer, OURS, sent=sent) == expected


@pytest.mark.parametrize(
    ("error", "status", "content", "expected"),
    [
        (ccxt.InsufficientFunds("x"), 400, body(1), Outcome.REJECTED),
        (ccxt.InsufficientFunds("x"), 500, body(1), Outcome.AMBIGUOUS),
        (ccxt.InsufficientFunds("x"), 400, "<html>", Outcome.AMBIGUOUS),
        (ccxt.InvalidOrder("x"), 400, body(1), Outcome.AMBIGUOUS),
        (ccxt.DuplicateOrderId("x"), 400, body(1), Outcome.DUPLICATE_ID),
        (ccxt.AuthenticationError("x"), 401, body(1), Outcome.DENIED_ACCESS),
        (ccxt.DDoSProtection("x"), 429, body(1), Outcome.AMBIGUOUS),
        (ccxt.ExchangeError("x"), 400, body(1), Outcome.AMBIGUOUS),
    ],
)
def test_a_venue_without_a_table(error: Exception, status: int, content: str, expected: Outcome) -> None:
    sent = Sent(requests=1, reply=Reply(status=status, body=content))
    assert classify("kraken", error, OURS, sent=sent) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ccxt.InvalidOrder("too small"), Outcome.REJECTED),
        (ccxt.BadSymbol("x"), Outcome.REJECTED),
        (ccxt.AuthenticationError("no key"), Outcome.DENIED_ACCESS),
        (HeldBack("pause", timedelta(seconds=1)), Outcome.NOT_SENT),
        (KeyError("x"), Outcome.NOT_SENT),
    ],
)
def test_what_was_never_sent(error: Exception, expected: Outcome) -> None:
    assert classify("binance", error, OURS, sent=Sent(requests=0)) == expected


def test_an_earlier_failure_to_connect_proves_nothing_about_a_later_request() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer, sent = send(client_at(port))
    assert isinstance(answer, ccxt.NetworkError)
    assert classify("binance", answer, OURS, sent=sent) == Outcome.NOT_SENT
    cut = ccxt.NetworkError("the connection was reset")
    cut.__context__ = answer
    assert classify("binance", cut, OURS, sent=sent) == Outcome.AMBIGUOUS


def test_a_name_that_does_not_resolve_and_a_handshake_that_fails_sent_nothing(canned: HTTPServer) -> None:
    for address in ("http://venue.invalid", f"https://127.0.0.1:{canned.server_address[1]}"):
        answer, sent = send(CcxtClient("binance", key="k", secret="s", endpoint=address))
        assert sent.requests == 1
        assert classify("binance", answer, OURS, sent=sent) == Outcome.NOT_SENT
    assert _Canned.asked == []


def test_a_tls_error_after_the_handshake_is_in_doubt() -> None:
    error = ccxt.ExchangeError("binance POST")
    error.__cause__ = OSError(ssl.SSLEOFError("EOF occurred in violation of protocol"))
    assert classify("binance", error, OURS, sent=Sent(requests=1)) == Outcome.AMBIGUOUS


def test_a_redirect_does_not_send_an_order_again(canned: HTTPServer) -> None:
    _Canned.status, _Canned.headers_out = 307, {"Location": "/api/v3/again"}
    answer, sent = send(client_at(canned))
    assert classify("binance", answer, OURS, sent=sent) == Outcome.AMBIGUOUS
    assert _Canned.asked == ["POST /api/v3/order"]


def test_retry_after_becomes_a_pause_that_others_see(canned: HTTPServer) -> None:
    _Canned.status, _Canned.headers_out = 418, {"Retry-After": "77"}
    at, shared = datetime(2026, 1, 1, tzinfo=UTC), OwnPause()
    send(client_at(canned, pause=shared, clock=lambda: at))
    assert shared.get() == at + timedelta(seconds=77)
    answer, sent = send(client_at(canned, pause=shared, clock=lambda: at))
    assert isinstance(answer, HeldBack)
    assert (answer.retry_after, sent.requests) == (timedelta(seconds=77), 0)
    assert len(_Canned.asked) == 1


def test_the_budget_keeps_a_share_for_what_is_urgent() -> None:
    now = [0.0]
    budget = Budget(per_second=20, monotonic=lambda: now[0])
    for _ in range(70):
        budget.take(1, urgent=False)
    with pytest.raises(HeldBack) as held:
        budget.take(1, urgent=False)
    assert held.value.retry_after == timedelta(seconds=0.1)
    for _ in range(30):
        budget.take(1, urgent=True)
    with pytest.raises(HeldBack):
        budget.take(1, urgent=True)
    now[0] = 100.0
    budget.take(1, urgent=False)


@pytest.mark.parametrize(
    ("exchange_id", "status", "content", "expected"),
    [
        ("binance", 400, body(-2013, "Order does not exist."), True),
        ("mexc", 400, body(-2011, "Unknown order sent."), True),
        ("binance", 404, "", False),
        ("binance", 500, body(-2013), False),
        ("kraken", 400, body(-2013), False),
    ],
)
def test_only_the_venues_own_code_denies_an_order(exchange_id: str, status: int, content: str, expected: bool) -> None:
    assert is_unknown_order(exchange_id, Reply(status=status, body=content)) is expected
    assert not is_unknown_order(exchange_id, None)


@pytest.mark.parametrize("value", [None, True, "x", "NaN", "Infinity", [], float("nan")])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        reports.decimal(value)


def test_numbers_stay_exact() -> None:
    assert str(reports.decimal("0.10000000")) == "0.10000000"
    assert reports.decimal(0.1) == Decimal("0.1")


def test_an_exchange_that_ccxt_does_not_have() -> None:
    with pytest.raises(ValueError, match="no exchange"):
        CcxtClient("mtgox")
