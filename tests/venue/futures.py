"""The words of Binance USD-M futures: one-way positions on cross margin, and conditional orders kept apart."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from tests.venue.binance import Binance
from tests.venue.dialect import Answer, Call, Dialect
from tests.venue.engine import Engine
from tests.venue.gate import Throttle
from tests.venue.margin import MarginEngine
from tests.venue.values import STOPS, Market, NewOrder, Order, Reason, Refused, Trade, text

_STATES = {"NEW": "NEW", "CANCELED": "CANCELED", "EXPIRED": "EXPIRED"}


class Futures(Dialect):
    """https://developers.binance.com/docs/derivatives/usds-margined-futures, as far as ccxt asks."""

    name = "binanceusdm"
    header = "x-mbx-apikey"
    id_length = 36
    order_types = frozenset({"LIMIT", "MARKET", "STOP_LOSS"})
    refusals: ClassVar[dict[Reason, tuple[int, int, str]]] = {
        **Binance.refusals,
        Reason.FUNDS: (400, -2019, "Margin is insufficient."),
        Reason.WOULD_TRIGGER: (400, -2021, "Order would immediately trigger."),
        Reason.DUPLICATE: (400, -4116, "ClientOrderId is duplicated."),
        Reason.REDUCE_ONLY: (400, -2022, "ReduceOnly Order is rejected."),
    }
    denials = Binance.denials

    def __init__(self, engine: Engine, throttle: Throttle, page_limit: int) -> None:
        super().__init__(engine, throttle, page_limit)
        assert isinstance(engine, MarginEngine)
        self.margin = engine
        self.signed |= {
            "GET userTrades": self._my_trades,
            "GET positionRisk": self._positions,
            "GET leverageBracket": self._brackets,
            "POST leverage": self._set_leverage,
            "GET positionSide/dual": lambda call: {"dualSidePosition": self.margin.is_hedged},
            "POST positionSide/dual": self._set_mode,
            "POST algoOrder": self._place_algo,
            "GET algoOrder": self._query_algo,
            "DELETE algoOrder": self._cancel_algo,
            "GET openAlgoOrders": lambda call: [self._algo(order) for order in self._open(call, is_algo=True)],
            "GET openOrders": lambda call: [self.shown(order) for order in self._open(call, is_algo=False)],
        }

    def limited(self, status: int) -> Answer:
        return status, {"code": -1003, "msg": "Too many requests."}

    def exchange_info(self, call: Call) -> Any:
        markets = [market for market in self.engine.markets.values() if market.quote == "USDT"]
        return {"timezone": "UTC", "rateLimits": [], "symbols": [self._symbol(market) for market in markets]}

    def lookup(self, params: dict[str, str]) -> Order | None:
        """Return a plain order, or one that a trigger has released and that is asked for by its own id."""
        order = super().lookup(params)
        is_hidden = order is not None and order.type in STOPS and not (order.triggered and "orderId" in params)
        return None if is_hidden else order

    def account(self, call: Call) -> Any:
        wallet, loss = self.engine.balances.free("USDT"), self.margin.unrealised()
        asset = {
            "asset": "USDT",
            "walletBalance": text(wallet),
            "unrealizedProfit": text(loss),
            "marginBalance": text(wallet + loss),
            "maintMargin": "0.0",
            "initialMargin": text(self.margin.used()),
            "availableBalance": text(wallet + loss - self.margin.used()),
            "crossWalletBalance": text(wallet),
            "updateTime": self.engine.clock.now(),
        }
        return {"totalWalletBalance": text(wallet), "canTrade": True, "assets": [asset], "positions": []}

    def new_order(self, call: Call) -> NewOrder:
        params = call.params
        self.margin.next_reduces = params.get("reduceOnly") == "true"
        return replace(self.read_order(params), time_in_force=params.get("timeInForce", "GTC"), pieces=call.pieces)

    def placed(self, order: Order, call: Call) -> Any:
        return self.shown(order)

    def canceled(self, order: Order, call: Call) -> dict[str, Any]:
        return self.shown(order)

    def shown(self, order: Order) -> dict[str, Any]:
        kind = "MARKET" if order.type in STOPS else order.type
        return {
            "orderId": order.id,
            "symbol": order.symbol,
            "status": order.status,
            "clientOrderId": f"released{order.id}" if order.type in STOPS else order.client_id,
            "price": text(order.price),
            "avgPrice": text(order.quote_executed / order.executed) if order.executed else "0.00",
            "origQty": text(order.quantity),
            "executedQty": text(order.executed),
            "cumQuote": text(order.quote_executed),
            "timeInForce": order.time_in_force,
            "type": kind,
            "origType": kind,
            "reduceOnly": order.id in self.margin.reducing,
            "closePosition": False,
            "side": order.side,
            "positionSide": "BOTH",
            "stopPrice": "0.0",
            "workingType": "CONTRACT_PRICE",
            "time": order.accepted_at,
            "updateTime": order.updated_at,
        }

    def trade(self, trade: Trade) -> dict[str, Any]:
        return {
            "symbol": trade.symbol,
            "id": trade.id,
            "orderId": trade.order_id,
            "side": trade.side,
            "price": text(trade.price),
            "qty": text(trade.quantity),
            "quoteQty": text(trade.cost),
            "realizedPnl": "0.0",
            "commission": text(trade.fee),
            "commissionAsset": trade.fee_asset,
            "time": trade.at,
            "positionSide": "BOTH",
            "buyer": trade.side == "BUY",
            "maker": trade.is_maker,
        }

    def _place_algo(self, call: Call) -> Any:
        params = call.params
        if params.get("algoType") != "CONDITIONAL" or params.get("type") != "STOP_MARKET":
            raise Refused(Reason.TYPE)
        named = {**params, "type": "STOP_LOSS", "newClientOrderId": params.get("clientAlgoId", "")}
        self.margin.next_reduces = params.get("reduceOnly") == "true"
        return self._algo(
            self.engine.place(replace(self.read_order(named), stop_price=Decimal(params["triggerPrice"])))
        )

    def _query_algo(self, call: Call) -> Any:
        order = self._find_algo(call.params)
        if order is None or call.hidden:
            raise Refused(Reason.QUERY_UNKNOWN)
        return self._algo(order)

    def _cancel_algo(self, call: Call) -> Any:
        order = self._find_algo(call.params)
        if order is None or order.triggered:
            raise Refused(Reason.CANCEL_UNKNOWN)
        self.engine.cancel(order)
        return {"algoId": order.id, "clientAlgoId": order.client_id, "code": "200", "msg": "success"}

    def _find_algo(self, params: dict[str, str]) -> Order | None:
        by_id, name = int(params.get("algoId", "0")), params.get("clientAlgoId", "")
        order = self.engine.orders.get(by_id) if by_id else self.engine.by_client.get(name)
        return order if order is not None and order.type in STOPS else None

    def _open(self, call: Call, *, is_algo: bool) -> list[Order]:
        symbol = call.params.get("symbol")
        open_orders = [order for order in self.engine.open.values() if symbol in (None, order.symbol)]
        return [order for order in open_orders if (order.type in STOPS and not order.triggered) == is_algo]

    def _algo(self, order: Order) -> dict[str, Any]:
        return {
            "algoId": order.id,
            "clientAlgoId": order.client_id,
            "algoType": "CONDITIONAL",
            "orderType": "STOP_MARKET",
            "symbol": order.symbol,
            "side": order.side,
            "positionSide": "BOTH",
            "timeInForce": "GTC",
            "quantity": text(order.quantity),
            "algoStatus": "FINISHED" if order.triggered else _STATES[order.status],
            "actualOrderId": str(order.id) if order.triggered else "",
            "actualPrice": "0.0",
            "triggerPrice": text(order.stop_price),
            "price": "0.0",
            "workingType": "CONTRACT_PRICE",
            "closePosition": False,
            "reduceOnly": order.id in self.margin.reducing,
            "createTime": order.accepted_at,
            "updateTime": order.updated_at,
            "triggerTime": order.updated_at if order.triggered else 0,
        }

    def _positions(self, call: Call) -> Any:
        rows = []
        for symbol in self.engine.markets:
            held, entry = self.margin.position(symbol)
            if not held:
                continue
            mark = self.engine.prices[symbol]
            rows.append(
                {
                    "symbol": symbol,
                    "positionSide": "BOTH",
                    "positionAmt": text(held),
                    "entryPrice": text(entry),
                    "breakEvenPrice": text(entry),
                    "markPrice": text(mark),
                    "unRealizedProfit": text(held * (mark - entry)),
                    "liquidationPrice": "0",
                    "isolatedMargin": "0",
                    "notional": text(held * mark),
                    "marginAsset": "USDT",
                    "isolatedWallet": "0",
                    "initialMargin": text(abs(held) * mark / self.margin.leverage(symbol)),
                    "maintMargin": text(abs(held) * mark / 250),
                    "positionInitialMargin": "0",
                    "openOrderInitialMargin": "0",
                    "adl": 1,
                    "bidNotional": "0",
                    "askNotional": "0",
                    "updateTime": self.engine.clock.now(),
                }
            )
        return rows

    def _brackets(self, call: Call) -> Any:
        bracket = {"bracket": 1, "initialLeverage": 125, "notionalCap": 10**9, "notionalFloor": 0,
                   "maintMarginRatio": 0.004, "cum": 0.0}  # fmt: skip
        return [{"symbol": symbol, "brackets": [bracket]} for symbol in self.engine.markets]

    def _set_leverage(self, call: Call) -> Any:
        symbol, leverage = call.params["symbol"], int(call.params["leverage"])
        self.engine.market(symbol)
        self.margin.leverages[symbol] = leverage
        return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": "1000000000"}

    def _set_mode(self, call: Call) -> Any:
        self.margin.is_hedged = call.params["dualSidePosition"] == "true"
        return {"code": 200, "msg": "success"}

    def _symbol(self, market: Market) -> dict[str, Any]:
        lot = {"minQty": text(market.min_quantity or market.lot), "maxQty": "1000.0", "stepSize": text(market.lot)}
        price = {"minPrice": text(market.tick), "maxPrice": "1000000.0", "tickSize": text(market.tick)}
        return {
            "symbol": market.symbol,
            "pair": market.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000,
            "onboardDate": 1_569_398_400_000,
            "status": market.status,
            "baseAsset": market.base,
            "quoteAsset": market.quote,
            "marginAsset": market.quote,
            "pricePrecision": 8,
            "quantityPrecision": 8,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            "filters": [
                {"filterType": "PRICE_FILTER", **price},
                {"filterType": "LOT_SIZE", **lot},
                {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": "120.0"},
                {"filterType": "MIN_NOTIONAL", "notional": text(market.min_notional)},
            ],
        }
