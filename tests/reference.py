"""A slow backtest written from the words of the fill model alone, to hold the live engine against.

It shares the core's setups, filters, guards and sizing, and nothing of how positions are followed, orders
are sent or money is booked: one symbol, one position at a time, plain Python.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from trading.core import bitcoin, decision
from trading.core.candles import Candles
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.sizing import Record
from trading.core.strategies import Strategy
from trading.core.types import Market, Plan

FRACTION = {"target_1": "target_one_fraction", "target_2": "target_two_fraction"}


@dataclass
class Leg:
    at: datetime
    price: Decimal
    quantity: Decimal
    reason: str


@dataclass
class Done:
    """A trade as the reference made it."""

    plan: Plan
    entered_at: datetime
    exits: list[Leg] = field(default_factory=list)
    stop: float = 0.0
    why: str = "stop"
    best: float = 0.0
    bars: int = 0
    hit: int = 0
    left: Decimal = Decimal(0)
    pnl: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)

    @property
    def sign(self) -> int:
        return self.plan.side.sign


class Reference:
    def __init__(self, candles: Candles, market: Market, params: Params, strategies: tuple[Strategy, ...]) -> None:
        self.candles, self.market, self.params, self.strategies = candles, market, params, strategies
        self.balance = self.peak = Decimal(10_000)
        self.trades: list[Done] = []
        self.open: Done | None = None
        self.returns: list[float] = []
        self.losses = self.wins = 0
        self.last_loss: datetime | None = None
        self.openings: dict[object, Decimal] = {}

    def run(self) -> list[Done]:
        bars = len(self.candles)
        limit = decision.history_bars(self.params, self.strategies)
        for k in range(bars):
            if self.open:
                self.follow(self.open, k)
            now = self.candles.closed_at(k)
            has_next = k + 1 < bars
            price = float(self.candles.open[k + 1] if has_next else self.candles.close[k])
            if self.open:
                self.at_price(self.open, price, now, timed=has_next)
            equity = self.mark(price, now)
            if has_next:
                self.judge(self.candles.slice(max(0, k + 1 - limit), k + 1), price, now, equity)
        return self.trades

    def mark(self, price: float, now: datetime) -> Decimal:
        unrealised = Decimal(0)
        if self.open:
            unrealised = self.open.sign * (Decimal(str(price)) - self.open.plan.entry) * self.open.left
        equity = self.balance + unrealised
        self.peak = max(self.peak, equity)
        self.openings.setdefault(now.date(), equity)
        self.openings.setdefault(now.isocalendar()[:2], equity)
        return equity

    def judge(self, window: Candles, price: float, now: datetime, equity: Decimal) -> None:
        leads = window.symbol == bitcoin.leader_of(window.symbol)
        found = decision.find_setup(
            window,
            strategies=self.strategies,
            params=self.params,
            market=self.market,
            leader=lambda: window if leads else None,
        )
        if found is None:
            return
        risk = notional = Decimal(0)
        if self.open:
            stop = Decimal(str(self.open.stop))
            entry = self.open.plan.entry
            loss = self.open.sign * (entry - stop) + self.market.fee_rate * (entry + stop)
            risk = max(Decimal(0), loss * self.open.left)
            notional = self.open.left * Decimal(str(price))
        account = Account(
            now=now,
            accepts_entries=True,
            equity=equity,
            peak_equity=self.peak,
            day_opening=self.openings[now.date()],
            week_opening=self.openings[now.isocalendar()[:2]],
            open_symbols=frozenset({self.market.symbol} if self.open else ()),
            open_risk=risk,
            open_notional=notional,
            last_loss_at=self.last_loss,
            record=Record(losses_in_row=self.losses, wins_in_row=self.wins, returns=self.returns),
        )
        made = decision.decide(
            *found, price=price, price_at=now, account=account, params=self.params, market=self.market
        )
        if made.plan is None:
            return
        trade = Done(plan=made.plan, entered_at=now)
        trade.stop, trade.best, trade.left = float(made.plan.stop), float(made.plan.entry), made.plan.quantity
        self.equity_at_entry = equity
        trade.cost = (made.plan.quantity * made.plan.entry).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
        trade.pnl = -self.fee(made.plan.quantity, made.plan.entry)
        self.balance += trade.pnl
        self.open = trade
        self.trades.append(trade)

    def follow(self, trade: Done, k: int) -> None:
        c, sign = self.candles, trade.sign
        now = c.closed_at(k)
        low, high = float(c.low[k]), float(c.high[k])
        worst, reach = (low, high) if sign > 0 else (high, low)
        if sign * (worst - trade.stop) <= 0:
            opened = float(c.open[k])
            self.leave(trade, opened if sign * (opened - trade.stop) <= 0 else trade.stop, trade.left, trade.why, now)
            return
        self.targets(trade, reach, now, float(c.open[k]))
        if not self.open:
            return
        trade.best = max(trade.best, high) if sign > 0 else min(trade.best, low)
        trade.bars += 1
        self.move_stop(trade)

    def at_price(self, trade: Done, price: float, now: datetime, *, timed: bool) -> None:
        if trade.sign * (price - trade.stop) <= 0:
            self.leave(trade, price, trade.left, trade.why, now)
        elif self.params.time_stop and trade.bars >= self.params.time_stop:
            worse = decision.market_fill(price, sign=-trade.sign, slippage=self.params.slippage, market=self.market)
            self.leave(trade, float(worse), trade.left, "time", now)
        else:
            self.targets(trade, price, now, price)

    def targets(self, trade: Done, reach: float, now: datetime, opened: float) -> None:
        while self.open and trade.hit < 3:
            level = float(trade.plan.targets[trade.hit])
            if trade.sign * (reach - level) < 0:
                return
            trade.hit += 1
            name = f"target_{trade.hit}"
            share = getattr(self.params, FRACTION[name]) if name in FRACTION else 1.0
            part = min(trade.left, self.market.quantity(trade.plan.quantity * Decimal(str(share))))
            last = trade.hit == 3 or math.isclose(
                self.params.target_one_fraction + (self.params.target_two_fraction if trade.hit == 2 else 0), 1.0
            )
            price = opened if trade.sign * (opened - level) >= 0 else level
            if last or part > 0:
                self.leave(trade, price, trade.left if last else part, name, now)

    def move_stop(self, trade: Done) -> None:
        p, sign, entry = self.params, trade.sign, float(trade.plan.entry)
        if trade.hit and p.break_even:
            cost = entry * (2 * float(self.market.fee_rate) + p.slippage)
            self.tighten(trade, entry + sign * cost, "break_even")
        exact_r = abs(trade.plan.entry - trade.plan.stop)
        start = self.market.price(trade.plan.entry + sign * Decimal(str(p.trail_start_r)) * exact_r)
        if p.trailing and sign * (Decimal(str(trade.best)) - start) >= 0:
            trail = Decimal(str(trade.best)) - sign * Decimal(str(p.trail_distance_r)) * exact_r
            self.tighten(trade, trail, "trailing")

    def tighten(self, trade: Done, wanted: float | Decimal, why: str) -> None:
        level = float(self.market.price(wanted))
        if trade.sign * (level - trade.stop) > 0:
            trade.stop, trade.why = level, why

    def leave(self, trade: Done, price: float, quantity: Decimal, reason: str, now: datetime) -> None:
        exact = self.market.price(price)
        trade.exits.append(Leg(now, exact, quantity, reason))
        # Each fill is paid to eight places, and what was paid at the entry leaves in proportion.
        places = Decimal("1e-8")
        share = (
            trade.cost
            if quantity == trade.left
            else (trade.cost * quantity / trade.left).quantize(places, ROUND_HALF_EVEN)
        )
        trade.cost -= share
        made = trade.sign * ((exact * quantity).quantize(places, ROUND_HALF_EVEN) - share) - self.fee(quantity, exact)
        trade.pnl += made
        trade.left -= quantity
        self.balance += made
        if trade.left == 0:
            self.close(trade, now)

    def close(self, trade: Done, now: datetime) -> None:
        self.open = None
        self.returns.append(float(trade.pnl / self.equity_at_entry))
        if trade.pnl > 0:
            self.wins, self.losses = self.wins + 1, 0
        else:
            self.wins, self.losses, self.last_loss = 0, self.losses + 1, now

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return (quantity * price * self.market.fee_rate).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
