"""Start a venue for a test, and talk to its control port."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import ccxt

from tests.venue.gate import API_KEY, API_SECRET

ROOT = Path(__file__).resolve().parents[2]
Number = str | int | float | Decimal
_HOSTS = re.compile(r"^(https?|wss?)://[^/]*(binance|mexc|binancefuture)[^/]*")


class Venue:
    """A running venue: its address, and one small method per thing a test may do to it."""

    def __init__(self, database: Path, *, seed: int = 0, options: tuple[str, ...] = ()) -> None:
        self.database, self._seed, self._options = database, seed, options
        self.port = self.control_port = 0
        self._start_process()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def ccxt_options(self, exchange: str, **more: Any) -> dict[str, Any]:
        """Return the config for `ccxt.binance(...)` or `ccxt.mexc(...)`, sync, async or pro."""
        return ccxt_options(exchange, self.base_url, **more)

    def price(self, symbol: str, price: Number | list[Number]) -> None:
        """Set a price, or walk a path of them; `symbol` is BTCUSDT or BTC/USDT."""
        path = [str(step) for step in price] if isinstance(price, list) else str(price)
        self.call("POST", "/price", symbol=_id(symbol), price=path)

    def prices(self, prices: dict[str, Number]) -> None:
        self.call("POST", "/prices", **{_id(symbol): str(price) for symbol, price in prices.items()})

    def candles(self, symbol: str, timeframe: str, rows: list[list[Any]]) -> None:
        """Replace candles by rows of open time (ms), open, high, low, close, volume."""
        self.call("POST", "/candles", symbol=_id(symbol), timeframe=timeframe, candles=rows)

    def fault(
        self, what: str, where: str | None = None, *, times: int | None = None, probability: float | None = None,
        skip: int = 0, exchange: str = "", **args: Any,
    ) -> None:  # fmt: skip
        """Add a fault; without `times` and `probability` it strikes once."""
        body: dict[str, Any] = {
            "what": what,
            "where": where,
            "times": times,
            "skip": skip,
            "exchange": exchange,
            "args": args,
        }
        if probability is not None:
            body["probability"] = probability
        self.call("POST", "/fault", **body)

    def heal(self) -> None:
        """Clear all faults, of streams and the clock too, and lift every ban."""
        self.call("POST", "/heal")

    def cancel(self, client_id: str, exchange: str = "binance") -> dict[str, Any]:
        """Cancel an order as its owner would on the venue's own page."""
        return self.call("POST", "/order_cancel", client_id=client_id, exchange=exchange)

    def fill(self, client_id: str, exchange: str = "binance", **how: Any) -> dict[str, Any]:
        """Fill an open order by `fraction`= or `quantity`= (may exceed the order), at `price`=."""
        return self.call("POST", "/order_fill", client_id=client_id, exchange=exchange, **how)

    def external_order(self, symbol: str, side: str, quantity: Number, **more: Any) -> dict[str, Any]:
        """Place an order as the owner would by hand; `type`=, `price`=, `stop_price`=, `exchange`=."""
        return self.call("POST", "/external_order", symbol=_id(symbol), side=side, quantity=str(quantity), **more)

    def transfer(self, asset: str, amount: Number, exchange: str = "binance") -> None:
        """Deposit coins, or withdraw them when negative."""
        self.call("POST", "/transfer", asset=asset, amount=str(amount), exchange=exchange)

    def market(self, symbol: str, **changes: Any) -> None:
        """Change status, tick, lot, min_notional, min_quantity, spread_ticks, fill_fraction or pieces."""
        self.call("POST", "/market", symbol=_id(symbol), **changes)

    def key(self, exchange: str = "binance", **rights: bool) -> None:
        """Change the rights of the key: trade, withdraw, ip_restrict, revoked."""
        self.call("POST", "/key", exchange=exchange, **rights)

    def fees(self, mode: str, rate: Number = "0.001", exchange: str = "binance") -> None:
        """Take fees in `base` (what is received), `quote`, or a third coin such as BNB."""
        self.call("POST", "/fees", mode=mode, rate=str(rate), exchange=exchange)

    def limits(self, exchange: str = "binance", **limits: Any) -> None:
        """Set weight, orders, tolerance, ban_s or page."""
        self.call("POST", "/limits", exchange=exchange, **limits)

    def stream(self, kind: str, *, refuse: bool = False) -> None:
        """Bend the streams: silence, stale, disconnect, duplicate, disorder, malformed, huge, nan."""
        self.call("POST", "/stream", kind=kind, refuse=refuse)

    def freeze(self) -> None:
        """Tell no news of the market any more until `heal`: sockets stay open, and each question gets its old answer."""
        self.call("POST", "/freeze")

    def sockets(self) -> dict[str, int]:
        """Return how many sockets were opened so far, and how many at most at once."""
        return self.call("GET", "/sockets")

    def publish(self, stream: str, payload: dict[str, Any]) -> None:
        """Send any event on a stream such as btcusdt@kline_1m."""
        self.call("POST", "/publish", stream=stream, payload=payload)

    def state(self, exchange: str = "binance") -> dict[str, Any]:
        return self.call("GET", "/state", exchange=exchange)

    def orders(self, exchange: str = "binance") -> list[dict[str, Any]]:
        """Return all orders with their fills, oldest first."""
        return list(self.state(exchange)["orders"])

    def order(self, client_id: str, exchange: str = "binance") -> dict[str, Any] | None:
        """Return the newest order with this client id, or None."""
        found = [order for order in self.orders(exchange) if order["client_id"] == client_id]
        return found[-1] if found else None

    def accepted(self, exchange: str = "binance") -> list[dict[str, Any]]:
        """Return the append-only record of every order ever accepted."""
        return list(self.state(exchange)["accepted"])

    def log(self) -> dict[str, Any]:
        return self.call("GET", "/log")

    def faults(self) -> dict[str, Any]:
        """Return how often each kind of fault has struck."""
        return self.call("GET", "/faults")

    def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Ask the control port, on a connection of its own since the venue may die between two calls."""
        connection = HTTPConnection("127.0.0.1", self.control_port, timeout=10)
        try:
            if method == "GET":
                connection.request("GET", f"{path}?{urlencode(body)}")
            else:
                connection.request(method, path, json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{path}: {answer}")
        return answer

    def kill(self) -> None:
        """Kill the venue at once, as a crash would; the ports are kept for `restart`."""
        self._process.kill()
        self._finish()

    def pause(self) -> None:
        """Freeze the venue: it accepts connections (the kernel does) and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Start again on the same ports and file; faults in memory are gone."""
        self.stop()
        self._start_process()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self.resume()
        self._finish()

    def _start_process(self) -> None:
        command = [sys.executable, "-m", "tests.venue", "--port", str(self.port)]
        command += ["--control-port", str(self.control_port), "--database", str(self.database)]
        command += ["--seed", str(self._seed), "--parent", str(os.getpid()), *self._options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 20)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self._process.kill()
            self._finish()
            raise TimeoutError("the venue did not start")
        ports = json.loads(line)
        self.port, self.control_port = ports["port"], ports["control"]

    def _finish(self) -> None:
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def venue(
    database: Path, *, seed: int = 0, weight_limit: int | None = None, order_limit: int | None = None,
    page_limit: int = 1000,
) -> Iterator[Venue]:  # fmt: skip
    """Run a venue on free ports; without limits a client may ask as often as it likes."""
    options = ["--page-limit", str(page_limit)]
    for name, limit in (("--weight-limit", weight_limit), ("--order-limit", order_limit)):
        options += [name, str(limit)] if limit is not None else []
    running = Venue(database, seed=seed, options=tuple(options))
    try:
        yield running
    finally:
        running.stop()


def ccxt_options(exchange: str, base_url: str, **more: Any) -> dict[str, Any]:
    """Return the config that turns a ccxt class toward a venue; keys of `more` win."""
    template = _template(exchange)
    root = base_url + ("/mexc" if exchange == "mexc" else "")
    urls = {**template.urls["api"]}
    if exchange == "binance":
        urls["ws"] = {"spot": "wss://stream.binance.com:9443/ws", "margin": "wss://stream.binance.com:9443/ws"}
    config: dict[str, Any] = {
        "apiKey": API_KEY,
        "secret": API_SECRET,
        "number": str,
        "timeout": 5000,
        "enableRateLimit": False,
        "urls": {"api": _turned(urls, root)},
        "options": {"defaultType": "spot"},
    }
    if exchange == "binance":
        # ccxt picks the table of error codes by the host, and a rewritten host has none: so lay spot's over the common.
        spot = template.exceptions["spot"]
        config["options"]["fetchMarkets"] = {"types": ["spot"]}
        config["options"]["fetchMargins"] = False
        config["exceptions"] = {"exact": spot["exact"], "broad": spot.get("broad", {})}
    return config | more


@cache
def _template(exchange: str) -> Any:
    """Return the class as ccxt ships it; making one takes a tenth of a second."""
    return getattr(ccxt, exchange)()


def _turned(urls: Any, root: str) -> Any:
    """Return the urls with each host of the exchange replaced by the venue."""
    if isinstance(urls, dict):
        return {name: _turned(url, root) for name, url in urls.items()}
    scheme = "ws" if str(urls).startswith("ws") else "http"
    return _HOSTS.sub(root.replace("http", scheme, 1), str(urls))


def _id(symbol: str) -> str:
    return symbol.replace("/", "")
