"""What Julaba asks of the outside world, and the only ways in which the outside world may fail.

    MarketData   candles, last prices, and what a venue allows
    Broker       orders; its two failures are OutcomeUnknown (reconcile, never resend) and OrderRejected (final)

An adapter translates every error of its vendor into these; nothing else escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from trading.core.candles import Candles
from trading.core.types import Market, Ticker


class MarketDataUnavailable(Exception):
    """The source cannot answer now; nothing may be concluded from it."""


class UnknownSymbol(ValueError):
    """A symbol the source does not have."""

    def __init__(self, symbol: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown symbol {symbol!r}: this source has {', '.join(known) or 'none'}")


class OutcomeUnknown(Exception):
    """The request may or may not have taken effect; ask the venue by client id before anything else."""


class OrderRejected(Exception):
    """The venue refused the order for good."""


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
    STOP = "stop"
    """A market order that the venue releases when the price reaches `trigger`."""


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
    trigger: Decimal | None = None
    level: Decimal | None = None
    reduce_only: bool = False


class ReportStatus(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """One execution: quantity in base, price in quote per base, fee in quote."""

    venue_fill_id: str
    client_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the venue says about one order, with every fill of it so far."""

    client_id: str
    venue_order_id: str
    status: ReportStatus
    fills: tuple[FillReport, ...] = ()


class Broker(Protocol):
    """An account at a venue."""

    @property
    def mode(self) -> str:
        """Return 'paper' or 'live'; it is stamped on every row."""
        ...

    def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order, once; raise OrderRejected or OutcomeUnknown."""
        ...

    def find(self, client_id: str, *, now: datetime) -> OrderReport | None:
        """Return the order, or None only where the venue is sure that it never saw it."""
        ...

    def cancel(self, client_id: str, *, now: datetime) -> OrderReport:
        """Cancel what is left of an order and return its last state; canceling twice is no error."""
        ...

    def open_orders(self, *, now: datetime) -> Sequence[OrderReport]:
        """Return the orders that still rest at the venue."""
        ...
