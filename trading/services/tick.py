"""One tick: what is in doubt is settled, positions are followed, due bars are judged. Read this first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, partial

from trading import events
from trading.core.ports import MarketDataUnavailable
from trading.core.timeframes import from_ms, to_ms
from trading.selectors.books import books_at
from trading.services import (
    accounts,
    awaiting,
    clusters,
    entries,
    instructed,
    lease,
    ledger,
    parameters,
    proposed,
    quoting,
    reconcile,
    settling,
    stumbles,
    urgent,
    watching,
)
from trading.services.context import Context, Ports

logger = logging.getLogger(__name__)

SLOT = timedelta(seconds=1)
"""Of several hints in the same slot, such as those of two beats, one is followed."""
REGULAR, HINTED = "tick", "hint"
HINT_SLOT = timedelta(milliseconds=200)
"""The stream's hint says that bars have closed, and does not wait for the next regular slot."""


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


def supervise(symbols: Sequence[str], *, ports: Ports, now: datetime, owner: str) -> Outcome:
    """Follow the open trades of these symbols at the price now, and nothing else: it has reached a level of theirs.

    No slot is claimed: two symbols may call within a millisecond, and a position moves but once from the state it was
    read in.
    """
    held = lease.acquire(owner=owner)
    if held is None:
        return Outcome.LEASE_HELD
    trades = [trade for trade in settling.open_trades() if trade.symbol in symbols]
    if not trades:
        return Outcome.RAN
    try:
        context = _context(ports, held, now)
        context = replace(context, tickers=ports.market_data.tickers(symbols, now=now))
        urgent.supervise(trades, context)
    except lease.LeaseLost as loss:
        logger.warning("what reached a level is left to others: %s", loss)
        return Outcome.LEASE_LOST
    return Outcome.RAN


def _run(ports: Ports, held: lease.Held, now: datetime) -> None:
    bot = ledger.open_account(
        initial_balance=lambda: ports.initial_balance, mode=ports.broker.mode, venue=ports.venue, now=now
    )
    trades = settling.open_trades()
    context = _with_prices(_context(ports, held, now), [trade.symbol for trade in trades])
    pressing = urgent.Urgent(context, moved=bot.refresh_from_db)
    pressing.look()
    settled = settling.settle_all(context, meanwhile=pressing.look)
    settled |= quoting.attend(context)
    if settled:
        trades = settling.open_trades()
    pressing.follow(trades)
    if (settled or trades) and instructed.attend(context):
        settled, trades = True, settling.open_trades()
    compared = reconcile.compare_due(bot, context, meanwhile=pressing.look)
    if compared:
        stumbles.watch_clock(context)
    settled |= settling.pick_up_intents(context)
    if settled or compared:
        # What was found or sent just now is protected in the same tick.
        pressing.follow([trade for trade in settling.open_trades() if trade not in trades])
    if settled or compared or trades:
        bot.refresh_from_db()
    accounts.mark(bot, trades, context)
    if settling.is_anything_unsure():
        awaiting.give_up(context)
    else:
        context = replace(context, allies=clusters.allies(context, [trade.symbol for trade in trades]))
        awaiting.attend(bot, context, meanwhile=pressing.look)
        entries.judge_due(bot, context, meanwhile=pressing.look)
        proposed.attend(bot, context, meanwhile=pressing.look)
    events.announce(events.TICK, at=now)


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
    params = watching.applied(params)
    return Context(
        ports=ports,
        now=now,
        lease=held,
        revision_id=revision_id,
        params=params,
        markets=ports.market_data.markets(),
        books=cache(partial(books_at, params.pairs)),
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
