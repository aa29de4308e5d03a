"""Enters what the AI proposed and somebody confirmed: each tick, on a bar that closed lately, through the same gate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError, transaction

from trading.core import advice as core
from trading.core import advising, decision, guards, timeframes
from trading.core.candles import Candles
from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.core.types import Setup, Side, Verdict
from trading.models import Bot, Order, Proposal, ProposalStatus, Signal, Watermark
from trading.services import advising as advisers
from trading.services import entries, hot_sql, lease, pair_locks, proposals, quality
from trading.services.advising import Counsel
from trading.services.context import Context

logger = logging.getLogger(__name__)


def attend(bot: Bot, context: Context, *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Let proposals expire, and enter those that are confirmed as soon as a bar and a price are young enough."""
    if not hot_sql.is_any_proposal_open():
        return
    proposals.expire(now=context.moment())
    for proposal in list(Proposal.objects.filter(status=ProposalStatus.CONFIRMED).order_by("pk")):
        try:
            order = _attend(proposal, bot, context)
        except (MarketDataUnavailable, OutcomeUnknown) as error:
            logger.warning("proposal %s waits for the next tick: %s", proposal.pk, error)
            continue
        if order is not None:
            entries.send(order, context)
        meanwhile()


def _attend(proposal: Proposal, bot: Bot, context: Context) -> Order | None:
    if refusal := _refusal(proposal, context):
        proposals.close(proposal, ProposalStatus.REFUSED, refusal, now=context.now)
        return None
    timeframe = context.params.timeframe
    bar_at = timeframes.last_closed(context.now, timeframe)
    if not _is_time(proposal.symbol, bar_at, context):
        return None
    needed = decision.history_bars(context.params, context.ports.strategies)
    candles = context.ports.market_data.candles(proposal.symbol, timeframe, now=context.now, limit=needed)
    if not len(candles) or candles.opened_at(len(candles) - 1) != bar_at:
        return None
    found = decision.proposed_setup(
        candles,
        side=Side(proposal.side),
        params=context.params,
        market=context.markets[proposal.symbol],
        leader=lambda: entries.leader_bars(proposal.symbol, needed, context),
    )
    if found is None:
        return None
    setup, verdicts = found
    sound = quality.verdict(candles, venue=context.ports.venue, now=context.now)
    by_bars = (sound, *pair_locks.verdicts(proposal.symbol, now=context.moment()), *verdicts)
    counsel = _counsel(proposal, setup, by_bars, candles, bot=bot, context=context)
    try:
        return _decide(proposal, setup, by_bars, counsel, bot=bot, context=context)
    except IntegrityError:
        if not Signal.objects.filter(symbol=setup.symbol, timeframe=timeframe, bar_at=bar_at).exists():
            raise
        logger.info("proposal %s waits: the bar was decided by another process", proposal.pk)
        return None


def _refusal(proposal: Proposal, context: Context) -> str:
    """Return why a proposal that was confirmed may not be entered at all, or nothing."""
    params = context.params
    if not proposals.may_propose(params=params):
        return f"the mode of the AI is {params.ai_mode} now, in which it proposes nothing"
    if not proposal.decided_by and params.ai_mode != proposals.AUTONOMOUS:
        return f"the mode of the AI is {params.ai_mode} now, and no person confirmed it"
    if proposal.symbol not in context.markets or proposal.symbol not in params.pairs:
        return f"{proposal.symbol} is not traded any more"
    return ""


def _is_time(symbol: str, bar_at: datetime, context: Context) -> bool:
    """Return whether the newest bar was judged, found without a setup, and is as young as the price: else wait."""
    params, ticker = context.params, context.tickers.get(symbol)
    if ticker is None:
        return False
    bar = timeframes.length(params.timeframe)
    fresh = guards.freshness(now=context.moment(), closed_at=bar_at + bar, price_at=ticker.at, bar=bar, params=params)
    judged = Watermark.objects.filter(symbol=symbol, timeframe=params.timeframe, bar_at__gte=bar_at)
    taken = Signal.objects.filter(symbol=symbol, timeframe=params.timeframe, bar_at=bar_at)
    return all(verdict.passed for verdict in fresh) and judged.exists() and not taken.exists()


def _counsel(
    proposal: Proposal,
    setup: Setup,
    by_bars: tuple[Verdict, ...],
    candles: Candles,
    *,
    bot: Bot,
    context: Context,
) -> Counsel:
    """Return what the AI said when it proposed, and what those say who answer at once."""
    own = core.Advice(
        source=advising.AI,
        approve=True,
        confidence=proposal.confidence,
        reason=proposal.reason,
        risk=proposal.risk,
        against=tuple(proposal.against),
        model=proposal.model,
        prompt=proposal.prompt,
        tokens=proposal.tokens,
        cost_usd=proposal.cost_usd,
        latency_ms=proposal.latency_ms,
    )
    alone = Counsel(asked=(own.source,), advices=(own,), bypassed=frozenset(context.ports.bypassed()))
    made = entries.judged(setup, by_bars, alone, bot=bot, context=context, is_proposed=True)
    fast = [each for each in advisers.advisers(context) if not each.is_slow and each.name != own.source]
    if made.plan is None or not fast:
        return alone
    question = advisers.question_now(setup, candles, bot=bot, context=context)
    answers = tuple(advisers.answer(each, question) for each in fast)
    return Counsel(asked=(*(each.name for each in fast), own.source), advices=(*answers, own), bypassed=alone.bypassed)


def _decide(
    proposal: Proposal,
    setup: Setup,
    by_bars: tuple[Verdict, ...],
    counsel: Counsel,
    *,
    bot: Bot,
    context: Context,
) -> Order | None:
    """Write what becomes of the proposal, as a signal like every other: all of it or nothing, and once."""
    with transaction.atomic():
        lease.check(context.lease)
        confirmed = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.CONFIRMED)
        if not confirmed.update(outcome="is judged"):
            return None
        made = entries.judged(setup, by_bars, counsel, bot=bot, context=context, is_proposed=True)
        proposal.signal = entries.write_signal(setup, made, counsel, due_at=None, context=context)
        if made.plan is None:
            proposals.close(proposal, ProposalStatus.REFUSED, made.reason, now=context.now)
            return None
        proposals.close(proposal, ProposalStatus.TAKEN, "taken", now=context.now)
        return entries.enter(proposal.signal, made.plan, bot, context)
