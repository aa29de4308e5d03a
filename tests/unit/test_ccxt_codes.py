"""Every error code of Binance and MEXC that can answer an order, and what it proves; the texts are the venues' own."""

from __future__ import annotations

import json

import ccxt
import pytest

from trading.adapters.ccxt_codes import of
from trading.adapters.ccxt_outcomes import Asked, Outcome, Reply, Sent, classify, is_unknown_order

OURS = Asked(client_id="jl1", symbol="BTC/USDT", market_id="BTCUSDT", side="buy")
REJECTED, DENIED, UNCLEAR = Outcome.REJECTED, Outcome.DENIED_ACCESS, Outcome.AMBIGUOUS
THROTTLED, CLOCK, DUPLICATE = Outcome.THROTTLED, Outcome.CLOCK, Outcome.DUPLICATE_ID

BINANCE = [
    (400, -1000, "An unknown error occurred while processing the request.", UNCLEAR),
    (400, -1001, "Internal error; unable to process your request. Please try again.", UNCLEAR),
    (401, -1002, "You are not authorized to execute this request.", DENIED),
    (429, -1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.", THROTTLED),
    (418, -1003, "Way too much request weight used; IP banned until 1573370886000.", THROTTLED),
    (400, -1004, "Server is busy, please wait and try again", UNCLEAR),
    (400, -1006, "An unexpected response was received from the message bus. Execution status unknown.", UNCLEAR),
    (400, -1007, "Timeout waiting for response from backend server. Send status unknown.", UNCLEAR),
    (408, -1007, "Timeout waiting for response from backend server. Send status unknown.", UNCLEAR),
    (503, -1008, "Request throttled by system-level protection.", UNCLEAR),
    (400, -1008, "Spot server is currently overloaded with other requests.", UNCLEAR),
    (400, -1010, "ERROR_MSG_RECEIVED.", UNCLEAR),
    (400, -1010, "Account has insufficient balance for requested action.", REJECTED),
    (400, -1010, "Duplicate order sent.", DUPLICATE),
    (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", REJECTED),
    (400, -1014, "Unsupported order combination.", REJECTED),
    (400, -1015, "Too many new orders; current limit is 50 orders per 10 SECOND.", THROTTLED),
    (400, -1016, "This service is no longer available.", UNCLEAR),
    (400, -1020, "This operation is not supported.", REJECTED),
    (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.", CLOCK),
    (400, -1022, "Signature for this request is not valid.", DENIED),
    (400, -1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.", REJECTED),
    (400, -1111, "Parameter 'quantity' has too much precision.", REJECTED),
    (400, -1128, "Combination of optional parameters invalid.", REJECTED),
    (400, -2010, "Account has insufficient balance for requested action.", REJECTED),
    (400, -2010, "Market is closed.", REJECTED),
    (400, -2010, "Stop loss orders are not supported for this symbol.", REJECTED),
    (400, -2010, "Price * QTY is zero or less.", REJECTED),
    (400, -2010, "This action is disabled on this account.", REJECTED),
    (400, -2010, "This account may not place or cancel orders.", REJECTED),
    (400, -2010, "Unsupported order combination", REJECTED),
    (400, -2010, "Stop price would trigger immediately.", REJECTED),
    (400, -2010, "Order would immediately match and take.", REJECTED),
    (400, -2010, "The relationship of the prices for the orders is not correct.", REJECTED),
    (400, -2010, "Quote order qty market orders are not support for this symbol.", REJECTED),
    (400, -2010, "This symbol is not permitted for this account.", REJECTED),
    (400, -2010, "This symbol is restricted for this account.", REJECTED),
    (400, -2010, "Rest API trading is not enabled.", REJECTED),
    (400, -2010, "Order book liquidity is less than LOT_SIZE filter minimum quantity.", REJECTED),
    (400, -2010, "Order book liquidity is less than symbol minimum quantity.", REJECTED),
    (400, -2010, "Filter failure: MAX_POSITION", REJECTED),
    (400, -2010, "Symbol not whitelisted for API key.", REJECTED),
    (400, -2010, "Duplicate order sent.", DUPLICATE),
    (400, -2010, "a sentence of tomorrow", UNCLEAR),
    (400, -2010, "", UNCLEAR),
    (401, -2014, "API-key format invalid.", DENIED),
    (401, -2015, "Invalid API-key, IP, or permissions for action.", DENIED),
    (400, -2017, "API Keys are locked on this account.", DENIED),
    (500, -2010, "Account has insufficient balance for requested action.", UNCLEAR),
    (400, -1099, "Not found, authenticated, or authorized", DENIED),
    # Futures.
    (400, -2018, "Balance is insufficient.", REJECTED),
    (400, -2019, "Margin is insufficient.", REJECTED),
    (400, -2020, "Unable to fill.", UNCLEAR),
    (400, -2021, "Order would immediately trigger.", REJECTED),
    (400, -2022, "ReduceOnly Order is rejected.", REJECTED),
    (400, -2023, "User in liquidation mode now.", REJECTED),
    (400, -2025, "Reach max open order limit.", REJECTED),
    (400, -2026, "This OrderType is not supported when reduceOnly.", REJECTED),
    (400, -2027, "Exceeded the maximum allowable position at current leverage.", REJECTED),
    (400, -4045, "Reach max stop order limit.", REJECTED),
    (400, -4088, "User can not place order currently.", DENIED),
    (400, -4116, "clientOrderId is duplicated.", DUPLICATE),
    (400, -4118, "ReduceOnly Order Failed. Please check your existing position and open orders", REJECTED),
    (400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit", REJECTED),
    (400, -4142, "REJECT: take profit or stop order will be triggered immediately.", REJECTED),
    (400, -4164, "Order's notional must be no smaller than 100 (unless you choose reduce only).", REJECTED),
    (400, -4192, "Trade forbidden due to Cooling-off Period.", REJECTED),
    (400, -5021, "Due to the order could not be filled immediately, the FOK order has been rejected.", REJECTED),
    (400, -5028, "Timestamp for this request is outside of the ME recvWindow.", CLOCK),
    (503, None, "Unknown error, please check your request or try again later.", UNCLEAR),
    (503, None, "Service Unavailable.", UNCLEAR),
    (503, None, "Internal error; unable to process your request. Please try again.", UNCLEAR),
]
MEXC = [
    (400, 26, "operation not allowed", REJECTED),
    (400, 400, "api key required", DENIED),
    (400, 400, "quantity scale is invalid", REJECTED),
    (400, 400, "The start time cannot be earlier than 90 days", UNCLEAR),
    (401, 401, "No authority", DENIED),
    (403, 403, "Access Denied", DENIED),
    (429, 429, "Too Many Requests", THROTTLED),
    (500, 500, "Internal error", UNCLEAR),
    (503, 503, "service not available, please try again", UNCLEAR),
    (504, 504, "Gateway Time-out", UNCLEAR),
    (400, 602, "Signature verification failed", DENIED),
    (400, 603, "Repeated request", DUPLICATE),
    (400, 10001, "user does not exist", DENIED),
    (400, 10007, "symbol not support api", REJECTED),
    (400, 10072, "invalid access key", DENIED),
    (400, 10073, "invalid Request-Time", CLOCK),
    (400, 10095, "amount cannot be null", REJECTED),
    (400, 10096, "amount decimal places is too long", REJECTED),
    (400, 10097, "amount is error", REJECTED),
    (400, 10098, "risk control system detected abnormal", UNCLEAR),
    (400, 10101, "Insufficient balance", REJECTED),
    (400, 10102, "amount cannot be zero or negative", REJECTED),
    (400, 20002, "Internal system error please contact support", UNCLEAR),
    (400, 30000, "suspended transaction for the symbol", REJECTED),
    (400, 30001, "The current transaction direction is not allowed to place an order", REJECTED),
    (400, 30002, "The minimum transaction volume cannot be less than:5USDT", REJECTED),
    (400, 30003, "The maximum transaction volume cannot be greater than", REJECTED),
    (400, 30004, "Insufficient position", REJECTED),
    (400, 30005, "Oversold", REJECTED),
    (400, 30010, "no valid trade price", REJECTED),
    (400, 30014, "invalid symbol", REJECTED),
    (400, 30016, "trading disabled", REJECTED),
    (400, 30018, "market order is disabled", REJECTED),
    (400, 30018, "the account cannot place orders for now", DENIED),
    (400, 30019, "api market order is disabled", REJECTED),
    (400, 30020, "no permission for the symbol", REJECTED),
    (400, 30021, "invalid symbol", REJECTED),
    (400, 30025, "no exist opponent order", REJECTED),
    (400, 30027, "The currency has reached the maximum position limit, the buying is suspended", REJECTED),
    (400, 30028, "The currency triggered the platform risk control, the selling is suspended", REJECTED),
    (400, 30029, "Cannot exceed the maximum order limit", REJECTED),
    (400, 30032, "Cannot exceed the maximum position", REJECTED),
    (400, 30087, "Order price exceeds allowed range", REJECTED),
    (400, 33333, "param error", REJECTED),
    (400, 44444, "param cannot be null", REJECTED),
    (400, 60005, "your account is abnormal", DENIED),
    (400, 70011, "Pair user ban trade apikey.", DENIED),
    (400, 700001, "API-key format invalid", DENIED),
    (400, 700002, "Signature for this request is not valid.", DENIED),
    (400, 700003, "Timestamp for this request is outside of the recvWindow.", CLOCK),
    (400, 700004, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!", REJECTED),
    (400, 700005, "recvWindow must less than 60000", REJECTED),
    (400, 700006, "IP [1.2.3.4] not in the ip white list", DENIED),
    (403, 700007, "No permission to access the endpoint.", DENIED),
    (400, 700008, "Illegal characters found in parameter 'newClientOrderId'.", REJECTED),
    (400, 700013, "Invalid content Type.", REJECTED),
    (400, 730000, "Request failed, please contact the customer service", UNCLEAR),
    (400, 730001, "Pair not found", REJECTED),
    (400, 730002, "Your input param is invalid", REJECTED),
    (400, 730100, "Unusual user status", DENIED),
    # Contracts, which answer 200.
    (200, 510, "Requests are too frequent, please try again later", THROTTLED),
    (200, 513, "Invalid request", CLOCK),
    (200, 501, "System busy, please try again later", UNCLEAR),
    (200, 9999, "Public abnormal", UNCLEAR),
    (200, 2005, "Balance insufficient", REJECTED),
    (200, 2008, "The quantity is insufficient", REJECTED),
    (200, 2009, "Position is not exists or closed.", REJECTED),
    (200, 2015, "Price or quantity accuracy error", REJECTED),
    (200, 2037, "Frequent transactions, please try it later", THROTTLED),
    (200, 6001, "Trading forbidden", REJECTED),
    (200, 12345, "a sentence of tomorrow", UNCLEAR),
]


@pytest.mark.parametrize(
    ("exchange_id", "status", "code", "text", "expected"),
    [("binance", *row) for row in BINANCE] + [("mexc", *row) for row in MEXC],
)
def test_what_a_code_proves(exchange_id: str, status: int, code: int | None, text: str, expected: Outcome) -> None:
    told = {"msg": text} if code is None else {"code": code, "msg": text}
    for body in (json.dumps(told), json.dumps(told | {"code": str(code)} if code is not None else told)):
        sent = Sent(requests=1, reply=Reply(status=status, body=body))
        assert classify(exchange_id, ccxt.ExchangeError("x"), OURS, sent=sent) == expected


def test_no_code_proves_two_things() -> None:
    for exchange_id in ("binance", "mexc"):
        codes = of(exchange_id)
        assert codes is not None
        groups = [codes.rejected, codes.denied, codes.throttled, codes.clock, codes.duplicate]
        assert len(frozenset().union(*groups)) == sum(map(len, groups))


def test_a_contract_that_mexc_does_not_know_is_denied_by_its_code_alone() -> None:
    assert is_unknown_order("mexc", Reply(status=200, body='{"success":false,"code":2040,"message":"order not exist"}'))
    assert is_unknown_order("mexc", Reply(status=200, body='{"success":true,"code":0,"data":null}'))
    for body in ("{}", "null", '{"success":false,"data":null}', '{"success":true,"data":{"orderId":"1"}}'):
        assert not is_unknown_order("mexc", Reply(status=200, body=body))
    assert not is_unknown_order("mexc", Reply(status=502, body='{"code":2040}'))
