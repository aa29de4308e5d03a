"""The fake venue speaks as Binance and MEXC do, judged by the real ccxt classes."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.faults.conftest import Connect
from tests.processes import eventually, is_alive
from tests.venue.launch import ROOT, Venue

PAIR = "BTC/USDT"
both = pytest.mark.parametrize("exchange", ["binance", "mexc"])


def buy(client: Any, client_id: str | None = None, amount: str = "0.01", **params: Any) -> Any:
    if client_id is not None:
        params["clientOrderId"] = client_id
    return client.create_order(PAIR, "market", "buy", amount, None, params)


def rest(client: Any, client_id: str, price: str = "40000") -> Any:
    return client.create_order(PAIR, "limit", "buy", "0.01", price, {"clientOrderId": client_id})


def find(client: Any, client_id: str) -> Any:
    return client.fetch_order(None, PAIR, {"clientOrderId": client_id})


@both
def test_markets_carry_the_grid_as_text(connect: Connect, exchange: str) -> None:
    market = connect(exchange).market(PAIR)

    assert Decimal(market["precision"]["amount"]) == Decimal("0.00001")
    assert Decimal(market["precision"]["price"]) == Decimal("0.01")
    assert Decimal(market["limits"]["cost"]["min"]) == 5
    assert market["active"]


@both
def test_a_halted_market_is_inactive_and_refuses(connect: Connect, fake: Venue, exchange: str) -> None:
    fake.market(PAIR, status="BREAK")
    client = connect(exchange)

    assert not client.market(PAIR)["active"]
    with pytest.raises(ccxt.BaseError):
        buy(client)
    assert fake.accepted(exchange) == []


@both
def test_a_frozen_market_answers_every_question_as_it_was(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)
    fake.price(PAIR, 51000)
    fake.freeze()
    first = client.fetch_ticker(PAIR)
    fake.price(PAIR, 52000)
    time.sleep(0.02)

    then = client.fetch_ticker(PAIR)

    assert (then["last"], then["timestamp"]) == (first["last"], first["timestamp"])
    assert Decimal(then["last"]) == 51000
    assert client.fetch_time() > then["timestamp"]
    fake.heal()
    assert Decimal(client.fetch_ticker(PAIR)["last"]) == 52000


@both
def test_market_data_follows_the_price_set(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)
    fake.price(PAIR, ["51000", "52000.5"])

    assert Decimal(client.fetch_ticker(PAIR)["last"]) == Decimal("52000.5")
    assert Decimal(client.fetch_tickers()["ETH/USDT"]["last"]) == 3000
    assert Decimal(client.fetch_order_book(PAIR)["bids"][0][0]) == Decimal("52000.5")
    bars = client.fetch_ohlcv(PAIR, "1m", limit=50)
    assert len(bars) == 50
    assert {later[0] - bar[0] for bar, later in pairwise(bars)} == {60_000}
    assert Decimal(bars[-1][4]) == Decimal("52000.5")
    assert abs(client.fetch_time() - time.time() * 1000) < 1000


def test_candles_may_be_given(binance: Any, fake: Venue) -> None:
    at = int(time.time() * 1000) // 3_600_000 * 3_600_000 - 3_600_000
    fake.candles(PAIR, "1h", [[at, "1", "4", "0.5", "2", "7"]])

    (bar,) = binance.fetch_ohlcv(PAIR, "1h", since=at, limit=1)

    assert bar[0] == at
    assert [Decimal(number) for number in bar[1:]] == [1, 4, Decimal("0.5"), 2, 7]


@both
def test_a_market_buy_fills_and_pays_its_fee_in_the_coin_bought(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)

    placed = buy(client, "jlone")

    order = find(client, "jlone")
    assert (order["id"], order["clientOrderId"], order["status"]) == (placed["id"], "jlone", "closed")
    (trade,) = client.fetch_my_trades(PAIR)
    assert (trade["order"], trade["fee"]["currency"]) == (placed["id"], "BTC")
    assert Decimal(trade["fee"]["cost"]) == Decimal("0.00001")
    balance = client.fetch_balance()
    assert Decimal(balance["BTC"]["free"]) == Decimal("0.00999")
    assert Decimal(balance["USDT"]["free"]) == 99500


def test_mexc_does_not_repeat_the_client_id_in_its_reply(mexc: Any) -> None:
    assert buy(mexc, "jlone")["clientOrderId"] is None


@pytest.mark.parametrize(("mode", "coin", "cost"), [("quote", "USDT", "0.5"), ("BNB", "BNB", "0.00083333")])
def test_fees_may_be_taken_in_another_coin(binance: Any, fake: Venue, mode: str, coin: str, cost: str) -> None:
    fake.fees(mode)

    (trade,) = buy(binance)["trades"]

    assert (trade["fee"]["currency"], Decimal(trade["fee"]["cost"])) == (coin, Decimal(cost))


@both
def test_a_limit_order_locks_rests_and_fills(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)
    placed = rest(client, "jlone")

    assert [order["id"] for order in client.fetch_open_orders(PAIR)] == [placed["id"]]
    assert Decimal(client.fetch_balance()["USDT"]["used"]) == 400
    fake.price(PAIR, "39000")
    order = find(client, "jlone")
    assert (order["status"], Decimal(order["cost"])) == ("closed", Decimal(400))
    assert client.fetch_open_orders(PAIR) == []
    assert Decimal(client.fetch_balance()["USDT"]["used"]) == 0


@both
def test_a_cancelled_order_frees_its_coins_and_is_unknown_to_a_second_cancel(connect: Connect, exchange: str) -> None:
    client = connect(exchange)
    placed = rest(client, "jlone")

    client.cancel_order(placed["id"], PAIR)

    assert find(client, "jlone")["status"] == "canceled"
    assert Decimal(client.fetch_balance()["USDT"]["free"]) == 100_000
    # ccxt knows Binance's -2011 as "not found"; on MEXC the same number is a plain bad request.
    unknown = ccxt.OrderNotFound if exchange == "binance" else ccxt.BadRequest
    with pytest.raises(unknown, match=r"-2011|Unknown order"):
        client.cancel_order(placed["id"], PAIR)


@pytest.mark.parametrize(("exchange", "error"), [("binance", ccxt.OrderNotFound), ("mexc", ccxt.ExchangeError)])
def test_an_unknown_order_is_not_found(connect: Connect, exchange: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"-2013|does not exist") as caught:
        find(connect(exchange), "nobody")

    assert type(caught.value) is error  # MEXC's is the bare base class: only the number tells


@pytest.mark.parametrize(
    ("type", "limit", "price"), [("STOP_LOSS", None, "44000"), ("STOP_LOSS_LIMIT", "43000", "44000")]
)
def test_a_stop_waits_at_the_venue_and_triggers_there(
    binance: Any, fake: Venue, type: str, limit: str | None, price: str
) -> None:
    buy(binance)
    binance.create_order(PAIR, type, "sell", "0.00999", limit, {"stopPrice": "45000", "clientOrderId": "jlstop"})

    fake.price(PAIR, "45000.01")
    waiting = find(binance, "jlstop")
    assert (waiting["status"], Decimal(waiting["triggerPrice"])) == ("open", Decimal(45000))
    assert Decimal(binance.fetch_balance()["BTC"]["used"]) == Decimal("0.00999")
    fake.price(PAIR, price)
    order = find(binance, "jlstop")
    assert (order["status"], Decimal(order["average"])) == ("closed", Decimal(price))


def test_a_gap_leaves_a_stop_limit_resting(binance: Any, fake: Venue) -> None:
    buy(binance)
    params = {"stopPrice": "45000", "clientOrderId": "jlstop"}
    binance.create_order(PAIR, "STOP_LOSS_LIMIT", "sell", "0.00999", "44900", params)

    fake.price(PAIR, "43000")

    assert find(binance, "jlstop")["status"] == "open"
    fake.price(PAIR, "44950")
    assert find(binance, "jlstop")["status"] == "closed"


def test_a_stop_on_the_wrong_side_is_refused(binance: Any) -> None:
    buy(binance)

    with pytest.raises(ccxt.OrderImmediatelyFillable):
        binance.create_order(PAIR, "STOP_LOSS", "sell", "0.005", None, {"stopPrice": "50001"})


@both
@pytest.mark.parametrize("shift_ms", [-6000, 1500])
def test_outside_the_receive_window_nothing_is_accepted(
    connect: Connect, fake: Venue, exchange: str, shift_ms: int
) -> None:
    client = connect(exchange)
    client.nonce = lambda: int(time.time() * 1000) + shift_ms

    with pytest.raises(ccxt.InvalidNonce, match=r"-1021|700003|recvWindow|ahead"):
        buy(client, recvWindow=5000) if exchange == "binance" else buy(client)

    assert fake.accepted(exchange) == []


@both
def test_a_wrong_secret_and_a_wrong_key_are_told_apart(connect: Connect, exchange: str) -> None:
    with pytest.raises(ccxt.AuthenticationError, match="Signature"):
        buy(connect(exchange, secret="wrong"))

    error = ccxt.AuthenticationError if exchange == "binance" else ccxt.BadRequest
    client = connect(exchange)
    client.apiKey = "x" * 64
    with pytest.raises(error, match=r"-2015|10072|Invalid API-key"):
        buy(client)


@pytest.mark.parametrize(("exchange", "error"), [("binance", ccxt.InvalidOrder), ("mexc", ccxt.BadRequest)])
def test_a_client_id_is_unique_among_open_orders_only(
    connect: Connect, fake: Venue, exchange: str, error: type[Exception]
) -> None:
    client = connect(exchange)
    placed = rest(client, "jlone")

    with pytest.raises(error, match=r"Duplicate order sent|Repeated request"):
        rest(client, "jlone")
    client.cancel_order(placed["id"], PAIR)
    again = rest(client, "jlone")

    assert again["id"] != placed["id"]
    assert [row["client_id"] for row in fake.accepted(exchange)] == ["jlone", "jlone"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantity": "0.000015", "price": "40000"}, "LOT_SIZE"),
        ({"quantity": "0.001", "price": "40000.001"}, "PRICE_FILTER"),
        ({"quantity": "0.0001", "price": "40000"}, "NOTIONAL"),
    ],
)
def test_binance_filters(binance: Any, fields: dict[str, str], message: str) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", **fields}

    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest), match=message):
        binance.private_post_order(order)


def test_mexc_grid_and_minimum(mexc: Any) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "price": "40000"}

    with pytest.raises(ccxt.BadRequest, match="scale"):
        mexc.spotPrivatePostOrder({**order, "quantity": "0.000015"})
    with pytest.raises(ccxt.InvalidOrder, match="30002"):
        mexc.spotPrivatePostOrder({**order, "quantity": "0.0001"})
    with pytest.raises(ccxt.InvalidOrder, match="30041"):
        mexc.spotPrivatePostOrder({**order, "quantity": "0.001", "type": "STOP_LOSS", "stopPrice": "1"})


@both
def test_money_that_is_not_there_is_refused(connect: Connect, exchange: str) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        buy(connect(exchange), amount="50")


def test_rights_of_the_key_are_shown_and_enforced(binance: Any, fake: Venue) -> None:
    fake.key(withdraw=True, trade=False)

    rights = binance.sapi_get_account_apirestrictions()

    assert (rights["enableWithdrawals"], rights["enableSpotAndMarginTrading"]) == (True, False)
    with pytest.raises(ccxt.AuthenticationError):
        buy(binance)


def test_too_much_weight_is_429_and_going_on_is_418(binance: Any, fake: Venue) -> None:
    fake.limits(weight=30, tolerance=1)
    codes: list[int] = []
    for _ in range(6):
        try:
            binance.fetch_open_orders(PAIR)
        except ccxt.DDoSProtection as error:
            codes.append(int(str(error).split()[1]))

    assert codes[0] == 429
    assert codes[-1] == 418
    assert int(binance.last_response_headers["Retry-After"]) >= 1
    assert (fake.log()["limited"], fake.log()["banned"]) == (codes.count(429), codes.count(418))
    fake.heal()
    fake.limits(weight=None)
    binance.fetch_open_orders(PAIR)


def test_lists_come_in_pages(binance: Any, fake: Venue) -> None:
    fake.limits(page=3)
    ids = [int(buy(binance)["id"]) for _ in range(5)]

    newest = binance.private_get_mytrades({"symbol": "BTCUSDT"})
    oldest = binance.private_get_allorders({"symbol": "BTCUSDT", "orderId": ids[0]})

    assert [int(row["orderId"]) for row in newest] == ids[2:]
    assert [int(row["orderId"]) for row in oldest] == ids[:3]


def test_a_kill_forgets_nothing(binance: Any, fake: Venue) -> None:
    buy(binance, "jlone")
    rest(binance, "jltwo")
    fake.price(PAIR, "48000")
    before = fake.state()

    fake.kill()
    with pytest.raises(ccxt.NetworkError):
        find(binance, "jlone")
    fake.restart()

    after = fake.state()
    assert {name: after[name] for name in ("orders", "accepted", "balances", "prices")} == {
        name: before[name] for name in ("orders", "accepted", "balances", "prices")
    }
    assert find(binance, "jltwo")["status"] == "open"
    assert int(rest(binance, "jlthree", "41000")["id"]) == 1003


def test_the_operator_acts_on_the_venues_own_page(binance: Any, fake: Venue) -> None:
    rest(binance, "jlone")
    fake.fill("jlone", fraction="0.37")
    assert Decimal(find(binance, "jlone")["filled"]) == Decimal("0.0037")

    fake.cancel("jlone")
    fake.external_order(PAIR, "sell", "0.003")
    fake.transfer("USDT", "-1000")

    assert find(binance, "jlone")["status"] == "canceled"
    assert [row["origin"] for row in fake.accepted()] == ["api", "external"]
    assert Decimal(fake.state()["balances"]["BTC"]["free"]) == Decimal("0.0006963")
    assert Decimal(fake.state()["balances"]["USDT"]["locked"]) == 0


@both
def test_a_client_id_has_its_letters_and_its_length(connect: Connect, fake: Venue, exchange: str) -> None:
    client = connect(exchange)

    for client_id in ("jl one", "j" * 37):
        with pytest.raises(ccxt.BadRequest, match="newClientOrderId"):
            buy(client, client_id)

    assert fake.accepted(exchange) == []


def test_an_overfill_is_booked_as_one(binance: Any, fake: Venue) -> None:
    rest(binance, "jlone")

    fake.fill("jlone", quantity="0.012")

    order = find(binance, "jlone")
    assert (order["status"], Decimal(order["filled"])) == ("closed", Decimal("0.012"))
    assert Decimal(fake.state()["balances"]["USDT"]["free"]) == 99_520
    assert Decimal(fake.state()["balances"]["USDT"]["locked"]) == 0


def test_a_venue_ends_with_the_test_that_started_it(tmp_path: Path) -> None:
    script = "import sys, pathlib, tests.venue.launch as l; print(l.Venue(pathlib.Path(sys.argv[1])).pid, flush=True); l.os._exit(9)"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "v.db")], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 9
    assert eventually(lambda: not is_alive(int(ended.stdout)), within=3)
