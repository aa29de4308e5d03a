"""A small world to trade in: two coins, processes that tick, die and replace each other, and what must hold in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from tests.engine import BALANCE, START, close_of, series, set_params
from tests.properties.venue import FEE_RATE, LOT, WINDOW, Placed, ScriptedVenue
from trading.core import timeframes
from trading.core.analysis import Analysis
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import OrderKind, StopSupport
from trading.core.strategies import Sides
from trading.core.types import Market, Ticker
from trading.models import (
    ACTIVE,
    IN_DOUBT,
    Bot,
    ExternalHolding,
    Fill,
    LedgerEntry,
    LedgerKind,
    Order,
    OrderRole,
    Trade,
    TradeStatus,
)
from trading.services import crash_points, invariants, lease
from trading.services import tick as ticking
from trading.services.context import Ports

SYMBOLS = ("BTC/USDT", "ETH/USDT")
BAR = timedelta(minutes=15)
PARAMS = {
    "pairs": list(SYMBOLS),
    "max_open_risk": 0.5,
    "max_leverage": 1.0,
    "daily_loss": 1.0,
    "weekly_loss": 1.0,
    "cooldown_minutes": 0,
    "kelly": False,
    "risk_fraction": 0.005,
    "risk_floor": 0.002,
}
MAY_LAG = ("I-15", "I-16", "I-20", "I-21")
"""Promises that have their time to come true again; they are asked for when all is quiet."""
QUIET_TICKS = 16


class ProcessDied(BaseException):
    """Stands for kill -9: nothing catches it."""


class World:
    """Implements MarketData, and is the clock, the operator and the fate of the trading processes."""

    name = "scripted"

    def __init__(
        self,
        *,
        window: timedelta | None = WINDOW,
        stop: StopSupport = StopSupport.MARKET,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.now = close_of(-1)
        self.past = {symbol: series([], symbol=symbol) for symbol in SYMBOLS}
        self.seen: dict[str, list[float]] = {symbol: [100.0] for symbol in SYMBOLS}
        self.setups: set[tuple[str, int]] = set()
        self.venue = ScriptedVenue(clock=lambda: self.now, money=BALANCE, window=window, stop=stop)
        self.venue.prices = dict.fromkeys(SYMBOLS, Decimal(100))
        self.ports = Ports(
            market_data=self,
            broker=self.venue,
            strategies=(self,),
            initial_balance=BALANCE,
            code_version="test",
            clock=lambda: self.now,
        )
        self.process = 1
        self.crash_at = ""
        self.quantity_step = LOT
        set_params(**{**PARAMS, **(params or {})})

    # --- The port of prices, and the strategy -----------------------------------------------------------

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        return self.past[symbol].until(now, limit=limit)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return {s: Ticker(symbol=s, price=float(self.venue.prices[s]), at=self.now) for s in symbols}

    def markets(self) -> Mapping[str, Market]:
        return {symbol: _market(symbol, self.quantity_step) for symbol in SYMBOLS}

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        wanted = [(candles.symbol, int(opened)) in self.setups for opened in candles.opened]
        return np.array(wanted, dtype=np.int8)

    # --- What happens in it -----------------------------------------------------------------------------

    def want(self, *symbols: str) -> None:
        """Have a setup in these symbols at the close of the newest bar."""
        opened = timeframes.to_ms(timeframes.bar_open(self.now, "15m") - BAR)
        self.setups |= {(symbol, opened) for symbol in symbols}

    def move(self, symbol: str, price: float) -> None:
        self.seen[symbol].append(price)
        self.venue.set_price(symbol, Decimal(f"{price:.2f}"))

    def close_bar(self) -> None:
        """Go to the next bar's open; bars span the prices that were seen in them."""
        start = timeframes.bar_open(self.now, "15m")
        for symbol in SYMBOLS:
            self.past[symbol] = _with_bar(self.past[symbol], timeframes.to_ms(start), self.seen[symbol])
            self.seen[symbol] = self.seen[symbol][-1:]
        self.wait((start + BAR - self.now).total_seconds())

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.venue.arrive()

    def tick(self) -> ticking.Outcome | None:
        """Tick as the process that trades now; None: it died on the way, and another one is there."""
        try:
            return self.tick_as(f"process {self.process}")
        except ProcessDied:
            self.crash_at = ""
            self.replace_process()
            return None

    def tick_as(self, owner: str) -> ticking.Outcome:
        return ticking.run(ports=self.ports, now=self.now, owner=owner)

    def replace_process(self) -> None:
        """Let the lease of the process that trades now end, and name its heir."""
        lease.release(f"process {self.process}")
        self.process += 1

    def reach(self, name: str) -> None:
        """Stands for `crash_points.reach`: dies where the world says so."""
        assert name in crash_points.NAMES
        if name == self.crash_at:
            raise ProcessDied(name)

    # --- What must hold ---------------------------------------------------------------------------------

    def assert_sound(self) -> None:
        """At every moment: no promise about money is broken, nothing was accepted twice, unasked or for one signal twice."""
        broken = [v for v in self._violations() if v.id not in MAY_LAG]
        assert not broken, broken
        accepted = Counter(order.request.client_id for order in self.venue.placed)
        assert all(count == 1 for count in accepted.values()), f"accepted more than once: {accepted}"
        ours = {order.client_id: order for order in Order.objects.select_related("trade")}
        assert all(client_id in ours and ours[client_id].permit_at for client_id in accepted), "sent without a permit"
        self._assert_entered_once(ours)
        assert all(coins >= 0 for coins in self.venue.coins.values()), self.venue.coins
        booked = set(Fill.objects.values_list("venue_fill_id", flat=True))
        assert booked <= {fill.venue_fill_id for fill in self.venue.executions()}

    def _assert_entered_once(self, ours: Mapping[str, Order]) -> None:
        """One order at the market per signal; of its quotes one rests at a time, and together they buy what was planned."""
        entered: dict[int, list[Placed]] = {}
        for placed in self.venue.placed:
            order = ours[placed.request.client_id]
            if order.role == OrderRole.ENTRY:
                entered.setdefault(order.trade_id, []).append(placed)
        for trade in Trade.objects.filter(pk__in=entered):
            sent = entered[trade.pk]
            assert sum(placed.is_live for placed in sent) <= 1, f"quoted twice at once: {sent}"
            assert sum(placed.request.kind == OrderKind.MARKET for placed in sent) <= 1, f"entered twice: {sent}"
            bought = sum((placed.request.quantity - placed.rest for placed in sent), Decimal(0))
            assert bought <= trade.planned_quantity, f"planned {trade.planned_quantity}: {sent}"
        signals = Counter(Trade.objects.filter(pk__in=entered).values_list("signal_id", flat=True))
        assert all(count == 1 for count in signals.values()), f"entered more than once: {signals}"

    def settle_down(self) -> None:
        """Heal everything and tick for half a minute; then our books and the venue's say the same."""
        self.venue.heal()
        self.crash_at = ""
        for _ in range(QUIET_TICKS):
            self.wait(2)
            assert self.tick() == "ran"
            self.venue.fill_rest()
        self.assert_sound()
        assert not self._violations()
        assert not Order.objects.filter(status__in=(*IN_DOUBT, "intent")).exists()
        self._assert_fills_agree()
        self._assert_holdings_agree()
        self._assert_protected()

    def _violations(self) -> list[invariants.Violation]:
        found = invariants.check(now=self.now, since=START)
        if self.venue.window is None:  # nothing can be proved there, so people are told, and that is all
            found = [violation for violation in found if "came up after" not in violation.found]
        return found

    def _assert_fills_agree(self) -> None:
        theirs: Counter[str] = Counter()
        for fill in self.venue.executions():
            theirs[fill.client_id] += fill.quantity  # type: ignore[assignment]
        ours = {order.client_id: order.filled for order in Order.objects.exclude(filled=0)}
        assert ours == dict(theirs)
        assert Fill.objects.count() == len(self.venue.executions())

    def _assert_holdings_agree(self) -> None:
        spent = Decimal(0)
        held = {row.symbol: row.quantity for row in ExternalHolding.objects.all()}
        for trade in Trade.objects.filter(status__in=ACTIVE):
            held[trade.symbol] = held.get(trade.symbol, Decimal(0)) + trade.remaining
            spent += trade.cost
        for symbol in SYMBOLS:
            assert held.get(symbol, Decimal(0)) == self.venue.coins.get(symbol, Decimal(0))
        assert not LedgerEntry.objects.filter(kind=LedgerKind.TRANSFER).exists()
        dust = sum((-row.amount for row in LedgerEntry.objects.filter(kind=LedgerKind.DUST)), Decimal(0))
        assert abs(Bot.objects.get().balance + dust - spent - self.venue.money) < Decimal("1e-6") + dust

    def _assert_protected(self) -> None:
        for symbol in SYMBOLS:
            open_trades = Trade.objects.filter(symbol=symbol, status=TradeStatus.OPEN, remaining_fraction__gt=0)
            wanted = [trade.remaining for trade in open_trades]
            assert [order.rest for order in self.venue.resting(symbol)] == wanted


def _market(symbol: str, quantity_step: Decimal) -> Market:
    return Market(
        symbol=symbol,
        price_step=Decimal("0.01"),
        quantity_step=quantity_step,
        min_notional=Decimal(5),
        fee_rate=FEE_RATE,
    )


def _with_bar(past: Candles, opened: int, prices: Sequence[float]) -> Candles:
    first, last = prices[0], prices[-1]
    # A little wider than what was seen while nothing happened, so that there is a range to measure; never beyond a stop.
    high, low = max(prices) + 0.3, min(prices) - 0.3
    row = {"opened": opened, "open": first, "high": high, "low": low, "close": last, "volume": 10.0}
    columns = {name: np.append(getattr(past, name), value) for name, value in row.items()}
    return Candles(symbol=past.symbol, timeframe=past.timeframe, **columns)
