"""One ccxt exchange per process, made so that every request is counted, budgeted, signed on time and remembered."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import localcontext
from typing import Any, Literal
from urllib.parse import urlsplit

from trading.adapters import ccxt_mexc_swaps, meters
from trading.adapters.ccxt_budget import Allowance, HeldBack, OwnPause, Pause
from trading.adapters.ccxt_codes import BINANCE, MEXC
from trading.adapters.ccxt_lazy import ccxt
from trading.adapters.ccxt_outcomes import VENDOR_ERRORS, Reply, Sent
from trading.core import timeframes

RECEIVE_WINDOW = timedelta(seconds=2)
TIMED = BINANCE | MEXC
"""Venues that refuse a request which arrives more than a receive window after its timestamp."""
_MEXC_SWAPS_WINDOW = timedelta(seconds=10)
"""MEXC's own for contracts, since ccxt does not send ours there."""

# Cost units per second where the venue's own limit is not what ccxt says: MEXC gives 500 to each endpoint in ten seconds.
_PER_SECOND = {"mexc": 50.0}
_TIMEOUT_MS = 3_000
_OFFSET_AGE_S = 60.0
_SAMPLES = 5
_MARKETS_AGE_S = 3600.0
_MARKETS_DOUBT_S = 60.0
"""So often at most are the rules read anew because an order was refused, or could not be read when they were due."""
_PAUSES = {418: timedelta(minutes=5), 429: timedelta(minutes=1)}


@dataclass(slots=True, kw_only=True)
class Call:
    """One use of the exchange. With `permit_at` it may send one request, which is signed for that moment."""

    urgent: bool = False
    permit_at: datetime | None = None
    requests: int = 0
    reply: Reply | None = None

    @property
    def sent(self) -> Sent:
        return Sent(requests=self.requests, reply=self.reply)


_call: ContextVar[Call | None] = ContextVar("ccxt_call", default=None)


