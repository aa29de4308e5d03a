"""What Julaba asks of the outside world, and the only ways in which the outside world may fail.

    MarketData   candles, last prices, and what a venue allows
    Broker       orders; it fails by OutcomeUnknown (ask, never resend), OrderRejected (final) or NotSent (nothing happened)

An adapter translates every error of its vendor into these; nothing else escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from trading.core.candles import Candles
from trading.core.types import Market, Ticker

TRIAL_PREFIX = "jt"
"""Of the client ids of trial orders, which whoever placed them cancels: those of trades begin otherwise."""


class MarketDataUnavailable(Exception):
    """The source cannot answer now; nothing may be concluded from it."""


class UnknownSymbol(ValueError):
    """A symbol the source does not have."""

    def __init__(self, symbol: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown symbol {symbol!r}: this source has {', '.join(known) or 'none'}")


class OutcomeUnknown(Exception):
    """The request may or may not have taken effect; ask the venue by client id before anything else.

    A question (find, open_orders, fills, holdings, cash) raises it where the call failed: nothing may be concluded.
    """


class OrderRejected(Exception):
    """The venue refused the order for good."""


class AccessDenied(OrderRejected):
    """The venue does not let this key do it: wrong, revoked, or without the right."""


class NotSent(Exception):
    """It is certain that nothing happened: the request never left, or the venue did not process it.

    `retry_after` is how long the venue wants to be left alone, where it said so.
    """

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class MarketData(Protocol):
    """Where prices come from. `now` is passed in, since the core and the services have no clock."""

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        """Return up to `limit` bars that have closed by `now`, oldest first; possibly fewer, possibly none."""
        ...

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return the last price of each symbol that has one."""
        ...

    def markets(self) -> Mapping[str, Market]:
        """Return what the venue allows, by symbol."""
        ...


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    """Rests at `price` until it is filled or canceled."""
    STOP = "stop"
    """Released by the venue when the price reaches `trigger`: as a market order, or as a limit order at `price`."""


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is OrderSide.BUY else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order as the venue shall see it. Quantity is in base, prices in quote per base.

    `level` is the price at which the fill model says a watched level was filled; simulated venues fill
    there, real ones ignore it. `at` is the permit's time; a venue with a receive window refuses a request
    that arrives long after it.
    """

    client_id: str
    symbol: str
    side: OrderSide
    kind: OrderKind
    quantity: Decimal
    at: datetime
    price: Decimal | None = None
    trigger: Decimal | None = None
    level: Decimal | None = None
    reduce_only: bool = False


class ReportStatus(StrEnum):
    OPEN = "open"
    PARTIAL = "partial"
    """Still resting, and filled in part."""
    FILLED = "filled"
    CANCELED = "canceled"
    """No more of it will fill; what had filled stays."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """One execution: quantity in base, price in quote per base, fee in quote.

    `base_fee` is what the venue kept of the bought base coins; `fee` includes its worth.
    `client_id` is empty where the venue does not name it; then `venue_order_id` does.
    """

    venue_fill_id: str
    client_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    base_fee: Decimal = Decimal(0)
    symbol: str = ""
    venue_order_id: str = ""
    side: OrderSide | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the venue says about one order, with every fill of it so far."""

    client_id: str
    venue_order_id: str
    status: ReportStatus
    fills: tuple[FillReport, ...] = ()
    symbol: str = ""
    side: OrderSide | None = None
    quantity: Decimal | None = None
    trigger: Decimal | None = None


class StopSupport(StrEnum):
    """How a venue can hold a protective stop."""

    MARKET = "market"
    LIMIT = "limit"
    """Only as a limit order behind the trigger, which a gap may jump."""
    NONE = "none"
    """Not at all: the stop is kept by this process alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue can do for one symbol."""

    stop: StopSupport
    receive_window: timedelta | None
    """How long after its `at` a request is still accepted; None: for ever, so absence can never be proved."""
    absence_is_final: bool = False
    """An id that `find` did not know can never be used any more."""
    pays_notional: bool = False
    """Buying takes the whole price out of the cash, as on a spot market."""


class Broker(Protocol):
    """An account at a venue. Every method but `submit` and `cancel` only asks, and may be repeated."""

    @property
    def mode(self) -> str:
        """Return 'paper' or 'live'; it is stamped on every row."""
        ...

    def capabilities(self, symbol: str) -> Capabilities: ...

    def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order, once; raise OrderRejected, NotSent or OutcomeUnknown."""
        ...

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        """Return the order with its fills, or None where the venue says that it does not know the id."""
        ...

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport:
        """Cancel what is left of an order and return its last state; canceling twice is no error."""
        ...

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        """Return every order that rests at the venue in these symbols, other people's of the account included."""
        ...

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[FillReport]:
        """Return every execution of the account in these symbols from `since` on, oldest first."""
        ...

    def holdings(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Decimal]:
        """Return what the account holds by symbol, signed, in base: coins on a spot market, else the net position."""
        ...

    def cash(self, *, now: datetime) -> Decimal:
        """Return the account's money in quote, what open orders have locked included."""
        ...

    def clock_offset(self, *, now: datetime) -> timedelta:
        """Return how far the venue's clock is ahead of this machine's."""
        ...
