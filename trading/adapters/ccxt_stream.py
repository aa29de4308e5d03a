"""The stream of a real venue through ccxt.pro: one connection, prices and bars as they come."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import localcontext
from typing import Any

from trading.adapters import ccxt_lazy
from trading.adapters.ccxt_bars import BarWatch
from trading.adapters.ccxt_codes import MEXC
from trading.adapters.ccxt_lazy import ccxt
from trading.core import timeframes
from trading.core.feed import Dropped, StreamBroken, Update
from trading.core.types import Ticker

_HOST = re.compile(r"^(https?|wss?)://[^/]+")
_KEPT_TRADES, _KEPT_BARS = 200, 4
_WAITING = 10_000
"""Updates that may wait; with more, whoever takes them is too slow, and it is better to connect anew."""
_CLOSING_S = 5.0
_SWEEP_S = 0.02
"""What a burst of messages has brought is looked through once: each look goes through every symbol."""

VENDOR_FAULTS = (ccxt.BaseError, OSError, ValueError, LookupError, TypeError, AttributeError)
"""What ccxt raises while it listens: its own errors, and whatever a message that it cannot read makes of it."""


class CcxtStream:
    """The Stream port over one venue; `markets` returns ccxt's markets by symbol, so that none are asked for here.

    Each connection is a new ccxt object: nothing that a broken one had remembered is believed.
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        markets: Callable[[Sequence[str]], Mapping[str, Any]],
        kind: str = "spot",
        endpoint: str | None = None,
        sandbox: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        pro = ccxt_lazy.streams()
        if exchange_id not in pro.exchanges:
            raise ValueError(f"ccxt has no stream of {exchange_id!r}")
        self._venue = getattr(pro, exchange_id)
        self._id, self._kind, self._endpoint, self._sandbox = exchange_id, kind, endpoint, sandbox
        self._markets, self._clock = markets, clock

    @property
    def expected_gap(self) -> timedelta:
        return timedelta(seconds=3)

    async def updates(
        self, symbols: Sequence[str], timeframe: str, *, held: Callable[[], frozenset[str]]
    ) -> AsyncIterator[Update]:
        """Connect and yield prices, closed bars and what was dropped; StreamBroken ends it."""
        markets = await asyncio.to_thread(self._markets, symbols)
        # What a market that rests has last traded at is no price to trade at.
        known = [symbol for symbol in symbols if symbol in markets and markets[symbol].get("active") is not False]
        if not known:
            raise StreamBroken(f"{self._id} lists none of {', '.join(symbols)}")
        connection = _Connection(self._made(markets), known, timeframe, held, self._clock)
        try:
            async for update in connection.updates():
                yield update
        finally:
            await connection.close()

    def _made(self, markets: Mapping[str, Any]) -> Any:
        with localcontext():
            return self._connected(markets)

    def _connected(self, markets: Mapping[str, Any]) -> Any:
        exchange = self._venue(
            {
                "newUpdates": True,
                "options": {
                    "defaultType": self._kind,
                    "tradesLimit": _KEPT_TRADES,
                    "OHLCVLimit": _KEPT_BARS,
                    # One connection for everything: by itself ccxt opens another for each kind of message.
                    "streamLimits": {"spot": 1, "linear": 1},
                    "subscriptionLimitByStream": {"spot": 1000, "linear": 1000},
                },
            }
        )
        exchange.number = str
        exchange.timeout_on_exit = 0  # a quarter of a second for a farewell that nobody reads
        # Given in full, so that ccxt asks for nothing and holds no more than what is watched.
        exchange.set_markets(list(markets.values()), {})
        if self._sandbox:
            exchange.set_sandbox_mode(True)
        if self._endpoint:
            exchange.urls["api"] = _moved(exchange.urls["api"], self._endpoint, self._id)
        return exchange


