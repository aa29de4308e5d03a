"""Follows open trades: bars and prices go through the one state machine, and what falls due is sent."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.ports import MarketDataUnavailable, OrderKind, StopSupport, UnknownSymbol
from trading.core.position import Exit, ExitReason, ExitRules, Position, lots, on_bar, on_price
from trading.models import LIVE, NEVER_FILLED, Order, OrderRole, OrderStatus, Trade, TradeStatus
from trading.services import execution, lease, ledger, protection, quoting, shortfall
from trading.services.context import Context

PART = "manual_part"
"""How the reasons of parts begin that a person has had sold."""
STOPS = (ExitReason.STOP, ExitReason.BREAK_EVEN, ExitReason.TRAILING)

logger = logging.getLogger(__name__)


def follow(trade: Trade, context: Context) -> None:
    """Bring an open trade up to the moment: closed bars first, then the price now, then its stop at the venue.

    Bars that cannot be had now are followed later; neither the price nor another trade waits for them.
    """
    try:
        _follow_bars(trade, context)
    except (MarketDataUnavailable, UnknownSymbol) as error:
        logger.warning("the bars of %s are not followed now: %s", trade.symbol, error)
    follow_price(trade, context)


def follow_price(trade: Trade, context: Context) -> None:
    """Bring an open trade up to the price now alone, then its stop at the venue: what a price reached waits for no bar."""
    _follow_price(trade, context)
    finish(trade, context)
    if protection.ensure(trade, context):
        finish(trade, context)
    elif trade.unprotected_at is not None and protection.is_refused(trade):
        _follow_price_now(trade, context)


def rules_as_json(rules: ExitRules) -> dict[str, float | None]:
    """Return exit rules for a JSON column, which cannot hold NaN: null means never."""
    return {name: value if math.isfinite(value) else None for name, value in rules._asdict().items()}


def rules_of(trade: Trade) -> ExitRules:
    values: dict[str, Any] = {name: math.nan if value is None else value for name, value in trade.rules.items()}
    return ExitRules(**values)


def position_of(trade: Trade) -> Position:
    """Return the trade as the state machine's value; levels hang on the planned entry, as in a backtest."""
    return Position(
        trade.sign,
        float(trade.planned_entry),
        trade.stop,
        trade.stop_reason,
        trade.remaining_fraction,
        trade.targets_hit,
        trade.best,
        trade.bars,
    )


def _follow_bars(trade: Trade, context: Context) -> None:
    timeframe = trade.signal.timeframe
    due = (timeframes.last_closed(context.now, timeframe) - trade.last_bar_at) // timeframes.length(timeframe)
    if due <= 0:
        return
    candles = context.ports.market_data.candles(trade.symbol, timeframe, now=context.now, limit=due)
    first_quote = trade.orders.filter(role=OrderRole.ENTRY, kind=OrderKind.LIMIT).order_by("number").first()
    for index in range(len(candles)):
        opened_at = candles.opened_at(index)
        if not _is_open(trade) or opened_at <= trade.last_bar_at:
            continue
        position, exits = _after_bar(trade, first_quote, candles, index)
        trade.worst = _worst_after(trade, exits, candles, index)
        _apply(trade, position, exits, opened_at, context)
        if trade.last_bar_at < opened_at:
            return  # its exits wait for another order, and later bars wait for them


def _after_bar(trade: Trade, quote: Order | None, candles: Candles, index: int) -> tuple[Position, list[Exit]]:
    """Return what a closed bar does to the position; of the bar in which a quote filled, only the loss is believed.

    Whatever the bar reached in our favour may have been before the fill; the stop lies beyond the quote, so it was not.
    """
    open, high, low = float(candles.open[index]), float(candles.high[index]), float(candles.low[index])
    if quote is not None and trade.opened_at is not None and candles.opened_at(index) < trade.opened_at:
        if candles.closed_at(index) < trade.opened_at:
            return position_of(trade), []
        open = float(trade.planned_entry)
        high, low = (open, min(open, low)) if trade.sign > 0 else (max(open, high), open)
    return on_bar(position_of(trade), rules_of(trade), open=open, high=high, low=low)


