"""What a stream of a venue brings, and what it is asked for; the simulated market speaks the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from trading.core.candles import Candles
from trading.core.quality import Sifted
from trading.core.types import Market, Ticker


class StreamBroken(Exception):
    """The connection is of no use any more: close it, wait, and listen anew."""


class BoardUnavailable(Exception):
    """The shared prices cannot be read or written now; whoever needs a price asks the venue itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Something that was not believed; `symbol` is empty where it named none."""

    symbol: str
    reason: str


Update = Ticker | Candles | Dropped
"""A price, closed bars of one series, or what was dropped."""


class Stream(Protocol):
    """One connection at a time to one venue."""

    @property
    def expected_gap(self) -> timedelta:
        """Return how long it may take from one price to the next while all is well."""
        ...

    def updates(
        self, symbols: Sequence[str], timeframe: str, *, held: Callable[[], frozenset[str]]
    ) -> AsyncIterator[Update]:
        """Connect, and yield what comes until the caller closes the iterator or StreamBroken is raised.

        `held` returns the symbols in which a position is open now; their prices come as fast as the venue tells them.
        """
        ...


class Past(Protocol):
    """Where bars come from that the stream did not bring."""

    def history(self, symbol: str, timeframe: str, *, start: datetime, stop: datetime, now: datetime) -> Sifted:
        """Return the sound bars that opened in [start, stop) and have closed by `now`.

        Raises MarketDataUnavailable and UnknownSymbol.
        """
        ...

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]: ...

    def markets(self) -> Mapping[str, Market]: ...


@runtime_checkable
class Pushed(Protocol):
    """MarketData that is told prices as well: looking at them again and again costs the venue nothing."""

    def pushed(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return the newest prices that the stream has told; none while it is down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the board shows: prices by symbol, and when the stream last heard of the venue (None: never)."""

    alive_at: datetime | None
    tickers: Mapping[str, Ticker] = field(default_factory=dict)


class Board(Protocol):
    """Prices that every process may read, written by the one that listens; all of it may vanish at any moment.

    Every method raises BoardUnavailable.
    """

    def write(self, tickers: Sequence[Ticker], *, alive_at: datetime | None) -> None: ...

    def read(self, symbols: Sequence[str]) -> Snapshot: ...

    def keep_markets(self, markets: Mapping[str, Market], *, at: datetime) -> None: ...

    def markets(self, *, since: datetime) -> tuple[datetime, Mapping[str, Market]] | None:
        """Return the rules that were kept at or after `since`, and when; None: there are none so young."""
        ...
