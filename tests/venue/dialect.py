"""What both venues have in common: they read a request, ask the engine, and answer in JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from tests.venue.candles import SPANS_MS, Candle, Tape
from tests.venue.engine import Engine
from tests.venue.gate import Denied, Throttle, judge
from tests.venue.values import ZERO, Market, NewOrder, Order, Reason, Refused, Trade, text
from tests.venue.wire import Request

Answer = tuple[int, Any]
DAY_MS = 86_400_000
_ID = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(slots=True)
class Call:
    """One request as the dialect sees it, with what a fault asks of it."""

    request: Request
    endpoint: str
    params: dict[str, str]
    fill_fraction: Decimal = Decimal(1)
    pieces: int = 1
    hidden: bool = False


class Dialect:
    """Routes and shapes that Binance and MEXC share; a subclass says what differs."""

    name: ClassVar[str]
    header: ClassVar[str]
    order_types: ClassVar[frozenset[str]]
    id_length: ClassVar[int]
    weights: ClassVar[dict[str, int]] = {}
    refusals: ClassVar[dict[Reason, tuple[int, int, str]]]
    denials: ClassVar[dict[Denied, tuple[int, int, str]]]

    def __init__(self, engine: Engine, throttle: Throttle, page_limit: int) -> None:
        self.engine, self.throttle, self.page_limit = engine, throttle, page_limit
        self.frozen_at: int | None = None
        """Since when every question about the market is answered as it was then; None: as it is."""
        now = engine.clock.now()
        self.tapes = {symbol: Tape(market, engine.prices[symbol], now) for symbol, market in engine.markets.items()}
        self.public: dict[str, Callable[[Call], Any]] = {
            "GET ping": lambda call: {},
            "GET time": lambda call: {"serverTime": self.engine.clock.now()},
            "GET exchangeInfo": self.exchange_info,
            "GET ticker/price": lambda call: self._each(call, self._price),
            "GET ticker/bookTicker": lambda call: self._each(call, self._book_ticker),
            "GET ticker/24hr": lambda call: self._each(call, self._day),
            "GET klines": self._klines,
            "GET depth": self._depth,
        }
        self.signed: dict[str, Callable[[Call], Any]] = {
            "POST order": self.place,
            "POST order/test": lambda call: {},
            "GET order": self._query,
            "DELETE order": self._cancel,
            "DELETE openOrders": self._cancel_all,
            "GET openOrders": self._open_orders,
            "GET allOrders": self._all_orders,
            "GET myTrades": self._my_trades,
            "GET account": self.account,
        }

    def answer(self, call: Call) -> Answer:
        """Process one request now, and return its status and its payload."""
        handler = self.public.get(call.endpoint)
        if handler is None:
            handler = self.signed.get(call.endpoint)
            if handler is None:
                return 404, {"code": 404, "msg": f"no such endpoint: {call.endpoint}"}
            key, now = self.engine.settings.key, self.engine.clock.now()
            denied = judge(call.request, call.params, header=self.header, key=key, now=now)
            if denied is not None:
                return self._error(self.denials[denied])
        try:
            return 200, handler(call)
        except Refused as refused:
            status, code, message = self.refusals[refused.reason]
            return status, {"code": code, "msg": message.format(refused.detail)}
        except (InvalidOperation, ValueError, KeyError) as error:
            return 400, {"code": -1102, "msg": f"Mandatory parameter was malformed: {error}"}

    def lookup(self, params: dict[str, str]) -> Order | None:
        """Return the order that a query names by either id."""
        given = params.get("orderId", "").rpartition("_")[2]
        order_id = int(given) if given.isdecimal() else 0
        client_id = params.get("origClientOrderId", "")
        return self.engine.find(params.get("symbol", ""), order_id=order_id, client_id=client_id)

    def limited(self, status: int) -> Answer:
        raise NotImplementedError

    def auth_error(self) -> Answer:
        return self._error(self.denials[Denied.UNKNOWN_KEY])

    def exchange_info(self, call: Call) -> Any:
        raise NotImplementedError

    def account(self, call: Call) -> Any:
        raise NotImplementedError

    def new_order(self, call: Call) -> NewOrder:
        raise NotImplementedError

    def placed(self, order: Order, call: Call) -> Any:
        raise NotImplementedError

    def shown(self, order: Order) -> dict[str, Any]:
        raise NotImplementedError

    def canceled(self, order: Order, call: Call) -> dict[str, Any]:
        raise NotImplementedError

    def trade(self, trade: Trade) -> dict[str, Any]:
        raise NotImplementedError

    def kline(self, candle: Candle, span: int) -> list[Any]:
        at, first, high, low, last, volume = candle
        prices = [text(value) for value in (first, high, low, last, volume)]
        return [at, *prices, at + span - 1, text(volume * last)]

    def place(self, call: Call) -> Any:
        if not self.engine.settings.key.trade:
            raise Refused(Reason.NO_TRADE_RIGHT)
        return self.placed(self.engine.place(self.new_order(call)), call)

    def read_order(self, params: dict[str, str]) -> NewOrder:
        """Return the fields of an order that both venues name alike."""
        client_id = params.get("newClientOrderId", "")
        if len(client_id) > self.id_length or not _ID.fullmatch(client_id):
            raise Refused(Reason.PARAMETER, "newClientOrderId")
        return NewOrder(
            symbol=params["symbol"],
            side=params["side"],
            type=params["type"],
            quantity=Decimal(params.get("quantity", "0")),
            quote_quantity=Decimal(params.get("quoteOrderQty", "0")),
            price=Decimal(params.get("price", "0")) if params["type"] != "MARKET" else ZERO,
            client_id=client_id,
            signed_at=int(params["timestamp"]),
        )

    def balances(self) -> list[dict[str, str]]:
        coins = self.engine.balances.coins.items()
        return [{"asset": asset, "free": text(free), "locked": text(locked)} for asset, (free, locked) in coins]

    def _error(self, row: tuple[int, int, str]) -> Answer:
        status, code, message = row
        return status, {"code": code, "msg": message}

    def _query(self, call: Call) -> Any:
        order = self.lookup(call.params)
        if order is None or call.hidden:
            raise Refused(Reason.QUERY_UNKNOWN)
        return self.shown(order)

    def _cancel(self, call: Call) -> Any:
        order = self.lookup(call.params)
        if order is None:
            raise Refused(Reason.CANCEL_UNKNOWN)
        return self.canceled(self.engine.cancel(order), call)

    def _cancel_all(self, call: Call) -> Any:
        orders = [order for order in self.engine.open.values() if order.symbol == call.params["symbol"]]
        if not orders:
            raise Refused(Reason.CANCEL_UNKNOWN)
        return [self.canceled(self.engine.cancel(order), call) for order in orders]

    def _open_orders(self, call: Call) -> Any:
        symbol = call.params.get("symbol")
        return [self.shown(order) for order in self.engine.open.values() if symbol in (None, order.symbol)]

    def _all_orders(self, call: Call) -> Any:
        orders = [order for order in self.engine.orders.values() if order.symbol == call.params["symbol"]]
        return [self.shown(order) for order in self._page(call, orders, "orderId", lambda order: order.accepted_at)]

    def _my_trades(self, call: Call) -> Any:
        symbol, given = call.params["symbol"], call.params.get("orderId", "").rpartition("_")[2]
        trades = self.engine.by_order.get(int(given), []) if given else self.engine.trades
        own = [trade for trade in trades if trade.symbol == symbol]
        params = {name: value for name, value in call.params.items() if name != "orderId"}
        page = Call(call.request, call.endpoint, params)
        return [self.trade(trade) for trade in self._page(page, own, "fromId", lambda trade: trade.at)]

    def _page(self, call: Call, rows: list[Any], cursor: str, at: Callable[[Any], int]) -> list[Any]:
        """Return one page: from an id or a start onward, else the newest rows."""
        params = call.params
        limit = min(int(params.get("limit", "500")), self.page_limit)
        since = int(params[cursor].rpartition("_")[2]) if cursor in params else None
        start, end = int(params.get("startTime", "0")), int(params.get("endTime", str(1 << 60)))
        rows = [row for row in rows if start <= at(row) <= end and (since is None or row.id >= since)]
        return rows[:limit] if since is not None or "startTime" in params else rows[-limit:]

    def _each(self, call: Call, shape: Callable[[Market], dict[str, Any]]) -> Any:
        wanted = call.params.get("symbol")
        if wanted is not None:
            return shape(self.engine.market(wanted))
        listed = call.params.get("symbols")
        return [shape(market) for market in self.engine.markets.values() if listed is None or market.symbol in listed]

    def _shown_at(self) -> int:
        return self.engine.clock.now() if self.frozen_at is None else self.frozen_at

    def _last(self, symbol: str) -> Decimal:
        return self.engine.prices[symbol] if self.frozen_at is None else self.tapes[symbol].price(self.frozen_at)

    def _price(self, market: Market) -> dict[str, Any]:
        return {"symbol": market.symbol, "price": text(self._last(market.symbol))}

    def _book_ticker(self, market: Market) -> dict[str, Any]:
        bid, ask = text(self.engine.bid(market.symbol)), text(self.engine.ask(market.symbol))
        return {"symbol": market.symbol, "bidPrice": bid, "bidQty": "100.0", "askPrice": ask, "askQty": "100.0"}

    def _day(self, market: Market) -> dict[str, Any]:
        now = self._shown_at()
        _, first, high, low, _, volume = self.tapes[market.symbol].candle(now - DAY_MS, DAY_MS)
        last = self._last(market.symbol)
        change = last - first
        return {
            **self._book_ticker(market),
            "priceChange": text(change),
            "priceChangePercent": f"{change / first * 100 if first else ZERO:.3f}",
            "prevClosePrice": text(first),
            "lastPrice": text(last),
            "lastQty": "1.0",
            "openPrice": text(first),
            "highPrice": text(max(high, last)),
            "lowPrice": text(min(low, last)),
            "volume": text(volume),
            "quoteVolume": text(volume * last),
            "openTime": now - DAY_MS,
            "closeTime": now,
            "count": 1000,
        }

    def _klines(self, call: Call) -> Any:
        market = self.engine.market(call.params["symbol"])
        interval = call.params["interval"].replace("1W", "1w")
        if interval not in SPANS_MS:
            return []
        span, now = SPANS_MS[interval], self._shown_at()
        limit = min(int(call.params.get("limit", "500")), self.page_limit)
        last = min(int(call.params.get("endTime", str(now))), now)
        first = int(call.params.get("startTime", str(last // span * span - (limit - 1) * span)))
        last = min(last, -(-first // span) * span + (limit - 1) * span)
        return [self.kline(row, span) for row in self.tapes[market.symbol].candles(interval, first=first, last=last)]

    def _depth(self, call: Call) -> Any:
        market = self.engine.market(call.params["symbol"])
        bid, ask = self.engine.bid(market.symbol), self.engine.ask(market.symbol)
        levels = range(min(int(call.params.get("limit", "100")), 20))
        return {
            "lastUpdateId": self.engine.clock.now(),
            "bids": [[text(bid - market.tick * i), "10.0"] for i in levels],
            "asks": [[text(ask + market.tick * i), "10.0"] for i in levels],
        }
