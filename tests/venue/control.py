"""The control port: where a test plays the market, the operator and fate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import orjson

from tests.venue.candles import Tape
from tests.venue.dialect import Dialect
from tests.venue.faults import Kind
from tests.venue.server import Venue
from tests.venue.store import as_row
from tests.venue.values import Market, NewOrder, Order, Refused
from tests.venue.wire import Reply, Request, json_reply

Body = dict[str, Any]


class Control:
    """Answers on the control port; every body may name an `exchange`, else it is Binance."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._routes: dict[str, Callable[[Body], Any]] = {
            "POST /price": self._price,
            "POST /prices": self._prices,
            "POST /candles": self._candles,
            "POST /fault": self._fault,
            "POST /heal": self._heal,
            "POST /order_cancel": self._cancel,
            "POST /order_fill": self._fill,
            "POST /external_order": self._external,
            "POST /transfer": self._transfer,
            "POST /market": self._market,
            "POST /key": self._key,
            "POST /fees": self._fees,
            "POST /limits": self._limits,
            "POST /stream": self._stream,
            "POST /publish": self._publish,
            "POST /freeze": self._freeze,
            "GET /state": self._state,
            "GET /sockets": lambda body: self._sockets(),
            "GET /log": lambda body: self._venue.log.summary(),
            "GET /faults": lambda body: {**self._venue.faults.fired, "streams": self._venue.streams.fired},
        }

    async def handle(self, request: Request) -> Reply:
        route = self._routes.get(f"{request.method} {request.path}")
        if route is None:
            return json_reply({"error": f"no such control: {request.method} {request.path}"}, 404)
        body = orjson.loads(request.body) if request.body else dict(parse_qsl(request.query))
        try:
            answer = route(body)
        except (KeyError, ValueError, InvalidOperation, Refused) as error:
            return json_reply({"error": f"{type(error).__name__}: {error}"}, 400)
        self._venue.store.flush()
        return json_reply(answer if answer is not None else {})

    def _dialect(self, body: Body) -> Dialect:
        return self._venue.dialects[body.get("exchange") or "binance"]

    def _find(self, body: Body) -> Order:
        """Return the order named by `order_id` or `client_id`."""
        engine = self._dialect(body).engine
        if "order_id" in body:
            return engine.orders[int(str(body["order_id"]).rpartition("_")[2])]
        return engine.by_client[body["client_id"]]

    def _price(self, body: Body) -> None:
        path = body["price"] if isinstance(body["price"], list) else [body["price"]]
        for price in path:
            self._venue.set_price(body["symbol"], Decimal(str(price)))
        self._save_all()

    def _prices(self, body: Body) -> None:
        for symbol, price in body.items():
            self._venue.set_price(symbol, Decimal(str(price)))
        self._save_all()

    def _candles(self, body: Body) -> None:
        """Replace candles: rows of open time, open, high, low, close, volume."""
        for dialect in self._venue.dialects.values():
            given = dialect.tapes[body["symbol"]].given.setdefault(body["timeframe"], {})
            for at, *numbers in body["candles"]:
                first, high, low, last, volume = (Decimal(str(number)) for number in numbers)
                given[int(at)] = (int(at), first, high, low, last, volume)

    def _fault(self, body: Body) -> Any:
        if body["what"] == Kind.CLOCK:
            self._venue.clock.skew_ms = int((body.get("args") or {}).get("ms", 0))
            self._venue.faults.fired[Kind.CLOCK.value] += 1
            return {"kind": Kind.CLOCK}
        return as_json(self._venue.faults.add(body))

    def _heal(self, body: Body) -> None:
        self._venue.faults.heal()
        self._venue.streams.heal()
        self._venue.clock.skew_ms = 0
        for dialect in self._venue.dialects.values():
            dialect.throttle.heal()
            dialect.frozen_at = None

    def _cancel(self, body: Body) -> Any:
        return as_row(self._dialect(body).engine.cancel(self._find(body)))

    def _fill(self, body: Body) -> Any:
        """Fill a `fraction` of what remains, or any `quantity`, at `price` or the order's own."""
        engine, order = self._dialect(body).engine, self._find(body)
        default = order.price or engine.prices[order.symbol]
        fraction = Decimal(str(body.get("fraction", "1")))
        quantity = Decimal(str(body["quantity"])) if "quantity" in body else order.remaining * fraction
        engine.fill(order, quantity, Decimal(str(body.get("price", default))), is_maker=True)
        return as_row(order)

    def _external(self, body: Body) -> Any:
        new = NewOrder(
            symbol=body["symbol"],
            side=body["side"].upper(),
            type=body.get("type", "MARKET").upper(),
            client_id=body.get("client_id", ""),
            origin="external",
            quantity=Decimal(str(body["quantity"])),
            price=Decimal(str(body.get("price", "0"))),
            stop_price=Decimal(str(body.get("stop_price", "0"))),
        )
        return as_row(self._dialect(body).engine.place(new))

    def _transfer(self, body: Body) -> None:
        self._dialect(body).engine.balances.move(body["asset"], Decimal(str(body["amount"])))

    def _market(self, body: Body) -> None:
        """Change a market, or list a new one (which needs base, quote, tick, lot, min_notional, price)."""
        names = ("status", "tick", "lot", "min_notional", "min_quantity", "spread_ticks", "fill_fraction", "pieces")
        whole = ("status", "spread_ticks", "pieces")
        changes: dict[str, Any] = {
            name: body[name] if name in whole else Decimal(str(body[name])) for name in names if name in body
        }
        chosen = [self._dialect(body)] if "exchange" in body else list(self._venue.dialects.values())
        for dialect in chosen:
            engine, symbol = dialect.engine, body["symbol"]
            if symbol not in engine.markets:
                tick, lot, cost = (Decimal(str(body[name])) for name in ("tick", "lot", "min_notional"))
                engine.markets[symbol] = Market(symbol, body["base"], body["quote"], tick, lot, cost)
                engine.prices[symbol] = Decimal(str(body["price"]))
                dialect.tapes[symbol] = Tape(engine.markets[symbol], engine.prices[symbol], engine.clock.now())
            engine.markets[symbol] = replace(engine.markets[symbol], **changes)
            engine.save()

    def _key(self, body: Body) -> None:
        key = self._dialect(body).engine.settings.key
        for name in ("trade", "withdraw", "ip_restrict", "revoked"):
            setattr(key, name, bool(body.get(name, getattr(key, name))))
        self._dialect(body).engine.save()

    def _fees(self, body: Body) -> None:
        settings = self._dialect(body).engine.settings
        settings.fee_mode = body.get("mode", settings.fee_mode)
        settings.fee_rate = Decimal(str(body.get("rate", settings.fee_rate)))
        self._dialect(body).engine.save()

    def _limits(self, body: Body) -> None:
        """Set weight per minute, orders per 10 s, 429 tolerance, ban and page size; null lifts a limit."""
        dialect = self._dialect(body)
        throttle = dialect.throttle
        throttle.weight_limit = body.get("weight", throttle.weight_limit)
        throttle.order_limit = body.get("orders", throttle.order_limit)
        throttle.tolerance = int(body.get("tolerance", throttle.tolerance))
        throttle.ban_s = float(body.get("ban_s", throttle.ban_s))
        dialect.page_limit = int(body.get("page", dialect.page_limit))

    def _stream(self, body: Body) -> None:
        self._venue.streams.break_with(body["kind"], refuse=bool(body.get("refuse")))

    def _freeze(self, body: Body) -> None:
        """Let the market stand still for whoever looks: sockets stay open and tell nothing, questions get old answers."""
        self._venue.streams.break_with("silence")
        for dialect in self._venue.dialects.values():
            dialect.frozen_at = self._venue.clock.now()

    def _sockets(self) -> Any:
        streams = self._venue.streams
        return {"opened": streams.opened, "most_open": streams.most_open}

    def _publish(self, body: Body) -> None:
        self._venue.streams.publish(body["stream"], body["payload"])

    def _state(self, body: Body) -> Any:
        engine = self._dialect(body).engine
        orders = [
            {**as_row(order), "fills": [as_row(trade) for trade in engine.by_order.get(order.id, [])]}
            for order in engine.orders.values()
        ]
        coins = engine.balances.coins.items()
        return {
            "exchange": engine.name,
            "time": engine.clock.now(),
            "orders": orders,
            "accepted": self._venue.store.accepted(engine.name),
            "balances": {asset: {"free": free, "locked": locked} for asset, (free, locked) in coins},
            "prices": engine.prices,
            "markets": list(engine.markets.values()),
            "key": engine.settings.key,
            "faults": self._venue.faults.rules,
        }

    def _save_all(self) -> None:
        for dialect in self._venue.dialects.values():
            dialect.engine.save()


def as_json(rule: object) -> Any:
    """Return a dataclass as it is; orjson writes those itself."""
    return rule
