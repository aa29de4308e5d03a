"""The words of Binance spot: its paths, error codes and JSON."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from tests.venue.candles import Candle
from tests.venue.dialect import Answer, Call, Dialect
from tests.venue.engine import Engine
from tests.venue.gate import Denied, Throttle
from tests.venue.values import Market, NewOrder, Order, Reason, Trade, text

_FILTER = "Filter failure: "


class Binance(Dialect):
    """https://developers.binance.com/docs/binance-spot-api-docs, as far as ccxt asks."""

    name = "binance"
    header = "x-mbx-apikey"
    id_length = 36
    order_types = frozenset(
        {"LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}
    )
    weights: ClassVar[dict[str, int]] = {
        "GET exchangeInfo": 20, "GET account": 20, "GET openOrders": 6, "GET allOrders": 20, "GET myTrades": 20,
        "GET order": 4, "GET ticker/24hr": 2, "GET ticker/price": 2, "GET ticker/bookTicker": 2, "GET klines": 2,
        "GET depth": 5,
    }  # fmt: skip
    refusals: ClassVar[dict[Reason, tuple[int, int, str]]] = {
        Reason.SYMBOL: (400, -1121, "Invalid symbol."),
        Reason.CLOSED: (400, -1013, "Market is closed."),
        Reason.TYPE: (400, -1116, "Invalid orderType."),
        Reason.PARAMETER: (400, -1102, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."),
        Reason.PRICE_FILTER: (400, -1013, _FILTER + "PRICE_FILTER"),
        Reason.LOT_SIZE: (400, -1013, _FILTER + "LOT_SIZE"),
        Reason.NOTIONAL: (400, -1013, _FILTER + "NOTIONAL"),
        Reason.FUNDS: (400, -2010, "Account has insufficient balance for requested action."),
        Reason.DUPLICATE: (400, -2010, "Duplicate order sent."),
        Reason.WOULD_TRIGGER: (400, -2010, "Stop price would trigger immediately."),
        Reason.WOULD_TAKE: (400, -2010, "Order would immediately match and take."),
        Reason.CANCEL_UNKNOWN: (400, -2011, "Unknown order sent."),
        Reason.QUERY_UNKNOWN: (400, -2013, "Order does not exist."),
        Reason.NO_TRADE_RIGHT: (401, -2015, "Invalid API-key, IP, or permissions for action."),
    }
    denials: ClassVar[dict[Denied, tuple[int, int, str]]] = {
        Denied.NO_KEY: (401, -2014, "API-key format invalid."),
        Denied.UNKNOWN_KEY: (401, -2015, "Invalid API-key, IP, or permissions for action."),
        Denied.NO_TIMESTAMP: (
            400,
            -1102,
            "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.",
        ),
        Denied.WINDOW_TOO_WIDE: (400, -1131, "recvWindow must be less than 60000"),
        Denied.LATE: (400, -1021, "Timestamp for this request is outside of the recvWindow."),
        Denied.AHEAD: (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time."),
        Denied.SIGNATURE: (400, -1022, "Signature for this request is not valid."),
    }

    def __init__(self, engine: Engine, throttle: Throttle, page_limit: int) -> None:
        super().__init__(engine, throttle, page_limit)
        self.signed["GET sapi/account/apiRestrictions"] = self._restrictions
        self.signed["GET sapi/capital/config/getall"] = self._coins
        self.signed["GET sapi/margin/allPairs"] = self.signed["GET sapi/margin/isolated/allPairs"] = lambda call: []
        self.public["GET fapi/v1/exchangeInfo"] = self.public["GET dapi/v1/exchangeInfo"] = lambda call: {"symbols": []}
        self.signed["GET account/commission"] = self._commission

    def limited(self, status: int) -> Answer:
        if status == 418:
            until = self.throttle.banned_until
            return 418, {"code": -1003, "msg": f"Way too much request weight used; IP banned until {until}."}
        limit = self.throttle.weight_limit or 6000
        message = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        return 429, {"code": -1003, "msg": message}

    def exchange_info(self, call: Call) -> Any:
        wanted = call.params.get("symbol")
        markets = [self.engine.market(wanted)] if wanted else list(self.engine.markets.values())
        limit = self.throttle.weight_limit or 6000
        return {
            "timezone": "UTC",
            "serverTime": self.engine.clock.now(),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            ],
            "exchangeFilters": [],
            "symbols": [self._symbol(market) for market in markets],
        }

    def account(self, call: Call) -> Any:
        key, rate = self.engine.settings.key, self.engine.settings.fee_rate
        points = int(rate * 10_000)
        return {
            "makerCommission": points,
            "takerCommission": points,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": text(rate), "taker": text(rate), "buyer": "0.0", "seller": "0.0"},
            "canTrade": key.trade,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "updateTime": self.engine.clock.now(),
            "accountType": "SPOT",
            "balances": self.balances(),
            "permissions": ["SPOT"],
            "uid": 354937868,
        }

    def new_order(self, call: Call) -> NewOrder:
        params = call.params
        new = self.read_order(params)
        return replace(
            new,
            stop_price=Decimal(params.get("stopPrice", "0")),
            time_in_force=params.get("timeInForce", "GTC"),
            fill_fraction=call.fill_fraction,
            pieces=call.pieces,
        )

    def placed(self, order: Order, call: Call) -> Any:
        wanted = call.params.get("newOrderRespType", "FULL" if order.type in ("MARKET", "LIMIT") else "ACK")
        reply: dict[str, Any] = {
            "symbol": order.symbol,
            "orderId": order.id,
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "transactTime": order.accepted_at,
        }
        if wanted == "ACK":
            return reply
        reply |= self._body(order)
        if wanted == "FULL":
            reply["fills"] = [
                {
                    "price": text(fill.price),
                    "qty": text(fill.quantity),
                    "commission": text(fill.fee),
                    "commissionAsset": fill.fee_asset,
                    "tradeId": fill.id,
                }
                for fill in self.engine.by_order.get(order.id, [])
            ]
        return reply

    def shown(self, order: Order) -> dict[str, Any]:
        return {
            "symbol": order.symbol,
            "orderId": order.id,
            "orderListId": -1,
            "clientOrderId": order.client_id,
            **self._body(order),
            "icebergQty": "0.00000000",
            "time": order.accepted_at,
            "updateTime": order.updated_at,
            "isWorking": order.triggered or order.stop_price == 0,
            "origQuoteOrderQty": text(order.quote_quantity),
        }

    def canceled(self, order: Order, call: Call) -> dict[str, Any]:
        return {
            "symbol": order.symbol,
            "origClientOrderId": order.client_id,
            "orderId": order.id,
            "orderListId": -1,
            "clientOrderId": call.params.get("newClientOrderId", f"cancel{order.id}"),
            "transactTime": order.updated_at,
            **self._body(order),
        }

    def trade(self, trade: Trade) -> dict[str, Any]:
        return {
            "symbol": trade.symbol,
            "id": trade.id,
            "orderId": trade.order_id,
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
        }

    def kline(self, candle: Candle, span: int) -> list[Any]:
        return [*super().kline(candle, span), 100, "0", "0", "0"]

    def _body(self, order: Order) -> dict[str, Any]:
        return {
            "price": text(order.price),
            "origQty": text(order.quantity),
            "executedQty": text(order.executed),
            "cummulativeQuoteQty": text(order.quote_executed),
            "status": order.status,
            "timeInForce": order.time_in_force,
            "type": order.type,
            "side": order.side,
            "stopPrice": text(order.stop_price),
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }

    def _symbol(self, market: Market) -> dict[str, Any]:
        lot = {"minQty": text(market.min_quantity), "maxQty": "9000000.0", "stepSize": text(market.lot)}
        price = {"minPrice": text(market.tick), "maxPrice": "1000000.0", "tickSize": text(market.tick)}
        cost = {"minNotional": text(market.min_notional), "applyMinToMarket": True, "maxNotional": "9000000.0"}
        return {
            "symbol": market.symbol,
            "status": market.status,
            "baseAsset": market.base,
            "baseAssetPrecision": 8,
            "quoteAsset": market.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": sorted(self.order_types),
            "icebergAllowed": True,
            "ocoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "cancelReplaceAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", **price},
                {"filterType": "LOT_SIZE", **lot},
                {"filterType": "NOTIONAL", **cost, "applyMaxToMarket": False, "avgPriceMins": 5},
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
        }

    def _restrictions(self, call: Call) -> Any:
        key = self.engine.settings.key
        return {
            "ipRestrict": key.ip_restrict,
            "createTime": 1_698_645_219_000,
            "enableReading": True,
            "enableSpotAndMarginTrading": key.trade,
            "enableWithdrawals": key.withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enablePortfolioMarginTrading": False,
        }

    def _coins(self, call: Call) -> Any:
        names = sorted({name for market in self.engine.markets.values() for name in (market.base, market.quote)})
        return [
            {"coin": name, "name": name, "free": "0", "locked": "0", "trading": True, "isLegalMoney": False,
             "depositAllEnable": True, "withdrawAllEnable": True, "networkList": []}
            for name in names
        ]  # fmt: skip

    def _commission(self, call: Call) -> Any:
        rate = text(self.engine.settings.fee_rate)
        rates = {"maker": rate, "taker": rate, "buyer": "0.0", "seller": "0.0"}
        return {"symbol": call.params["symbol"], "standardCommission": rates}