def _worst_after(trade: Trade, exits: list[Exit], candles: Candles, index: int) -> float | None:
    """Return the worst price after a closed bar; what the bar reached behind the stop that left in it is not the trade's."""
    if trade.opened_at is not None and candles.closed_at(index) <= trade.opened_at:
        return trade.worst
    reached = float(candles.low[index] if trade.sign > 0 else candles.high[index])
    stops = [float(each.price) for each in exits if each.reason in STOPS]
    return (
        trade.worse(max(reached, *stops) if trade.sign > 0 else min(reached, *stops)) if stops else trade.worse(reached)
    )


def _follow_price(trade: Trade, context: Context) -> None:
    ticker = context.tickers.get(trade.symbol)
    if ticker is None or not _is_open(trade):
        return
    position, exits = on_price(position_of(trade), rules_of(trade), ticker.price)
    if exits:
        trade.worst = trade.worse(ticker.price)
        _apply(trade, position, exits, trade.last_bar_at, context)


def _follow_price_now(trade: Trade, context: Context) -> None:
    """Sell at once where the stop was refused because the price has passed it since this tick read the prices."""
    try:
        tickers = context.ports.market_data.tickers([trade.symbol], now=context.moment())
    except (MarketDataUnavailable, UnknownSymbol) as error:
        logger.warning("the price of %s is not known now: %s", trade.symbol, error)
        return
    fresh = replace(context, tickers=tickers)
    _follow_price(trade, fresh)
    finish(trade, fresh)


def finish(trade: Trade, context: Context) -> None:
    """Sell what is left where the state machine has left but an exit was refused or never arrived."""
    if trade.status != TradeStatus.OPEN or trade.remaining <= 0:
        return
    if _is_dust(trade, context):
        if not trade.is_entering and not trade.orders.filter(status__in=LIVE).exists():
            ledger.write_off(trade, now=context.moment())
            trade.refresh_from_db()
        return
    if trade.remaining_fraction > 0 or trade.orders.filter(role=OrderRole.EXIT, status__in=LIVE).exists():
        return
    if _waits_for_entry(trade, context) or not protection.lift(trade, context):
        return
    trade.refresh_from_db()
    if trade.status != TradeStatus.OPEN or trade.remaining <= 0:
        return
    quantity = context.markets[trade.symbol].quantity(shortfall.sellable(trade, context))
    if quantity <= 0:
        return
    with transaction.atomic():
        lease.check(context.lease)
        held = Trade.objects.filter(pk=trade.pk, status=TradeStatus.OPEN, remaining=trade.remaining)
        if not held.update(remaining=trade.remaining):  # which also keeps everybody else off it until this is written
            return
        order = execution.record(
            trade, role=OrderRole.EXIT, reason=_rest_reason(trade), quantity=quantity, now=context.moment()
        )
    execution.drive(order, context)
    if order.status == OrderStatus.REJECTED:
        shortfall.report(order, context)
        protection.adopt_earlier(trade, context)
    trade.refresh_from_db()


def _waits_for_entry(trade: Trade, context: Context) -> bool:
    """Cancel what still rests of the entry; while that is in doubt, an exit waits only under a stop at the venue."""
    is_protected = trade.unprotected_at is None
    if quoting.end(trade, "the position is being left", context) or not is_protected:
        return False
    return context.ports.broker.capabilities(trade.symbol).stop is not StopSupport.NONE


