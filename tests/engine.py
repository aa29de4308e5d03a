"""What tests of the engine share: a stored market, strategies that enter on demand, and venues that fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading.adapters.paper_broker import PaperBroker
from trading.adapters.stored_market import StoredMarket
from trading.core import timeframes
from trading.core.analysis import Analysis
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketData, OrderReport, OrderRequest
from trading.core.slippage import Slippage
from trading.core.strategies import Sides
from trading.models import Bot, LedgerEntry, PaperAccount, Trade
from trading.services import lease, parameters, tick
from trading.services.context import Context, Ports

SYMBOL = "BTC/USDT"
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: open time of the first bar of every series made here."""
WARM = 260
"""Bars before the ones a test writes down; more than any indicator needs."""
BALANCE = Decimal(10_000)

OPEN_DOORS: dict[str, Any] = {
    name: 0
    for name in Params.of({}).as_json()
    if name.startswith(("score_min_", "adx_min_")) or name in ("volume_min", "confluence_min", "cost_multiple")
}
"""Parameters under which no filter refuses, so a test decides alone what happens."""


@dataclass(frozen=True)
class Scripted:
    """A strategy that enters on the bars it is told: open time in milliseconds -> side."""

    entries: Mapping[int, int]
    name: str = "scripted"

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.array([self.entries.get(int(opened), 0) for opened in candles.opened], dtype=np.int8)


def series(rows: Sequence[tuple[float, float, float, float]], *, symbol: str = SYMBOL) -> Candles:
    """Return WARM quiet bars around 100 followed by `rows` of (open, high, low, close), as 15-minute bars."""
    closes = 100.0 + np.random.default_rng(1).normal(0.0, 0.1, WARM).round(2)
    closes[-1] = 100.0
    quiet = [(100.0, 100.5, 99.5, close) for close in closes]
    table = np.array([*quiet, *rows])
    span = timeframes.milliseconds("15m")
    return Candles(
        symbol=symbol,
        timeframe="15m",
        opened=timeframes.to_ms(START) + span * np.arange(len(table), dtype=np.int64),
        open=table[:, 0],
        high=table[:, 1],
        low=table[:, 2],
        close=table[:, 3],
        volume=np.full(len(table), 10.0),
    )


def close_of(row: int) -> datetime:
    """Return when the written row (-1: the last quiet bar) closes, which is when the next bar opens."""
    return START + timedelta(minutes=15) * (WARM + row + 1)


def enter_at(*rows: int, side: int = 1) -> Scripted:
    """Return a strategy with a setup at the close of each written row (-1: the last quiet bar)."""
    return Scripted({timeframes.to_ms(close_of(row)) - timeframes.milliseconds("15m"): side for row in rows})


def ports_over(
    candles: Candles | Mapping[str, Candles], strategy: Any, *, slippage: float = 0.0, seed: int | None = None
) -> Ports:
    made = {candles.symbol: candles} if isinstance(candles, Candles) else dict(candles)
    market = StoredMarket(made, fee_rate=Decimal("0.001"))
    return ports_with(market, strategy, slippage=Slippage(fraction=slippage, seed=seed))


def ports_with(market: MarketData, strategy: Any, *, slippage: Slippage) -> Ports:
    broker = PaperBroker(market_data=market, timeframe="15m", slippage=slippage, initial_balance=BALANCE)
    return Ports(
        market_data=market,
        broker=broker,
        strategies=(strategy,),
        initial_balance=BALANCE,
        code_version="test",
    )


def set_params(**values: Any) -> None:
    """Put parameters in force: 15-minute bars of one symbol, open doors, and what the test asks for."""
    now = START
    base = {"timeframe": "15m", "pairs": [SYMBOL], "slippage": 0, **OPEN_DOORS}
    number = parameters.current(now=now).number
    parameters.revise(values={**base, **values}, reason="test", author=None, expected_number=number, now=now)


def run_tick(ports: Ports, now: datetime, *, owner: str = "test") -> tick.Outcome:
    return tick.run(ports=ports, now=now, owner=owner)


def context_at(ports: Ports, now: datetime, *, owner: str = "test") -> Context:
    """Return what a tick of `owner` at that moment would work with, prices included."""
    held = lease.acquire(owner=owner)
    assert held is not None
    return tick._with_prices(tick._context(ports, held, now), [])


def run_rows(ports: Ports, *rows: int) -> None:
    """Tick at the close of each written row."""
    for row in rows:
        assert run_tick(ports, close_of(row)) is tick.Outcome.RAN


def assert_books_balance() -> None:
    """Ledger, running balance, the trades' own totals and the venue's cash all say the same, to the last digit."""
    bot = Bot.objects.get(pk=1)
    ledger = sum((entry.amount for entry in LedgerEntry.objects.all()), Decimal(0))
    trades = sum((trade.pnl for trade in Trade.objects.all()), Decimal(0))
    assert bot.balance == ledger == bot.initial_balance + trades
    venue = PaperAccount.objects.first()
    if venue is not None:
        assert venue.balance == bot.balance


@dataclass
class Flaky:
    """A venue in front of the paper venue that fails as told: a queue of 'before', 'after' and 'ok' per submit."""

    inner: PaperBroker
    script: list[tuple[str, BaseException]] = field(default_factory=list)
    sent: list[OrderRequest] = field(default_factory=list)
    mode: str = "paper"

    def submit(self, request: OrderRequest) -> OrderReport:
        self.sent.append(request)
        when, error = self.script.pop(0) if self.script else ("ok", RuntimeError())
        if when == "before":
            raise error
        report = self.inner.submit(request)
        if when == "after":
            raise error
        return report

    def __getattr__(self, name: str) -> Any:
        """Everything that only asks goes through as it is."""
        return getattr(self.inner, name)


def flaky(ports: Ports, *script: tuple[str, BaseException]) -> tuple[Ports, Flaky]:
    assert isinstance(ports.broker, PaperBroker)
    venue = Flaky(ports.broker, list(script))
    return replace(ports, broker=venue), venue
