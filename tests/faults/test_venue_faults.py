"""Each fault of the venue reaches ccxt as the real thing would, and leaves the order where it says."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.faults.conftest import Connect
from tests.faults.test_venue_dialect import PAIR, both, buy, find, rest
from tests.venue.launch import Venue


def error_of(client: Any, client_id: str = "jlone") -> ccxt.BaseError | None:
    """Return what ccxt raises for a market buy, None when it returns."""
    try:
        buy(client, client_id)
    except ccxt.BaseError as error:
        return error
    return None


@both
@pytest.mark.parametrize(
    ("what", "error", "args"),
    [
        ("accept_then_cut", ccxt.NetworkError, {}),
        ("accept_then_truncate", ccxt.NetworkError, {}),
        ("accept_then_5xx", ccxt.ExchangeNotAvailable, {"status": 503}),
        ("accept_then_5xx", ccxt.RequestTimeout, {"status": 504}),
    ],
)
def test_an_accepted_order_whose_reply_is_lost(
    connect: Connect, fake: Venue, exchange: str, what: str, error: type[Exception], args: dict[str, Any]
) -> None:
    client = connect(exchange)
    fake.fault(what, "POST order", **args)

    raised = error_of(client)

    assert type(raised) is error
    assert [row["client_id"] for row in fake.accepted(exchange)] == ["jlone"]
    assert find(client, "jlone")["status"] == "closed"
    assert fake.faults()[what] == 1


@both
@pytest.mark.parametrize(("what"), ["accept_then_html", "accept_then_null", "accept_then_empty"])
def test_a_reply_of_nonsense_names_no_order(connect: Connect, fake: Venue, exchange: str, what: str) -> None:
    client = connect(exchange)
    fake.fault(what, "POST order")

    # The trap: ccxt may return as though all were well, with an id that is none.
    try:
        returned = buy(client, "jlone").get("id")
    except (ccxt.BaseError, AttributeError, TypeError):
        returned = None

    assert returned != find(client, "jlone")["id"]
    assert len(fake.accepted(exchange)) == 1


@pytest.mark.parametrize(
    ("what", "error"), [("accept_then_truncate", ccxt.ExchangeError), ("accept_then_cut", ccxt.ExchangeNotAvailable)]
)
async def test_the_async_client_names_a_broken_reply_otherwise(fake: Venue, what: str, error: type[Exception]) -> None:
    client = ccxt.async_support.binance(fake.ccxt_options("binance"))
    try:
        await client.load_markets()
        fake.fault(what, "POST order")

        with pytest.raises(ccxt.BaseError) as caught:
            await client.create_order(PAIR, "market", "buy", "0.01", None, {"clientOrderId": "jlone"})
    finally:
        await client.close()

    assert type(caught.value) is error
    assert len(fake.accepted()) == 1


def test_status_unknown_of_the_venue_is_not_a_reject(binance: Any, fake: Venue) -> None:
    fake.fault("accept_then_5xx", status=504, code=-1007, msg="Timeout waiting for response from backend server.")

    assert isinstance(error_of(binance), ccxt.RequestTimeout)
    assert len(fake.accepted()) == 1


@both
@pytest.mark.parametrize(
    ("what", "error"), [("lose_request", ccxt.NetworkError), ("http_5xx", ccxt.ExchangeNotAvailable)]
)
def test_a_request_that_never_arrives(
    connect: Connect, fake: Venue, exchange: str, what: str, error: type[Exception]
) -> None:
    client = connect(exchange)
    fake.fault(what, "POST order")

    assert type(error_of(client)) is error
    assert fake.accepted(exchange) == []
    assert error_of(client) is None


@both
def test_a_late_request_is_refused_by_its_window(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)
    client.options["recvWindow"] = 200
    fake.fault("late_accept", "POST order", seconds=0.4)

    assert type(error_of(client)) is ccxt.InvalidNonce
    assert fake.accepted(exchange) == []


def test_a_late_request_inside_its_window_is_accepted_after_the_client_gave_up(binance: Any, fake: Venue) -> None:
    fake.fault("late_accept", "POST order", seconds=0.5)
    binance.timeout = 200

    assert type(error_of(binance)) is ccxt.RequestTimeout
    assert fake.accepted() == []
    time.sleep(0.5)
    assert len(fake.accepted()) == 1


def test_a_slow_reply_is_a_time_out_of_an_accepted_order(binance: Any, fake: Venue) -> None:
    fake.fault("slow_reply", "POST order", seconds=0.5)
    binance.timeout = 200

    assert type(error_of(binance)) is ccxt.RequestTimeout
    assert len(fake.accepted()) == 1


@pytest.mark.parametrize(("exchange", "error"), [("binance", ccxt.DDoSProtection), ("mexc", ccxt.RateLimitExceeded)])
def test_a_rate_limit_ends_in_a_ban_for_who_goes_on(
    connect: Connect, fake: Venue, exchange: str, error: type[Exception]
) -> None:
    client = connect(exchange)
    fake.fault("rate_limit", "POST order", exchange=exchange, retry_after=5, tolerance=2, ban=9)

    raised = [error_of(client) for _ in range(5)]

    assert type(raised[0]) is error
    assert fake.log()["by_status"]["429"] == 3
    assert fake.log()["by_status"]["418"] == 2
    assert fake.accepted(exchange) == []
    assert 1 <= int(client.last_response_headers["Retry-After"]) <= 9


def test_a_wrong_clock_of_the_venue_refuses_good_requests(binance: Any, fake: Venue) -> None:
    fake.fault("clock", ms=-3000)
    assert type(error_of(binance)) is ccxt.InvalidNonce

    fake.fault("clock", ms=20_000)
    assert type(error_of(binance)) is ccxt.InvalidNonce

    fake.heal()
    assert error_of(binance) is None


@pytest.mark.parametrize(("exchange", "error"), [("binance", ccxt.AuthenticationError), ("mexc", ccxt.BadRequest)])
def test_a_revoked_key(connect: Connect, fake: Venue, exchange: str, error: type[Exception]) -> None:
    client = connect(exchange)
    fake.fault("auth_error", "POST order")
    assert type(error_of(client)) is error

    fake.key(exchange, revoked=True)
    assert type(error_of(client)) is error
    assert fake.accepted(exchange) == []


def test_any_refusal_may_be_told(binance: Any, fake: Venue) -> None:
    fake.fault("refuse", "POST order", code=-1015, msg="Too many new orders; current limit is 100 per 10 SECOND.")

    assert type(error_of(binance)) is ccxt.RateLimitExceeded
    assert fake.accepted() == []


@pytest.mark.parametrize(("exchange", "status"), [("binance", "expired"), ("mexc", "canceled")])
def test_a_market_order_may_fill_in_part(connect: Connect, fake: Venue, exchange: str, status: str) -> None:
    client = connect(exchange)
    fake.fault("partial", fraction="0.37", pieces=3)
    buy(client, "jlone")

    order = find(client, "jlone")

    assert (order["status"], Decimal(order["filled"])) == (status, Decimal("0.0037"))
    trades = client.fetch_my_trades(PAIR)
    assert len(trades) == 3
    assert sum(Decimal(trade["amount"]) for trade in trades) == Decimal("0.0037")
    assert Decimal(client.fetch_balance()["USDT"]["used"]) == 0


def test_a_limit_order_filled_in_part_rests(binance: Any, fake: Venue) -> None:
    fake.fault("partial", fraction="0.5")
    binance.create_order(PAIR, "limit", "buy", "0.01", "50000", {"clientOrderId": "jlone"})

    assert Decimal(find(binance, "jlone")["remaining"]) == Decimal("0.005")
    fake.price(PAIR, "49000")
    assert find(binance, "jlone")["status"] == "closed"


@pytest.mark.parametrize(("exchange", "error"), [("binance", ccxt.OrderNotFound), ("mexc", ccxt.ExchangeError)])
def test_an_order_may_be_found_only_after_a_while(
    connect: Connect, fake: Venue, exchange: str, error: type[Exception]
) -> None:
    client = connect(exchange)
    fake.fault("not_found_for", "GET order", seconds=0.4)
    buy(client, "jlone")

    with pytest.raises(error):
        find(client, "jlone")
    time.sleep(0.45)
    assert find(client, "jlone")["status"] == "closed"


def test_lists_may_lie_once(binance: Any, fake: Venue) -> None:
    rest(binance, "jlone")
    fake.fault("hide_open_orders")
    fake.fault("empty_balances")

    assert binance.fetch_open_orders(PAIR) == []
    assert len(binance.fetch_open_orders(PAIR)) == 1
    assert "USDT" not in binance.fetch_balance()["total"]
    assert "USDT" in binance.fetch_balance()["total"]


@both
def test_a_reply_may_name_another_order(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)
    fake.fault("wrong_order", "POST order")
    fake.fault("wrong_order", "GET order", times=1)

    assert buy(client, "jlone")["id"] == "7777777"
    assert find(client, "jlone")["clientOrderId"] == "someoneElse"
    assert find(client, "jlone")["clientOrderId"] == "jlone"


def test_a_list_may_report_an_order_twice_and_out_of_order(binance: Any, fake: Venue) -> None:
    buy(binance, "jlone")
    fake.fault("duplicate_report", "GET allOrders")

    reports = binance.private_get_allorders({"symbol": "BTCUSDT"})

    assert [report["status"] for report in reports] == ["FILLED", "NEW"]
    assert {report["clientOrderId"] for report in reports} == {"jlone"}


def test_chance_is_seeded_and_waits_its_turn(binance: Any, fake: Venue) -> None:
    fake.fault("lose_request", "POST order", probability=0.5)
    lost = [error_of(binance, f"jl{i}") is not None for i in range(40)]

    assert 8 < sum(lost) < 32
    assert fake.faults()["lose_request"] == sum(lost)
    assert [row["client_id"] for row in fake.accepted()] == [f"jl{i}" for i in range(40) if not lost[i]]
    fake.heal()
    fake.fault("lose_request", "POST order", skip=2)
    assert [error_of(binance, f"jm{i}") is not None for i in range(4)] == [False, False, True, False]
