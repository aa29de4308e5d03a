"""The words of MEXC spot v3: like Binance's at first sight, and different wherever it matters."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from tests.venue.dialect import Answer, Call, Dialect
from tests.venue.engine import Engine
from tests.venue.gate import Denied, Throttle
from tests.venue.values import Market, NewOrder, Order, Reason, Trade, plain, text

_PREFIX = "C02__"
_IMMEDIATE = {"IMMEDIATE_OR_CANCEL": "IOC", "FILL_OR_KILL": "FOK"}


class Mexc(Dialect):
    """https://www.mexc.com/api-docs/spot-v3, as far as ccxt asks; there are no stop orders."""

    name = "mexc"
    header = "x-mexc-apikey"
    id_length = 32
    order_types = frozenset({"LIMIT", "LIMIT_MAKER", "MARKET", *_IMMEDIATE})
    weights: ClassVar[dict[str, int]] = {
        "GET exchangeInfo": 10, "GET account": 10, "GET openOrders": 3, "GET allOrders": 10, "GET myTrades": 10,
        "GET order": 2,
    }  # fmt: skip
    refusals: ClassVar[dict[Reason, tuple[int, int, str]]] = {
        Reason.SYMBOL: (400, -1121, "Invalid symbol."),
        Reason.CLOSED: (400, 30016, "Trading disabled"),
        Reason.TYPE: (400, 30041, "Current order type can not place order"),
        Reason.PARAMETER: (400, 700004, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."),
        Reason.PRICE_FILTER: (400, 400, "price scale is invalid"),
        Reason.LOT_SIZE: (400, 400, "quantity scale is invalid"),
        Reason.NOTIONAL: (400, 30002, "The minimum transaction volume cannot be less than:{}"),
        Reason.FUNDS: (400, 30004, "Insufficient position"),
        Reason.DUPLICATE: (400, 603, "Repeated request"),
        Reason.WOULD_TRIGGER: (400, 30041, "Current order type can not place order"),
        Reason.WOULD_TAKE: (400, 30001, "The current transaction direction is not allowed to place an order"),
        Reason.CANCEL_UNKNOWN: (400, -2011, "Unknown order sent."),
        Reason.QUERY_UNKNOWN: (400, -2013, "Order does not exist."),
        Reason.NO_TRADE_RIGHT: (403, 700007, "No permission to access the endpoint."),
    }
    denials: ClassVar[dict[Denied, tuple[int, int, str]]] = {
        Denied.NO_KEY: (400, 400, "api key required"),
        Denied.UNKNOWN_KEY: (400, 10072, "Api key info invalid"),
        Denied.NO_TIMESTAMP: (
            400,
            700004,
            "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.",
        ),
        Denied.WINDOW_TOO_WIDE: (400, 700005, "recvWindow must less than 60000"),
        Denied.LATE: (400, 700003, "Timestamp for this request is outside of the recvWindow."),
        Denied.AHEAD: (400, 700003, "Timestamp for this request is outside of the recvWindow."),
        Denied.SIGNATURE: (400, 700002, "Signature for this request is not valid."),
    }

    def __init__(self, engine: Engine, throttle: Throttle, page_limit: int) -> None:
        super().__init__(engine, throttle, page_limit)
        self.public["GET defaultSymbols"] = self._symbols
        self.signed["GET selfSymbols"] = self._symbols
        self.public["GET api/v1/contract/detail"] = lambda call: {"success": True, "code": 0, "data": []}
        self.signed["GET capital/config/getall"] = lambda call: []

    def limited(self, status: int) -> Answer:
        return status, {"code": 429 if status == 429 else 403, "msg": "Too Many Requests"}

    def exchange_info(self, call: Call) -> Any:
        wanted = call.params.get("symbol")
        markets = [self.engine.market(wanted)] if wanted else list(self.engine.markets.values())
        return {
            "timezone": "CST",
            "serverTime": self.engine.clock.now(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [self._symbol(market) for market in markets],
        }

    def account(self, call: Call) -> Any:
        key = self.engine.settings.key
        return {
            "canTrade": key.trade,
            "canWithdraw": key.withdraw,
            "canDeposit": True,
            "updateTime": None,
            "accountType": "SPOT",
            "balances": self.balances(),
            "permissions": ["SPOT"],
        }

    def new_order(self, call: Call) -> NewOrder:
        new = self.read_order(call.params)
        force = _IMMEDIATE.get(new.type, "GTC")
        return replace(new, time_in_force=force, fill_fraction=call.fill_fraction, pieces=call.pieces)

    def placed(self, order: Order, call: Call) -> Any:
        """Return MEXC's short reply, which does not repeat the client's id."""
        return {
            "symbol": order.symbol,
            "orderId": f"{_PREFIX}{order.id}",
            "orderListId": -1,
            "price": plain(order.price),
            "origQty": plain(order.quantity),
            "type": order.type,
            "side": order.side,
            "transactTime": order.accepted_at,
        }

    def shown(self, order: Order) -> dict[str, Any]:
        return {
            "symbol": order.symbol,
            "orderId": f"{_PREFIX}{order.id}",
            "orderListId": -1,
            "clientOrderId": order.client_id,
            **self._body(order),
            "stopPrice": "",
            "icebergQty": "",
            "time": order.accepted_at,
            "updateTime": order.updated_at,
            "isWorking": True,
            "origQuoteOrderQty": plain(order.quote_quantity),
        }

    def canceled(self, order: Order, call: Call) -> dict[str, Any]:
        return {
            "symbol": order.symbol,
            "orderId": f"{_PREFIX}{order.id}",
            "origClientOrderId": order.client_id,
            "clientOrderId": order.client_id,
            **self._body(order),
        }

    def trade(self, trade: Trade) -> dict[str, Any]:
        return {
            "symbol": trade.symbol,
            "id": str(trade.id),
            "orderId": f"{_PREFIX}{trade.order_id}",
            "orderListId": -1,
            "price": text(trade.price),
            "qty": text(trade.quantity),
            "quoteQty": text(trade.cost),
            "commission": text(trade.fee),
            "commissionAsset": trade.fee_asset,
            "time": trade.at,
            "isBuyer": trade.side == "BUY",
            "isMaker": trade.is_maker,
            "isBestMatch": True,
            "isSelfTrade": False,
            "clientOrderId": self.engine.orders[trade.order_id].client_id,
        }

    def _body(self, order: Order) -> dict[str, Any]:
        return {
            "price": plain(order.price),
            "origQty": plain(order.quantity),
            "executedQty": plain(order.executed),
            "cummulativeQuoteQty": plain(order.quote_executed),
            "status": self._status(order),
            "timeInForce": order.time_in_force,
            "type": order.type,
            "side": order.side,
        }

    def _status(self, order: Order) -> str:
        if order.status in ("CANCELED", "EXPIRED"):
            return "PARTIALLY_CANCELED" if order.executed else "CANCELED"
        return order.status

    def _symbol(self, market: Market) -> dict[str, Any]:
        return {
            "symbol": market.symbol,
            "status": "1" if market.status == "TRADING" else "2",
            "baseAsset": market.base,
            "baseAssetPrecision": _places(market.lot),
            "quoteAsset": market.quote,
            "quotePrecision": _places(market.tick),
            "quoteAssetPrecision": _places(market.tick),
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
            "isSpotTradingAllowed": market.status == "TRADING",
            "isMarginTradingAllowed": False,
            "quoteAmountPrecision": plain(market.min_notional),
            "baseSizePrecision": plain(market.min_quantity),
            "permissions": ["SPOT"],
            "filters": [],
            "maxQuoteAmount": "2000000",
            "makerCommission": plain(self.engine.settings.fee_rate),
            "takerCommission": plain(self.engine.settings.fee_rate),
            "quoteAmountPrecisionMarket": plain(market.min_notional),
            "maxQuoteAmountMarket": "100000",
            "fullName": market.base,
            "tradeSideType": 1,
        }

    def _symbols(self, call: Call) -> Any:
        return {"code": 200, "data": list(self.engine.markets), "msg": None}


def _places(step: Decimal) -> int:
    """Return how many decimal places a step has."""
    return max(0, -int(step.normalize().as_tuple().exponent))