class _Connection:
    """One connection from its beginning to its end; ccxt's tasks put what they hear into one queue."""

    def __init__(
        self,
        exchange: Any,
        symbols: Sequence[str],
        timeframe: str,
        held: Callable[[], frozenset[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._exchange, self._symbols, self._held = exchange, list(symbols), held
        self._queue: asyncio.Queue[Update | StreamBroken] = asyncio.Queue(maxsize=_WAITING)
        self._bars = BarWatch(exchange, self._symbols, timeframe, clock)
        self._seen: dict[str, tuple[Any, Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: frozenset[str] = frozenset()
        self._sweeping: asyncio.TimerHandle | None = None
        _listen_safely(exchange, drop=self._drop, heard=self._look)

    async def updates(self) -> AsyncIterator[Update]:
        watches = [self._watch_prices(), self._watch_held()]
        if self._bars.is_told:
            watches.append(self._watch_bars())
        self._tasks = [asyncio.create_task(self._guarded(watch)) for watch in watches]
        while True:
            update = await self._queue.get()
            if isinstance(update, StreamBroken):
                raise update
            yield update

    async def close(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError, *VENDOR_FAULTS):
            await asyncio.wait_for(self._exchange.close(), _CLOSING_S)

    async def _guarded(self, watch: Any) -> None:
        """Turn whatever ends a watch into the end of the connection."""
        try:
            with localcontext():  # ccxt changes the rounding and the traps of the process
                await watch
        except VENDOR_FAULTS as error:
            text = " ".join(str(error).split())[:200]
            self._end(f"{self._exchange.id}: {type(error).__name__}: {text}")

    def _end(self, reason: str) -> None:
        while self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(StreamBroken(reason))

    def _put(self, update: Update) -> None:
        if self._queue.full():
            self._end("updates come faster than they are taken")
        else:
            self._queue.put_nowait(update)

    def _drop(self, reason: str, symbol: str = "") -> None:
        self._put(Dropped(symbol=symbol, reason=reason))

    async def _watch_prices(self) -> None:
        exchange, symbols = self._exchange, self._symbols
        if exchange.has.get("watchTickers"):
            while True:
                await exchange.watch_tickers(symbols)
        elif exchange.has.get("watchTicker"):
            await asyncio.gather(*(self._watch_one(symbol) for symbol in symbols))
        else:
            raise ccxt.NotSupported(f"{exchange.id} streams no prices")

    async def _watch_one(self, symbol: str) -> None:
        while True:
            await self._exchange.watch_ticker(symbol)

    async def _watch_held(self) -> None:
        """Hear every trade in the symbols in which a position is open; others are told about once a second."""
        if not self._exchange.has.get("watchTradesForSymbols"):
            return
        watching: asyncio.Task[None] | None = None
        try:
            while True:
                held = self._held() & frozenset(self._symbols)
                if held - self._heard:  # what is held no more is heard on until the next connection
                    self._heard |= held
                    if watching:
                        watching.cancel()
                    watching = asyncio.create_task(self._watch_trades(sorted(self._heard)))
                if watching and watching.done() and not watching.cancelled():
                    await watching
                await asyncio.sleep(0.2)
        finally:
            if watching:
                watching.cancel()

    async def _watch_trades(self, symbols: list[str]) -> None:
        while True:
            await self._exchange.watch_trades_for_symbols(symbols)

    async def _watch_bars(self) -> None:
        await self._bars.run()

    def _look(self) -> None:
        """Take what a message has left in ccxt's tables: its own answers leave out what comes between two of them."""
        for symbol in self._heard:
            # A message may hold several trades; each counts, for each may cross a level.
            trades = self._exchange.trades.get(symbol)
            for trade in trades or ():
                self._price(symbol, trade.get("price"), trade.get("timestamp"), trade.get("id"))
            if trades:
                trades.clear()
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        """Take bars and prices; ccxt keeps some of each, so nothing is lost in between."""
        self._sweeping = None
        try:
            self._bars.sweep(self._put)
            for symbol in self._symbols:
                ticker = self._exchange.tickers.get(symbol)
                if ticker is not None:
                    self._price(symbol, ticker.get("last"), ticker.get("timestamp"), None)
        except VENDOR_FAULTS as error:
            self._drop(f"what cannot be read: {type(error).__name__}")

    def _price(self, symbol: str, price: Any, at: Any, trade_id: Any) -> None:
        if trade_id is None:
            if self._seen.get(symbol) == (price, at):
                return
            self._seen[symbol] = (price, at)
        try:
            self._put(Ticker(symbol=symbol, price=float(price), at=timeframes.from_ms(int(at))))
        except (TypeError, ValueError, OverflowError):
            self._drop("a price that is no number, or has no time", symbol)


def _listen_safely(exchange: Any, *, drop: Callable[[str], None], heard: Callable[[], None]) -> None:
    """Call `heard` after each message; one that cannot be read costs itself alone, where ccxt would go deaf."""
    make = exchange.client

    def client(url: str) -> Any:
        is_new = url not in exchange.clients
        made = make(url)
        if is_new:
            read = made.handle_text_or_binary_message

            def safely(content: Any) -> None:
                try:
                    read(content)
                    heard()
                except VENDOR_FAULTS as error:
                    drop(f"a message that cannot be read: {type(error).__name__}")

            made.handle_text_or_binary_message = safely
        return made

    exchange.client = client


def _moved(addresses: Any, endpoint: str, exchange_id: str) -> Any:
    """Return the addresses at another host, as CcxtClient moves its own."""
    if isinstance(addresses, dict):
        return {name: _moved(address, endpoint, exchange_id) for name, address in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    root = endpoint.rstrip("/") + ("/mexc" if exchange_id in MEXC else "")
    return _HOST.sub(root.replace("http", "ws", 1) if addresses.startswith("ws") else root, addresses)


def markets_of(client: Any) -> Callable[[Sequence[str]], Mapping[str, Any]]:
    """Return what gives ccxt's markets of these symbols out of a CcxtClient, in any thread that it alone is used in."""

    def wanted(symbols: Sequence[str]) -> Mapping[str, Any]:
        try:
            with client.call():
                found = client.markets()
        except VENDOR_FAULTS as error:
            raise StreamBroken(f"the markets cannot be had: {error}") from error
        return {symbol: found[symbol] for symbol in symbols if symbol in found}

    return wanted
