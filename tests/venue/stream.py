"""Binance's market streams, and the ways in which a stream lies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import orjson

from tests.venue.candles import SPANS_MS
from tests.venue.dialect import Dialect
from tests.venue.engine import Clock
from tests.venue.values import text
from tests.venue.wire import Request, Socket

LASTING = frozenset({"silence", "stale", "duplicate", "disorder", "nan"})
_HUGE = b'{"e":"trade","p":"' + b"9" * (10 << 20) + b'"}'


class Client:
    """One open socket and what it listens to."""

    def __init__(self, socket: Socket, *, combined: bool) -> None:
        self.socket, self.combined = socket, combined
        self.streams: dict[str, None] = {}
        self.held: list[bytes] = []


class Streams:
    """All open sockets; a fault kind in `faults` bends what they get until healed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: set[Client] = set()
        self._last_open: dict[str, int] = {}
        self._frozen: dict[str, dict[str, Any]] = {}
        self._trade_id = 0
        self.opened = self.most_open = 0
        self.faults: set[str] = set()
        self.refused = False
        self.fired: dict[str, int] = {}

    def attach(self, dialect: Dialect) -> None:
        self._dialect = dialect

    async def talk(self, request: Request, socket: Socket) -> None:
        """Serve one socket until its client leaves."""
        if self.refused:
            socket.close()
            return
        client = Client(socket, combined=request.path.startswith("/stream"))
        names = parse_qs(request.query).get("streams", [""])[0].split("/") + request.path.split("/")
        client.streams = {name: None for name in names if "@" in name}
        self._clients.add(client)
        self.opened += 1
        self.most_open = max(self.most_open, len(self._clients))
        try:
            while (message := await socket.receive()) is not None:
                self._obey(client, orjson.loads(message))
        finally:
            self._clients.discard(client)

    def break_with(self, kind: str, *, refuse: bool = False) -> None:
        """Start a lasting fault, or strike once."""
        self.fired[kind] = self.fired.get(kind, 0) + 1
        if kind in LASTING:
            self.faults.add(kind)
            return
        strikes: dict[str, Callable[[Client], None]] = {
            "disconnect": lambda client: client.socket.close(),
            "malformed": lambda client: client.socket.send(b'{"e":"trade","p":'),
            "huge": lambda client: client.socket.send(_HUGE),
        }
        strike = strikes[kind]
        self.refused = self.refused or refuse
        for client in list(self._clients):
            strike(client)

    def heal(self) -> None:
        self.faults.clear()
        self._frozen.clear()
        self.refused = False

    def publish(self, name: str, payload: dict[str, Any]) -> None:
        """Send an event to whoever listens to this stream."""
        if "silence" in self.faults:
            return
        if "stale" in self.faults:
            payload = self._frozen.setdefault(name, payload)
        if "nan" in self.faults:
            payload = _without_numbers(payload)
        for client in list(self._clients):
            if name in client.streams:
                self._send(client, orjson.dumps({"stream": name, "data": payload} if client.combined else payload))

    def publish_price(self, symbol: str) -> None:
        """Tell a new price on every stream of a symbol."""
        for name in self._wanted():
            if name.startswith(symbol.lower() + "@"):
                self._publish_present(name, is_new=True)

    async def run(self) -> None:
        """Repeat the present state each second, so that silence can be told from calm."""
        while True:
            await asyncio.sleep(1.0)
            for name in self._wanted():
                self._publish_present(name, is_new=False)

    def _wanted(self) -> list[str]:
        return list(dict.fromkeys(name for client in self._clients for name in client.streams))

    def _send(self, client: Client, body: bytes) -> None:
        if "disorder" in self.faults:
            client.held.append(body)
            if len(client.held) < 2:
                return
            for late in reversed(client.held):
                client.socket.send(late)
            client.held.clear()
            return
        client.socket.send(body)
        if "duplicate" in self.faults:
            client.socket.send(body)

    def _obey(self, client: Client, message: dict[str, Any]) -> None:
        names = [str(name) for name in message.get("params", [])]
        method, result = message.get("method"), None
        if method == "SUBSCRIBE":
            client.streams |= dict.fromkeys(names)
        elif method == "UNSUBSCRIBE":
            for name in names:
                client.streams.pop(name, None)
        elif method == "LIST_SUBSCRIPTIONS":
            client.socket.send(orjson.dumps({"result": list(client.streams), "id": message.get("id")}))
            return
        client.socket.send(orjson.dumps({"result": result, "id": message.get("id")}))

    def _publish_present(self, name: str, *, is_new: bool) -> None:
        symbol, _, channel = name.partition("@")
        symbol, now = symbol.upper(), self._clock.now()
        engine = self._dialect.engine
        if symbol not in engine.markets:
            return
        price = text(engine.prices[symbol])
        if channel.startswith("kline_"):
            self._publish_kline(name, symbol, channel.removeprefix("kline_"), now)
        elif channel == "bookTicker":
            bid, ask = text(engine.bid(symbol)), text(engine.ask(symbol))
            self.publish(name, {"u": now, "s": symbol, "b": bid, "B": "100.0", "a": ask, "A": "100.0"})
        elif channel == "trade" and is_new:
            self._trade_id += 1
            trade = {"e": "trade", "E": now, "s": symbol, "t": self._trade_id, "p": price, "q": "1.0", "T": now}
            self.publish(name, {**trade, "m": False, "M": True})
        elif channel in ("ticker", "miniTicker"):
            self.publish(name, self._ticker(symbol, now, "24hrTicker" if channel == "ticker" else "24hrMiniTicker"))

    def _ticker(self, symbol: str, now: int, event: str) -> dict[str, Any]:
        engine = self._dialect.engine
        price = text(engine.prices[symbol])
        prices = {"c": price, "o": price, "h": price, "l": price, "v": "1000.0", "q": "1000.0"}
        if event == "24hrTicker":
            book = {"b": text(engine.bid(symbol)), "B": "100.0", "a": text(engine.ask(symbol)), "A": "100.0"}
            prices |= {**book, "p": "0.0", "P": "0.0", "w": price, "x": price, "Q": "1.0"}
        return {"e": event, "E": now, "s": symbol, **prices, "O": now - 86_400_000, "C": now, "F": 0, "L": 1, "n": 1}

    def _publish_kline(self, name: str, symbol: str, timeframe: str, now: int) -> None:
        """Send the candle that is open, after the one that has just closed."""
        span = SPANS_MS.get(timeframe)
        if span is None:
            return
        opened = now // span * span
        before = self._last_open.get(name, opened)
        self._last_open[name] = opened
        for at in sorted({before, opened}):
            _, first, high, low, last, volume = self._dialect.tapes[symbol].candle(at, span)
            candle = {
                "t": at, "T": at + span - 1, "s": symbol, "i": timeframe, "f": 1, "L": 2, "o": text(first),
                "c": text(last), "h": text(high), "l": text(low), "v": text(volume), "n": 10, "x": at != opened,
                "q": text(volume * last), "V": "0", "Q": "0", "B": "0",
            }  # fmt: skip
            self.publish(name, {"e": "kline", "E": now, "s": symbol, "k": candle})


def _without_numbers(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the event with each price as the text NaN."""
    prices = {"p", "c", "o", "h", "l", "b", "a"}
    spoiled = {name: "NaN" if name in prices else value for name, value in payload.items()}
    if isinstance(payload.get("k"), dict):
        spoiled["k"] = _without_numbers(payload["k"])
    return spoiled
