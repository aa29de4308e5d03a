"""One tick: what is in doubt is settled, positions are followed, due bars are judged. Read this first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from trading import events
from trading.core.ports import MarketDataUnavailable
from trading.core.timeframes import from_ms, to_ms
from trading.services import accounts, entries, exits, lease, ledger, parameters, reconcile
from trading.services.context import Context, Ports

logger = logging.getLogger(__name__)

SLOT = timedelta(seconds=5)


class Outcome(StrEnum):
    RAN = "ran"
    SLOT_TAKEN = "slot taken"
    LEASE_HELD = "lease held elsewhere"
    LEASE_LOST = "lease lost on the way"


def run(*, ports: Ports, now: datetime, owner: str) -> Outcome:
    """Run the tick of the slot that `now` lies in, unless another process has it or holds the lease."""
    held = lease.acquire(owner=owner, now=now)
    if held is None:
        return Outcome.LEASE_HELD
    if not lease.claim_slot(job="tick", slot=slot_of(now), owner=owner, now=now):
        return Outcome.SLOT_TAKEN
    try:
        _run(ports, held, now)
    except lease.LeaseLost as loss:
        # Whoever holds it now begins by settling what this tick left behind.
        logger.warning("the tick stops here: %s", loss)
        return Outcome.LEASE_LOST
    return Outcome.RAN


def _run(ports: Ports, held: lease.Held, now: datetime) -> None:
    bot = ledger.open_account(initial_balance=ports.initial_balance, now=now)
    context = _context(ports, held, now)
    settled = reconcile.settle_all(context)
    trades = reconcile.open_trades()
    context = _with_prices(context, [trade.symbol for trade in trades])
    for trade in trades:
        exits.follow(trade, context)
    if settled or trades:
        bot.refresh_from_db()
    accounts.mark(bot, trades, context)
    entries.judge_due(bot, context)
    events.announce(events.TICK, at=now)


def slot_of(now: datetime) -> datetime:
    span = SLOT // timedelta(milliseconds=1)
    return from_ms(to_ms(now) // span * span)


def _context(ports: Ports, held: lease.Held, now: datetime) -> Context:
    revision_id, params = parameters.in_force(now=now)
    return Context(
        ports=ports,
        now=now,
        lease=held,
        revision_id=revision_id,
        params=params,
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
