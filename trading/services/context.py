"""What one tick works with: the ports, the parameters in force and the right to trade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

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
