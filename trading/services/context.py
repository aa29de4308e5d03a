"""What one tick works with: the ports, the parameters in force and the right to trade."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from trading.core.advice import Adviser
from trading.core.book_history import BookHistory
from trading.core.params import Params
from trading.core.ports import Broker, MarketData
from trading.core.strategies import Strategy
from trading.core.types import Market, Ticker
from trading.services.lease import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world and the strategies, as the settings (or a replay) name them."""

    market_data: MarketData
    broker: Broker
    strategies: Sequence[Strategy]
    initial_balance: Decimal
    """Quote with which a new account starts."""
    code_version: str
    venue: str = "simulated"
    """Whose prices and orders these are; an account belongs to one venue for good."""
    clock: Callable[[], datetime] | None = None
    """The time now, in operation; None in a replay, where a tick happens in no time at all."""
    halt_file: Path | None = None
    """While it exists nothing is entered, whatever the database says."""
    accepts_local_stops: bool = False
    """The operator has said that stops may be kept by this process alone, where a venue has none."""
    advisers: Sequence[Adviser] = ()
    """Who is asked about setups that passed everything else; nobody in a replay, so that it equals a backtest."""
    bypassed: Callable[[], Collection[str]] = frozenset
    """Returns the advisers whose opinion counts for nothing at present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One tick's view of the world; every row it writes names the same revision and the same moment."""

    ports: Ports
    now: datetime
    lease: Held
    revision_id: int
    """Primary key of the parameter revision in force."""
    params: Params
    markets: Mapping[str, Market]
    tickers: Mapping[str, Ticker] = field(default_factory=dict)
    allies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By symbol, those that move with it, where a limit asks for that."""
    books: Callable[[datetime], Mapping[str, BookHistory]] = lambda _: {}
    """Returns by watched pair the records of books that say something about a moment; read once, if anybody asks."""

    def moment(self) -> datetime:
        """Return the time now; `now` is when the tick began, which a slow venue makes long ago."""
        return max(self.now, self.ports.clock()) if self.ports.clock else self.now