class CcxtClient:
    """The account or the public side of one venue; `exchange` is the ccxt object, made on first use in each process.

    `endpoint` replaces the host of every address (MEXC's under /mexc); `per_second` is what the venue allows in ccxt's
    cost units, of which our budget uses a part; clients with one `allowance` share it. `on_denied` is told when the
    venue refuses the key at a question. ccxt is not safe for threads: one at a time is inside `call`.
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        kind: Literal["spot", "swap"] = "spot",
        key: str = "",
        secret: str = "",
        password: str = "",
        endpoint: str | None = None,
        sandbox: bool = False,
        pause: Pause | None = None,
        allowance: Allowance | None = None,
        on_denied: Callable[[str], None] = lambda reason: None,
        per_second: float | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if exchange_id not in ccxt.exchanges:
            raise ValueError(f"ccxt has no exchange {exchange_id!r}")
        self.exchange_id = exchange_id
        self.kind = kind
        self.on_denied = on_denied
        self._keys = {"apiKey": key, "secret": secret, "password": password}
        self._endpoint = endpoint
        self._sandbox = sandbox
        self._pause = pause or OwnPause()
        self._allowance = allowance or Allowance()
        self._per_second = per_second or _PER_SECOND.get(exchange_id)
        self._clock = clock
        self._made: Any = None
        self._lock = threading.RLock()
        self._pid = 0
        self._offset: timedelta | None = None
        self._offset_at = 0.0
        self._markets_at = 0.0
        self.capped: set[str] = set()
        """Swaps whose leverage this process has capped."""

    @property
    def exchange(self) -> Any:
        """Return the ccxt object. Any: ccxt has no types."""
        if self._made is None or self._pid != os.getpid():
            self._made, self._pid = self._make(), os.getpid()
            rate = self._per_second or 1000 / max(1.0, float(self._made.rateLimit))
            self._budget = self._allowance.budget(rate)
            self._offset, self._markets_at = None, 0.0
        return self._made

    @contextmanager
    def call(self, *, urgent: bool = False, permit_at: datetime | None = None) -> Iterator[Call]:
        """Watch what is sent inside the block."""
        call = Call(urgent=urgent, permit_at=permit_at)
        token = _call.set(call)
        try:
            with self._lock, localcontext():  # ccxt changes the rounding and the traps of the process
                yield call
        finally:
            _call.reset(token)

    @property
    def receive_window(self) -> timedelta | None:
        """Return how long after its timestamp a request is still taken; None where the venue does not look."""
        if self.exchange_id not in TIMED:
            return None
        return _MEXC_SWAPS_WINDOW if self.exchange_id in MEXC and self.kind == "swap" else RECEIVE_WINDOW

    def pause_left(self) -> timedelta | None:
        """Return how long the venue still wants to be left alone."""
        until = self._pause.get()
        left = until - self._clock() if until is not None else timedelta(0)
        return left if left > timedelta(0) else None

    def markets(self) -> Mapping[str, Any]:
        """Return ccxt's markets of this kind, at most an hour old, resting ones too; raises what ccxt raises."""
        exchange = self.exchange
        if not self._markets_at or time.monotonic() - self._markets_at > _MARKETS_AGE_S:
            self._load_markets(exchange)
        return {symbol: market for symbol, market in exchange.markets.items() if self._is_ours(market)}

    def _load_markets(self, exchange: Any) -> None:
        """Read the rules; where they cannot be had anew, those that are known serve until the next try."""
        try:
            # Who may trade what is two thirds of Binance's answer, and nobody reads it.
            short = {"showPermissionSets": "false"} if (self.exchange_id, self.kind) == ("binance", "spot") else {}
            listed = exchange.load_markets(True, short)
        except VENDOR_ERRORS:
            if not self._markets_at:
                raise
            self._markets_at = time.monotonic() - _MARKETS_AGE_S + _MARKETS_DOUBT_S
            return
        if not listed:
            raise ccxt.NullResponse(f"{self.exchange_id} lists no markets")
        _share_lists(listed)
        self._markets_at = time.monotonic()

    def doubt_markets(self) -> None:
        """Read the rules anew before the next order: the venue refused one, and they may have changed."""
        now = time.monotonic()
        if self._markets_at and now - self._markets_at > _MARKETS_DOUBT_S:
            self._markets_at = min(self._markets_at, now - _MARKETS_AGE_S - 1)

    def offset(self) -> timedelta:
        """Return how far the venue's clock is ahead, measured in the last minute; raises what ccxt raises."""
        if self._offset is None or time.monotonic() - self._offset_at > _OFFSET_AGE_S:
            self._offset = sorted(self._sample() for _ in range(_SAMPLES))[_SAMPLES // 2]
            self._offset_at = time.monotonic()
        return self._offset

    def prepare(self) -> None:
        """Make sure that signing knows the venue's time; an old measure serves where no new one can be had."""
        if self.exchange_id not in TIMED:
            return
        old = self._offset
        try:
            self.offset()
        except VENDOR_ERRORS:
            if old is None:
                raise
            self._offset = old

    def doubt_clock(self) -> None:
        """Measure anew before the next signature: the venue refused a timestamp."""
        self._offset_at = -_OFFSET_AGE_S - 1

    def _sample(self) -> timedelta:
        began_at = self._clock()
        began = time.monotonic()
        served = self.exchange.fetch_time()
        if not isinstance(served, int):
            raise ccxt.BadResponse(f"{self.exchange_id} does not tell its time")
        return timeframes.from_ms(served) - began_at - timedelta(seconds=(time.monotonic() - began) / 2)

    def _is_ours(self, market: Any) -> bool:
        if market.get(self.kind) is not True:
            return False
        return self.kind == "spot" or market.get("linear") is True

    def _make(self) -> Any:
        base = getattr(ccxt, self.exchange_id)
        exchange = type(base.__name__, (base,), _overrides(base, self))(
            {
                **self._keys,
                "timeout": _TIMEOUT_MS,
                "enableRateLimit": True,
                "options": {
                    "defaultType": self.kind,
                    "maxRetriesOnFailure": 0,
                    "recvWindow": RECEIVE_WINDOW // timedelta(milliseconds=1),
                    "warnOnFetchOpenOrdersWithoutSymbol": False,
                    "fetchMargins": False,
                    "adjustForTimeDifference": False,
                    **(
                        {"fetchMarkets": {"types": ["spot" if self.kind == "spot" else "linear"]}}
                        if base.__name__ in BINANCE
                        else {}
                    ),
                },
            }
        )
        exchange.number = str
        # The list of coins needs a key and is of no use here.
        exchange.has["fetchCurrencies"] = False
        # A redirect would send an order twice.
        exchange.session.max_redirects = 0
        if self._sandbox:
            exchange.set_sandbox_mode(True)
        if self._endpoint:
            prefix = self._endpoint.rstrip("/") + ("/mexc" if self.exchange_id in MEXC else "")
            exchange.urls["api"] = _moved(exchange.urls["api"], prefix)
        return exchange

    def _admit(self, cost: float) -> None:
        """Raise HeldBack where nothing may be sent now."""
        if (left := self.pause_left()) is not None:
            raise HeldBack(f"{self.exchange_id} asked for a pause of {left.total_seconds():.0f} s more", left)
        call = _call.get()
        self._budget.take(cost, urgent=call is not None and call.urgent)

    def _signed_ms(self, permit_at: datetime | None) -> int:
        return timeframes.to_ms((permit_at or self._clock()) + (self._offset or timedelta(0)))

    def _answered(self, reply: Reply) -> None:
        if reply.status in _PAUSES:
            asked = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "")
            span = timedelta(seconds=min(int(asked), 86_400)) if asked.isdecimal() else _PAUSES[reply.status]
            self._pause.set(self._clock() + span)