def _rest_reason(trade: Trade) -> str:
    """Return a reason that no other exit of the trade has, since each may have one order that lives or filled."""
    exits = trade.orders.filter(role=OrderRole.EXIT).exclude(reason__startswith=PART)
    tried = list(exits.order_by("number"))
    if not tried:
        return trade.exit_reason or "rest"
    if tried[-1].status in NEVER_FILLED:
        return tried[-1].reason
    taken = {order.reason for order in tried}
    if trade.exit_reason and trade.exit_reason not in taken:
        return trade.exit_reason  # a person, or a missing stop, has had the rest sold
    return next(name for n in range(1, len(taken) + 2) if (name := "rest" if n == 1 else f"rest {n}") not in taken)


def _is_dust(trade: Trade, context: Context) -> bool:
    """Return whether the rest cannot be sold: less than a lot, or than the least a spot venue takes."""
    market = context.markets[trade.symbol]
    quantity = market.quantity(trade.remaining)
    if quantity <= 0 or not context.ports.broker.capabilities(trade.symbol).pays_notional:
        return quantity <= 0
    ticker = context.tickers.get(trade.symbol)
    return ticker is not None and quantity * Decimal(str(ticker.price)) < market.min_notional


def _apply(trade: Trade, position: Position, exits: list[Exit], bar_at: datetime, context: Context) -> None:
    """Write the position's new state and the orders that fell due in one transaction, then send the orders."""
    if exits and not make_way(trade, context, is_all=position.remaining <= 0.0):
        return
    with transaction.atomic():
        lease.check(context.lease)
        orders = _record(trade, position, exits, context) if save(trade, position, bar_at) else []
    for order in orders:
        execution.drive(order, context)
        if order.status == OrderStatus.REJECTED:
            shortfall.report(order, context)
    trade.refresh_from_db()


def make_way(trade: Trade, context: Context, *, is_all: bool) -> bool:
    """End what rests of the entry, and lift a stop that holds the coins which are to be sold; False: not yet."""
    if _waits_for_entry(trade, context):
        return False
    needs_coins = is_all or context.ports.broker.capabilities(trade.symbol).pays_notional
    if needs_coins and not protection.lift(trade, context):
        # The venue's stop has filled or may fill; what it did is settled before anything else is sold.
        trade.refresh_from_db()
        return False
    return True


def save(trade: Trade, position: Position, bar_at: datetime) -> bool:
    """Write the position unless another process has moved it since this one read it; False: it has."""
    as_read = Trade.objects.filter(
        pk=trade.pk,
        status=TradeStatus.OPEN,
        # What the venue's stop has sold meanwhile is not there to be sold again.
        remaining=trade.remaining,
        stop=trade.stop,
        bars=trade.bars,
        targets_hit=trade.targets_hit,
        remaining_fraction=trade.remaining_fraction,
        last_bar_at=trade.last_bar_at,
    )
    return bool(
        as_read.update(
            stop=float(position.stop),
            stop_reason=int(position.stop_reason),
            remaining_fraction=float(position.remaining),
            targets_hit=int(position.targets_hit),
            best=float(position.best),
            worst=trade.worst,
            bars=int(position.bars),
            last_bar_at=bar_at,
        )
    )


def _record(trade: Trade, position: Position, exits: list[Exit], context: Context) -> list[Order]:
    market, left, orders = context.markets[trade.symbol], trade.remaining, []
    for number, exit in enumerate(exits, 1):
        is_last = number == len(exits) and position.remaining <= 0.0
        wanted = lots(exit=exit, first_quantity=trade.quantity, remaining=left, is_last=is_last, market=market)
        # Fees kept in coins leave a rest that is off the grid; what is too small to sell is written off later.
        quantity = market.quantity(wanted)
        if quantity <= 0:
            continue
        left -= quantity
        orders.append(
            execution.record(
                trade,
                role=OrderRole.EXIT,
                reason=exit.reason.label,
                quantity=quantity,
                level=market.price(exit.price) if exit.reason.is_level else None,
                now=context.moment(),
            )
        )
    return orders


def _is_open(trade: Trade) -> bool:
    return trade.status == TradeStatus.OPEN and trade.remaining > 0 and trade.remaining_fraction > 0
