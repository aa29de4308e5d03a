"""One tick: what is in doubt is settled, positions are followed, due bars are judged. Read this first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from trading import events
from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.core.timeframes import from_ms, to_ms
from trading.models import Event, Trade, TradingState
from trading.services import (
    accounts,
    awaiting,
    clusters,
    control,
    entries,
    exits,
    lease,
    ledger,
    parameters,
    proposed,
    quoting,
    reconcile,
    settling,
    stumbles,
    watching,
)
from trading.services.context import Context, Ports

logger = logging.getLogger(__name__)

DELISTED = "delisted"
SLOT = timedelta(seconds=1)
"""Of several hints in the same slot, such as those of two beats, one is followed."""
REGULAR, HINTED = "tick", "hint"
HINT_SLOT = timedelta(milliseconds=200)
"""The stream's hint says that a price has reached a level, and does not wait for the next regular slot."""
AGAIN = timedelta(seconds=1)
"""Pause between two tries to protect the same trade within one tick."""


class Outcome(StrEnum):
    RAN = "ran"
    SLOT_TAKEN = "slot taken"
    LEASE_HELD = "lease held elsewhere"
    LEASE_LOST = "lease lost on the way"


def run(*, ports: Ports, now: datetime, owner: str, job: str = REGULAR) -> Outcome:
    """Run the tick of the slot that `now` lies in, unless another process has it or holds the lease."""
    held = lease.acquire(owner=owner)
    if held is None:
        _say_who_holds(lease.holder())
        return Outcome.LEASE_HELD
    slot = slot_of(now, SLOT if job == REGULAR else HINT_SLOT)
    if not lease.claim_slot(job=job, slot=slot, owner=owner, now=now):
        return Outcome.SLOT_TAKEN
    with stumbles.Counted(now=now):
        try:
            _run(ports, held, now)
        except lease.LeaseLost as loss:
            # Whoever holds it now begins by settling what this tick left behind.
            logger.warning("the tick stops here: %s", loss)
            return Outcome.LEASE_LOST
    return Outcome.RAN


def _run(ports: Ports, held: lease.Held, now: datetime) -> None:
    bot = ledger.open_account(
        initial_balance=lambda: ports.initial_balance, mode=ports.broker.mode, venue=ports.venue, now=now
    )
    trades = settling.open_trades()
    context = _with_prices(_context(ports, held, now), [trade.symbol for trade in trades])
    urgent = _Urgent(context)
    urgent.look()
    settled = settling.settle_all(context, meanwhile=urgent.look)
    settled |= quoting.attend(context)
    if settled:
        trades = settling.open_trades()
    urgent.follow(trades)
    compared = reconcile.compare_due(bot, context, meanwhile=urgent.look)
    if compared:
        stumbles.watch_clock(context)
    settled |= settling.pick_up_intents(context)
    if settled or compared:
        # What was found or sent just now is protected in the same tick.
        urgent.follow([trade for trade in settling.open_trades() if trade not in trades])
    if settled or compared or trades:
        bot.refresh_from_db()
    accounts.mark(bot, trades, context)
    if settling.is_anything_unsure():
        awaiting.give_up(context)
    else:
        context = replace(context, allies=clusters.allies(context, [trade.symbol for trade in trades]))
        awaiting.attend(bot, context, meanwhile=urgent.look)
        entries.judge_due(bot, context, meanwhile=urgent.look)
        proposed.attend(bot, context, meanwhile=urgent.look)
    events.announce(events.TICK, at=now)


class _Urgent:
    """Between all that a tick does, trades without a stop are looked after again: a slow venue keeps none waiting."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._renewed_at = context.now
        self._tried_at: dict[int, datetime] = {}

    def look(self) -> None:
        """Follow what has no stop and was not tried in the last second."""
        if self._context.ports.clock is None:
            return  # in a replay nothing takes time
        self._renew()
        for trade in settling.bare_trades():
            tried_at = self._tried_at.get(trade.pk)
            if tried_at is None or self._context.moment() - tried_at >= AGAIN:
                settling.settle_trade(trade, self._context)
                self._follow(trade)

    def _renew(self) -> None:
        """Keep the lease while slow answers keep this tick from writing anything; raises LeaseLost."""
        if self._context.moment() - self._renewed_at >= AGAIN:
            lease.check(self._context.lease)
            self._renewed_at = self._context.moment()

    def follow(self, trades: Sequence[Trade]) -> None:
        for trade in trades:
            if trade.pk in self._tried_at:
                trade.refresh_from_db()
            self._follow(trade)
            self.look()

    def _follow(self, trade: Trade) -> None:
        if trade.symbol not in self._context.markets:
            _say_delisted(trade, self._context)
            return
        try:
            exits.follow(trade, self._context)
        except OutcomeUnknown as doubt:
            logger.warning("trade %s is followed by the next tick: %s", trade.pk, doubt)
        self._tried_at[trade.pk] = self._context.moment()


def _say_delisted(trade: Trade, context: Context) -> None:
    """Say once that the venue has no such market any more: nothing can be sent there, and the others go on."""
    if not Event.objects.filter(kind=DELISTED, payload__trade=trade.pk).exists():
        text = f"the venue has no market {trade.symbol} any more: close the trade by what the venue offers instead"
        events.emit(DELISTED, at=context.now, symbol=trade.symbol, text=text, payload={"trade": trade.pk})
        control.tighten(TradingState.CLOSE_ONLY, reason=text, now=context.now)


_said: set[str] = set()


def _say_who_holds(holder: str) -> None:
    """Log once for each holder that this process trades nothing."""
    if holder not in _said:
        _said.add(holder)
        logger.warning("this process trades nothing: %s holds the trading lease", holder)


def slot_of(now: datetime, length: timedelta = SLOT) -> datetime:
    span = length // timedelta(milliseconds=1)
    return from_ms(to_ms(now) // span * span)


def _context(ports: Ports, held: lease.Held, now: datetime) -> Context:
    revision_id, params = parameters.in_force(now=now)
    return Context(
        ports=ports,
        now=now,
        lease=held,
        revision_id=revision_id,
        params=watching.applied(params),
        markets=ports.market_data.markets(),
    )


def _with_prices(context: Context, held_symbols: Sequence[str]) -> Context:
    symbols = list(dict.fromkeys((*context.params.pairs, *held_symbols)))
    try:
        tickers = context.ports.market_data.tickers(symbols, now=context.now)
    except MarketDataUnavailable as error:
        # Bars and the venue's stops still protect what is open; nothing is entered without a price.
        logger.warning("there are no prices now: %s", error)
        return context
    return replace(context, tickers=tickers)