def _overrides(base: Any, client: CcxtClient) -> dict[str, Any]:
    """Return the methods that our subclass of a ccxt class has of its own."""
    seen: dict[str, int] = {}  # status of the newest answer, for the meters

    def throttle(self: Any, cost: float | None = None) -> None:
        client._admit(1.0 if cost is None else float(cost))  # noqa: SLF001 - the other half of the client

    def nonce(self: Any) -> Any:
        call = _call.get()
        return client._signed_ms(call.permit_at if call else None)  # noqa: SLF001

    def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        call = _call.get()
        if call is not None:
            if call.permit_at is not None and call.requests:
                raise ccxt.ExchangeError("a permit is for one request")
            call.requests += 1
            call.reply = None
        seen.clear()
        begun = time.perf_counter()
        try:
            return base.fetch(self, url, method, headers, body)
        finally:
            meters.observe("julaba_exchange_latency_seconds", time.perf_counter() - begun)
            status = str(seen.get("status", "none"))
            meters.count("julaba_exchange_requests", endpoint=urlsplit(url).path[:60], status=status)

    def on_rest_response(
        self: Any, code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any
    ) -> Any:
        seen["status"] = code
        reply = Reply(status=code, body=body, headers=dict(headers))
        if (call := _call.get()) is not None:
            call.reply = reply
        client._answered(reply)  # noqa: SLF001
        return base.on_rest_response(self, code, reason, url, method, headers, body, *rest)

    methods: dict[str, Any] = {"throttle": throttle, "fetch": fetch, "on_rest_response": on_rest_response}
    if base.__name__ in TIMED:
        methods["nonce"] = nonce
    return methods | (_of_mexc(base, client.kind) if base.__name__ in MEXC else {})


def _of_mexc(base: Any, kind: str) -> dict[str, Any]:
    ours = base.fetch_spot_markets if kind == "spot" else base.fetch_swap_markets
    orders = ccxt_mexc_swaps.overrides(base) if kind == "swap" else {}
    return {"fetch_markets": lambda self, params=None: ours(self, params or {}), **orders}


def required_credentials(exchange_id: str) -> frozenset[str]:
    """Return what a key of this exchange consists of, in ccxt's words; ValueError where ccxt has no such exchange."""
    if exchange_id not in ccxt.exchanges:
        raise ValueError(f"ccxt has no exchange {exchange_id!r}")
    required = getattr(ccxt, exchange_id)().requiredCredentials
    return frozenset(name for name, is_required in required.items() if is_required)


def _share_lists(markets: Mapping[str, Any]) -> None:
    """Make equal lists one in what the venue itself says of its markets: thousands of markets say the same."""
    known: dict[str, Any] = {}
    for market in markets.values():
        said = market.get("info")
        for name, value in said.items() if isinstance(said, dict) else ():
            if isinstance(value, list):
                parts = [known.setdefault(repr(each), each) for each in value]
                said[name] = known.setdefault(repr(value), parts)


def _moved(addresses: Any, prefix: str) -> Any:
    if isinstance(addresses, dict):
        return {name: _moved(address, prefix) for name, address in addresses.items()}
    return re.sub(r"^https?://[^/]+", prefix, addresses) if isinstance(addresses, str) else addresses
