"""A refused setup as the trade it would have been: one plan, one position, the fill model, and what it came to.

Values in, values out. The bars go through core.position, and money is counted as services.ledger and the backtest
count it, so the same setup alone in a backtest makes the same trade to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np
from numba import njit

from trading.core import decision, position
from trading.core.candles import Candles, Floats
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.position import MAX_EXITS, ExitReason, ExitRules, Position, advance, take
from trading.core.sizing import Record
from trading.core.types import Market, Setup, Side
from trading.models.fields import stored


class NotTradable(Exception):
    """The setup could not have become a trade; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What left at once: price in quote per base, quantity in base, fee in quote."""

    at: datetime
    price: Decimal
    quantity: Decimal
    reason: str
    fee: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The trade as it stands; it has ended when nothing of its position remains."""

    side: Side
    market: Market
    slippage: float
    quantity: Decimal
    entry: Decimal
    stop: float
    """The first one."""
    rules: ExitRules
    position: Position
    parts: tuple[Part, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.position.remaining <= 0.0

    @property
    def left(self) -> Decimal:
        return self.quantity - sum((part.quantity for part in self.parts), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an ended trade came to: money in quote after fees, `r` over what the way to the first stop was worth."""

    pnl: Decimal
    r: float
    exit: Decimal
    reason: str
    ended_at: datetime


def enter(
    setup: Setup, *, candles: Candles, index: int, equity: Decimal, params: Params, market: Market
) -> tuple[Held, int]:
    """Return the trade at the open of bar `index`, sized as the only one of an account, and the next bar to follow.

    Raises NotTradable. A limit that the bar did not reach is none; of the bar that reached it only the loss is believed.
    """
    if setup.side is Side.SHORT and not market.allows_short:
        raise NotTradable(f"{market.symbol} cannot be sold short here")
    opened = float(candles.open[index])
    account = _alone(equity, candles.opened_at(index))
    plan = decision.plan(setup, price=opened, account=account, params=params, market=market)
    if plan is None:
        raise NotTradable(f"the position would be too small for the minimum of {market.min_notional} a trade")
    entry, stop = float(plan.entry), float(plan.stop)
    held = Held(
        side=plan.side,
        market=market,
        slippage=params.slippage,
        quantity=plan.quantity,
        entry=plan.entry,
        stop=stop,
        rules=position.exit_rules(side=plan.side, entry=entry, stop=stop, params=params, market=market),
        position=position.open_position(side=plan.side, entry=entry, stop=stop),
    )
    if params.entry_order != "limit":
        return held, index
    worst = float(candles.low[index] if plan.side is Side.LONG else candles.high[index])
    if plan.side.sign * (worst - entry) > 0:
        raise NotTradable(f"the limit at {plan.entry} was not reached within the bar")
    moved, exits = position.on_bar(held.position, held.rules, open=entry, high=max(entry, worst), low=min(entry, worst))
    return _booked(held, moved, exits, candles.closed_at(index)), index + 1


def follow(held: Held, candles: Candles, start: int) -> Held:
    """Return the trade after the bars from `start` on; those after its end are not looked at."""
    index, rows = start, np.zeros((2 * MAX_EXITS, 3))
    while index < len(candles) and not held.has_ended:
        moved, index, is_open, count = _walk(
            held.position, held.rules, candles.open, candles.high, candles.low, index, rows
        )
        at = candles.opened_at(index) if is_open else candles.closed_at(min(index, len(candles) - 1))
        held = _booked(held, moved, _exits(rows[:count]), at)
        if is_open and not held.has_ended:
            moved, count = advance(
                held.position, held.rules, candles.open[index], candles.high[index], candles.low[index], rows
            )
            held = _booked(held, moved, _exits(rows[:count]), candles.closed_at(index))
        index += 1
    return held


def result(held: Held) -> Result:
    """Return what an ended trade came to, counted fill by fill: cost leaves in proportion, fees on every fill."""
    fees, gross = _fee(held.market, held.quantity, held.entry), Decimal(0)
    left, cost = held.quantity, stored(held.quantity * held.entry)
    for part in held.parts:
        gone = cost if part.quantity >= left else stored(cost * part.quantity / left)
        gross += held.side.sign * (stored(part.price * part.quantity) - gone)
        fees += part.fee
        left, cost = left - part.quantity, cost - gone
    pnl = gross - fees
    risked = float(held.quantity) * abs(float(held.entry) - held.stop)
    last = held.parts[-1]
    worth = sum((part.price * part.quantity for part in held.parts), Decimal(0))
    return Result(
        pnl=pnl,
        r=float(pnl) / risked,
        exit=stored(worth / held.quantity),
        reason=last.reason,
        ended_at=last.at,
    )


def _alone(equity: Decimal, now: datetime) -> Account:
    """Return an account that holds nothing, has lost nothing and remembers nothing."""
    return Account(
        now=now,
        accepts_entries=True,
        equity=equity,
        peak_equity=equity,
        day_opening=equity,
        week_opening=equity,
        open_symbols=frozenset(),
        open_risk=Decimal(0),
        open_notional=Decimal(0),
        last_loss_at=None,
        record=Record(losses_in_row=0, wins_in_row=0, returns=()),
    )


def _booked(held: Held, moved: Position, exits: Sequence[position.Exit], at: datetime) -> Held:
    """Return the trade with what the state machine let go, in whole lots; the last exit takes the rest."""
    parts, left, market = list(held.parts), held.left, held.market
    for number, exit in enumerate(exits, 1):
        is_last = number == len(exits) and moved.remaining <= 0.0
        quantity = position.lots(
            exit=exit, first_quantity=held.quantity, remaining=left, is_last=is_last, market=market
        )
        if quantity <= 0:
            continue
        price = market.price(exit.price)
        if not exit.reason.is_level:
            price = decision.market_fill(exit.price, sign=-held.side.sign, slippage=held.slippage, market=market)
        fee = _fee(market, quantity, price)
        parts.append(Part(at=at, price=price, quantity=quantity, reason=exit.reason.label, fee=fee))
        left -= quantity
    return replace(held, position=moved, parts=tuple(parts))


def _exits(rows: Floats) -> list[position.Exit]:
    return [position.Exit(ExitReason(int(reason)), fraction, price) for reason, fraction, price in rows.tolist()]


def _fee(market: Market, quantity: Decimal, price: Decimal) -> Decimal:
    return stored(quantity * price * market.fee_rate)


@njit(cache=True)
def _walk(
    held: Position, rules: ExitRules, open: Floats, high: Floats, low: Floats, start: int, exits: Floats
) -> tuple[Position, int, bool, int]:
    """Return the position at the first bar from `start` on in which anything leaves, that bar, and how much left.

    True: it left at the bar's open, and the rest of the bar is still to come. No bar: the index is their count.
    """
    for index in range(start, len(open)):
        price = open[index]
        moved, count = take(held, rules, price, price, price, exits, 0)
        if count > 0:
            return moved, index, True, count
        moved, count = advance(held, rules, price, high[index], low[index], exits)
        if count > 0:
            return moved, index, False, count
        held = moved
    return held, len(open), False, 0
