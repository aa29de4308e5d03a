"""What waits for nothing else in a tick: trades without a stop, and trades whose level a price has just reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from trading import events
from trading.core.feed import Pushed
from trading.core.ports import OutcomeUnknown
from trading.models import Event, Trade, TradingState
from trading.services import control, exits, lease, levels, settling
from trading.services.context import Context

DELISTED = "delisted"
AGAIN = timedelta(seconds=1)
"""Pause between two tries at the same trade within one tick."""
COUNT = timedelta(seconds=2)
"""So often a tick that takes long asks the venue again which stops rest there."""
GLANCE = timedelta(milliseconds=100)
"""So often a tick that takes long looks at what the stream has told meanwhile."""

logger = logging.getLogger(__name__)


def supervise(trades: Sequence[Trade], context: Context) -> None:
    """Follow trades at the context's prices alone: bars, other trades and new entries are the next tick's."""
    for trade in trades:
        settling.settle_trade(trade, context)
        _follow(trade, context, exits.follow_price)


class Urgent:
    """Between all that a tick does, what cannot wait is looked after again: a slow venue keeps none of it waiting.

    `moved` is called after a trade was followed out of its turn.
    """

    def __init__(self, context: Context, *, moved: Callable[[], None] = lambda: None) -> None:
        self._context, self._moved = context, moved
        self._renewed_at = self._counted_at = self._glanced_at = context.now
        self._tried_at: dict[int, datetime] = {}
        self._reached_at: dict[int, datetime] = {}

    def look(self) -> None:
        """Follow what has no stop or has reached a level, and was not tried in the last second."""
        if self._context.ports.clock is None:
            return  # in a replay nothing takes time
        self._renew()
        if self._context.moment() - self._counted_at >= COUNT:
            settling.settle_stops(self._context)
            self._counted_at = self._context.moment()
        for trade in settling.bare_trades():
            if self._is_due(trade.pk, self._tried_at):
                settling.settle_trade(trade, self._context)
                self._follow(trade)
        self._follow_reached()

    def follow(self, trades: Sequence[Trade]) -> None:
        for trade in trades:
            if trade.pk in self._tried_at or trade.pk in self._reached_at:
                trade.refresh_from_db()
            self._follow(trade)
            self.look()

    def _renew(self) -> None:
        """Keep the lease while slow answers keep this tick from writing anything; raises LeaseLost."""
        if self._context.moment() - self._renewed_at >= AGAIN:
            lease.check(self._context.lease)
            self._renewed_at = self._context.moment()

    def _is_due(self, pk: int, tried: dict[int, datetime]) -> bool:
        return pk not in tried or self._context.moment() - tried[pk] >= AGAIN

    def _follow(self, trade: Trade) -> None:
        _follow(trade, self._context, exits.follow)
        self._tried_at[trade.pk] = self._context.moment()

    def _follow_reached(self) -> None:
        """Follow what a price has reached since this tick began: the hint that tells of it waits for its end."""
        market, now = self._context.ports.market_data, self._context.moment()
        if not isinstance(market, Pushed) or now - self._glanced_at < GLANCE:
            return
        self._glanced_at = now
        watched = levels.of_open_trades()
        tickers = market.pushed(list(watched), now=now) if watched else {}
        reached = levels.reached(watched, {symbol: ticker.price for symbol, ticker in tickers.items()})
        due = [pk for pk in reached if self._is_due(pk, self._reached_at)]
        if due:
            trades = [trade for trade in settling.open_trades() if trade.pk in due]
            supervise(trades, replace(self._context, tickers={**self._context.tickers, **tickers}))
            self._reached_at |= dict.fromkeys(due, self._context.moment())
            self._moved()


def _follow(trade: Trade, context: Context, how: Callable[[Trade, Context], None]) -> None:
    if trade.symbol not in context.markets:
        _say_delisted(trade, context)
        return
    try:
        how(trade, context)
    except OutcomeUnknown as doubt:
        logger.warning("trade %s is followed by the next tick: %s", trade.pk, doubt)


def _say_delisted(trade: Trade, context: Context) -> None:
    """Say once that the venue has no such market any more: nothing can be sent there, and the others go on."""
    if not Event.objects.filter(kind=DELISTED, payload__trade=trade.pk).exists():
        text = f"the venue has no market {trade.symbol} any more: close the trade by what the venue offers instead"
        events.emit(DELISTED, at=context.now, symbol=trade.symbol, text=text, payload={"trade": trade.pk})
        control.tighten(TradingState.CLOSE_ONLY, reason=text, now=context.now)
