"""One venue: it routes requests to a dialect and lets the faults strike on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from tests.venue.binance import Binance
from tests.venue.dialect import Answer, Call, Dialect
from tests.venue.engine import Clock, Engine
from tests.venue.faults import AFTER, BEFORE, VIEW, Faults, Kind, Rule
from tests.venue.futures import Futures
from tests.venue.gate import Log, Throttle
from tests.venue.margin import MarginEngine
from tests.venue.mexc import Mexc
from tests.venue.store import Store
from tests.venue.stream import Streams
from tests.venue.wire import Cut, Reply, Request, Socket, json_reply

_NOT_FOUND = frozenset({Kind.NOT_FOUND_FOR})
_PARTIAL = frozenset({Kind.PARTIAL})
_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask for; None is as much as it likes."""

    weight: int | None = None
    orders: int | None = None
    page: int = 1000


class Venue:
    """Three exchanges behind one port: Binance at the root, its futures under /fapi, MEXC under /mexc."""

    def __init__(self, *, database: str, seed: int, limits: Limits) -> None:
        self.clock = Clock()
        self.store = Store(database)
        self.faults = Faults(seed)
        self.log = Log()
        self.streams = Streams(self.clock)
        self.dialects: dict[str, Dialect] = {}
        kinds: tuple[tuple[type[Dialect], type[Engine]], ...] = (
            (Binance, Engine),
            (Mexc, Engine),
            (Futures, MarginEngine),
        )
        for kind, engine_kind in kinds:
            engine = engine_kind(kind.name, self.store, self.clock, kind.order_types)
            throttle = Throttle(self.clock, limits.weight, limits.orders)
            self.dialects[kind.name] = kind(engine, throttle, limits.page)
        self.streams.attach(self.dialects["binance"])

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move one market on both exchanges, and tell the streams."""
        for dialect in self.dialects.values():
            if symbol in dialect.engine.markets:
                dialect.tapes[symbol].add(self.clock.now(), price)
                dialect.engine.set_price(symbol, price)
        self.streams.publish_price(symbol)

    async def on_socket(self, request: Request, socket: Socket) -> None:
        await self.streams.talk(request, socket)

    async def handle(self, request: Request) -> Reply:
        """Answer one request of a client, or fail as the faults say."""
        dialect, path = self._route(request.path)
        endpoint = f"{request.method} {path}"
        weight = dialect.weights.get(endpoint, 1)
        reply = await self._answered(request, dialect, endpoint, weight)
        status = 0 if reply.cut is Cut.BEFORE_REPLY else reply.status
        self.log.note(dialect.name, endpoint, status=status, weight=weight, at=self.clock.now())
        return reply

    async def _answered(self, request: Request, dialect: Dialect, endpoint: str, weight: int) -> Reply:
        throttle = dialect.throttle
        first = self.faults.draw(dialect.name, endpoint, BEFORE)
        if first is not None and first.kind in (Kind.RATE_LIMIT, Kind.BAN):
            _restrain(throttle, first)
        refused = throttle.refuse(weight)
        if not refused and endpoint == "POST order" and throttle.has_too_many_orders():
            refused = 429
        if refused:
            return _reply(dialect, dialect.limited(refused), ("Retry-After", str(throttle.wait_s())))
        if first is not None and first.kind is Kind.LATE_ACCEPT:
            await asyncio.sleep(first.seconds(1.0))
        elif first is not None:
            return _turned_away(dialect, first)
        answer = self._processed(request, dialect, endpoint)
        if first is not None and first.args.get("lose_reply"):
            return Reply(cut=Cut.BEFORE_REPLY)
        return await self._spoiled(dialect, endpoint, answer)

    def _processed(self, request: Request, dialect: Dialect, endpoint: str) -> Answer:
        """Process the request and commit what came of it."""
        params = dict(parse_qsl(request.query)) | dict(parse_qsl(request.body))
        call = Call(request, endpoint, params)
        if endpoint == "POST order" and (partial := self.faults.draw(dialect.name, endpoint, _PARTIAL)):
            call.fill_fraction = Decimal(str(partial.args.get("fraction", "0.5")))
            call.pieces = int(partial.args.get("pieces", 1))
        if endpoint == "GET order" and (order := dialect.lookup(params)) is not None:
            age_s = (self.clock.now() - order.accepted_at) / 1000
            young = self.faults.draw(dialect.name, endpoint, _NOT_FOUND, lambda rule: age_s < rule.seconds(3.0))
            call.hidden = young is not None
        answer = dialect.answer(call)
        self.store.flush()
        return answer

    async def _spoiled(self, dialect: Dialect, endpoint: str, answer: Answer) -> Reply:
        """Return the reply to a processed request, bent or broken by a fault."""
        if answer[0] == 200:
            status, payload = answer
            view = self.faults.draw(dialect.name, endpoint, VIEW, lambda rule: _bends(rule.kind, endpoint, payload))
            if view is not None:
                answer = status, _bent(view.kind, payload)
        reply = _reply(dialect, answer)
        rule = self.faults.draw(dialect.name, endpoint, AFTER)
        if rule is None:
            return reply
        if rule.kind is Kind.SLOW_REPLY:
            await asyncio.sleep(rule.seconds(1.0))
            return reply
        return _broken(reply, rule)

    def _route(self, path: str) -> tuple[Dialect, str]:
        if path.startswith("/fapi/"):
            return self.dialects["binanceusdm"], path.split("/", 3)[-1]
        name = "mexc" if path.startswith("/mexc/") else "binance"
        path = path.removeprefix("/mexc")
        if path.startswith("/sapi/"):
            return self.dialects[name], "sapi/" + path.split("/", 3)[-1]
        return self.dialects[name], path.removeprefix("/api/v3/").lstrip("/")


def _restrain(throttle: Throttle, rule: Rule) -> None:
    throttle.tolerance = int(rule.args.get("tolerance", throttle.tolerance))
    throttle.ban_s = float(rule.args.get("ban", throttle.ban_s))
    if rule.kind is Kind.BAN:
        throttle.ban(rule.seconds(throttle.ban_s))
    else:
        throttle.limit(float(rule.args.get("retry_after", throttle.retry_after_s)))
        throttle.defied = -1  # the request that met the limit does not yet defy it


def _turned_away(dialect: Dialect, rule: Rule) -> Reply:
    """Return the reply to a request that is not processed."""
    if rule.kind is Kind.LOSE_REQUEST:
        return Reply(cut=Cut.BEFORE_REPLY)
    if rule.kind is Kind.HTTP_5XX:
        return _server_error(rule)
    if rule.kind is Kind.AUTH_ERROR:
        return _reply(dialect, dialect.auth_error())
    refusal = {"code": rule.args.get("code", -1000), "msg": rule.args.get("msg", "An unknown error occurred.")}
    return _reply(dialect, (int(rule.args.get("status", 400)), refusal))


def _broken(reply: Reply, rule: Rule) -> Reply:
    """Return what a client gets of a reply whose request was processed."""
    if rule.kind is Kind.ACCEPT_THEN_CUT:
        reply.cut = Cut.BEFORE_REPLY
    elif rule.kind is Kind.ACCEPT_THEN_TRUNCATE:
        reply.cut = Cut.INSIDE_BODY
    elif rule.kind is Kind.ACCEPT_THEN_5XX:
        return _server_error(rule)
    else:
        html = rule.kind is Kind.ACCEPT_THEN_HTML
        body = _HTML if html else b"null" if rule.kind is Kind.ACCEPT_THEN_NULL else b""
        return Reply(200, body, "text/html" if html else reply.content_type)
    return reply


def _server_error(rule: Rule) -> Reply:
    """Return a 5xx; with a `code` in the args it has the body of a venue, else that of a proxy."""
    status = int(rule.args.get("status", 503))
    if "code" in rule.args:
        return json_reply({"code": rule.args["code"], "msg": rule.args.get("msg", "Timeout.")}, status)
    return Reply(status, b"Unknown error, please check your request or try again later.", "text/plain")


def _reply(dialect: Dialect, answer: Answer, *headers: tuple[str, str]) -> Reply:
    used = ("X-MBX-USED-WEIGHT-1M", str(dialect.throttle.used))
    return json_reply(answer[1], answer[0], (used, *headers))


def _bends(kind: Kind, endpoint: str, payload: Any) -> bool:
    """Return whether a fault of this kind can strike this reply."""
    if kind is Kind.WRONG_ORDER:
        return isinstance(payload, dict) and "orderId" in payload
    if kind is Kind.DUPLICATE_REPORT:
        return isinstance(payload, list) and bool(payload) and "orderId" in payload[0]
    return endpoint == ("GET openOrders" if kind is Kind.HIDE_OPEN_ORDERS else "GET account")


def _bent(kind: Kind, payload: Any) -> Any:
    if kind is Kind.HIDE_OPEN_ORDERS:
        return []
    if kind is Kind.EMPTY_BALANCES:
        return {**payload, "balances": []}
    if kind is Kind.WRONG_ORDER:
        other = {**payload, "orderId": 7_777_777, "clientOrderId": "someoneElse"}
        return {**other, "origClientOrderId": "someoneElse"} if "origClientOrderId" in payload else other
    stale = {"status": "NEW", "executedQty": "0.00000000", "cummulativeQuoteQty": "0.00000000"}
    again = [{**row, **stale} if "status" in row else row for row in payload]
    return [*reversed(payload), *again]
