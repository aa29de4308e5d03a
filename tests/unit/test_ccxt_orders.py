"""Orders in a venue's terms, without a venue."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from trading.adapters import ccxt_orders, ccxt_reports
from trading.core.ports import OrderKind, OrderRequest, OrderSide, ReportStatus, StopSupport

AT = datetime(2026, 1, 1, tzinfo=UTC)


def exchange_of(exchange_id: str, **market: Any) -> tuple[Any, Any]:
    exchange = getattr(ccxt, exchange_id)({"number": str})
    given = {
        "id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
        "type": "spot", "spot": True, "active": True, "precision": {"amount": "0.001", "price": "0.1"},
        "taker": "0.001", "info": {"orderTypes": ["LIMIT", "MARKET", "STOP_LOSS_LIMIT"]},
    }  # fmt: skip
    exchange.set_markets([exchange.safe_market_structure(given | market)])
    return exchange, exchange.markets[exchange.symbols[0]]


SWAP: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT", "type": "swap", "spot": False, "swap": True, "contract": True, "linear": True,
    "settle": "USDT", "settleId": "USDT", "contractSize": "0.01", "precision": {"amount": "1", "price": "0.1"},
}  # fmt: skip


def order(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "client_id": "jl1", "symbol": "BTC/USDT", "side": OrderSide.SELL, "kind": OrderKind.STOP,
        "quantity": Decimal("0.050"), "trigger": Decimal("100.10"), "price": Decimal("99.9"), "at": AT,
        "reduce_only": True,
    }  # fmt: skip
    return OrderRequest(**(values | changes))


def test_a_stop_is_a_limit_order_where_the_market_has_no_other() -> None:
    exchange, market = exchange_of("binance")
    assert ccxt_orders.stop_support("binance", market) == StopSupport.LIMIT
    terms = ccxt_orders.terms(exchange, market, order())
    assert terms.arguments == ("BTC/USDT", "limit", "sell", "0.05", "99.9")
    assert terms.params == {"clientOrderId": "jl1", "stopLossPrice": "100.1"}
    with pytest.raises(ccxt.InvalidOrder, match="needs a price"):
        ccxt_orders.terms(exchange, market, order(price=None))


def test_a_swap_is_ordered_in_contracts_and_only_reduces() -> None:
    exchange, market = exchange_of("binance", **SWAP)
    terms = ccxt_orders.terms(exchange, market, order(symbol="BTC/USDT:USDT", price=None))
    assert terms.arguments == ("BTC/USDT:USDT", "market", "sell", "5", None)
    assert terms.params == {"clientOrderId": "jl1", "stopLossPrice": "100.1", "reduceOnly": True}
    with pytest.raises(ccxt.InvalidOrder, match="grid"):
        ccxt_orders.terms(exchange, market, order(symbol="BTC/USDT:USDT", quantity=Decimal("0.055")))


def test_stops_by_venue() -> None:
    assert ccxt_orders.stop_support("binance", exchange_of("binance", **SWAP)[1]) == StopSupport.MARKET
    assert ccxt_orders.stop_support("mexc", exchange_of("mexc", **SWAP)[1]) == StopSupport.NONE
    assert ccxt_orders.stop_support("kraken", exchange_of("kraken")[1]) == StopSupport.NONE


def test_a_filled_order_without_all_its_trades_is_only_partial() -> None:
    _, market = exchange_of("binance")
    book = ccxt_reports.Book.of("binance", market, lambda coin: None)
    closed = {"id": "7", "status": "closed", "filled": "0.05", "amount": "0.05", "side": "sell"}
    trade = {"id": "1", "order": "7", "amount": "0.03", "price": "100", "timestamp": 0, "side": "sell",
             "fee": {"cost": "0.01", "currency": "BNB"}}  # fmt: skip
    fill = book.fill(trade, client_id="jl1")
    assert fill.fee == Decimal("0.003"), "without a price of the coin, the taker fee"
    assert ccxt_reports.report(closed, [fill], book, client_id="jl1").status == ReportStatus.PARTIAL
    assert ccxt_reports.report(closed, [], book, client_id="jl1").status == ReportStatus.PARTIAL
    rest = book.fill(trade | {"id": "2", "amount": "0.02"})
    assert ccxt_reports.report(closed, [fill, rest], book, client_id="jl1").status == ReportStatus.FILLED
