"""Follows open trades: bars and prices go through the one state machine, and what falls due is sent."""

from __future__ import annotations

import logging
import math
from datetime import datetime
from typing import Any

from django.db import transaction

from trading.core import timeframes
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.core.position import Exit, ExitRules, Position, lots, on_bar, on_price
from trading.models import LIVE, NEVER_FILLED, Order, OrderRole, Trade, TradeStatus
from trading.services import execution, lease, protection
from trading.services.context import Context

logger = logging.getLogger(__name__)


def follow(trade: Trade, context: Context) -> None:
    """Bring an open trade up to the moment: closed bars first, then the price now, then its stop at the venue.

    Bars that cannot be had now are followed later; neither the price nor another trade waits for them.
    """
    try:
        _follow_bars(trade, context)
    except (MarketDataUnavailable, UnknownSymbol) as error:
        logger.warning("the bars of %s are not followed now: %s", trade.symbol, error)
    _follow_price(trade, context)
    _finish(trade, context)
    protection.ensure(trade, context)


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
    for index in range(len(candles)):
        opened_at = candles.opened_at(index)
        if not _is_open(trade) or opened_at <= trade.last_bar_at:
            continue
        position, exits = on_bar(
            position_of(trade),
            rules_of(trade),
            open=float(candles.open[index]),
            high=float(candles.high[index]),
            low=float(candles.low[index]),
        )
        _apply(trade, position, exits, opened_at, context)


def _follow_price(trade: Trade, context: Context) -> None:
    ticker = context.tickers.get(trade.symbol)
    if ticker is None or not _is_open(trade):
        return
    position, exits = on_price(position_of(trade), rules_of(trade), ticker.price)
    if exits:
        _apply(trade, position, exits, trade.last_bar_at, context)


def _finish(trade: Trade, context: Context) -> None:
    """Sell what is left where the state machine has left but an exit was refused or never arrived."""
    if trade.status != TradeStatus.OPEN or trade.remaining_fraction > 0 or trade.remaining <= 0:
        return
    if trade.orders.filter(role=OrderRole.EXIT, status__in=LIVE).exists() or not protection.lift(trade, context):
        return
    trade.refresh_from_db()
    if trade.status != TradeStatus.OPEN or trade.remaining <= 0:
        return
    last = trade.orders.filter(role=OrderRole.EXIT).order_by("-number").first()
    reason = last.reason if last is not None and last.status in NEVER_FILLED else "rest"
    with transaction.atomic():
        lease.check(context.lease)
        order = execution.record(trade, role=OrderRole.EXIT, reason=reason, quantity=trade.remaining, now=context.now)
    execution.drive(order, context)
    trade.refresh_from_db()


def _apply(trade: Trade, position: Position, exits: list[Exit], bar_at: datetime, context: Context) -> None:
    """Write the position's new state and the orders that fell due in one transaction, then send the orders."""
    if exits and position.remaining <= 0.0 and not protection.lift(trade, context):
        # The venue's stop has filled or may fill; what it did is settled before anything else is sold.
        trade.refresh_from_db()
        return
    with transaction.atomic():
        lease.check(context.lease)
        orders = _record(trade, position, exits, context) if _save(trade, position, bar_at) else []
    for order in orders:
        execution.drive(order, context)
    trade.refresh_from_db()


def _save(trade: Trade, position: Position, bar_at: datetime) -> bool:
    """Write the position unless another process has moved it since this one read it; False: it has."""
    as_read = Trade.objects.filter(
        pk=trade.pk,
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
            bars=int(position.bars),
            last_bar_at=bar_at,
        )
    )


def _record(trade: Trade, position: Position, exits: list[Exit], context: Context) -> list[Order]:
    market, left, orders = context.markets[trade.symbol], trade.remaining, []
    for number, exit in enumerate(exits, 1):
        is_last = number == len(exits) and position.remaining <= 0.0
        quantity = lots(exit=exit, first_quantity=trade.quantity, remaining=left, is_last=is_last, market=market)
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
                now=context.now,
            )
        )
    return orders


def _is_open(trade: Trade) -> bool:
    return trade.status == TradeStatus.OPEN and trade.remaining > 0 and trade.remaining_fraction > 0
