"""The search for a proposal: while nothing is open, Gemini looks over the watched pairs; what it finds passes the gate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from mlops.gemini import answers, breaker, client, facts
from mlops.gemini.answers import Idea
from mlops.gemini.prompts import Value, number
from mlops.models import GeminiState
from trading import selectors
from trading.core import decision
from trading.core.advice import Advice
from trading.core.advising import AI
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.strategies import Strategy, first_entries
from trading.core.types import Side
from trading.models import ACTIVE, UNDECIDED, Bot, Proposal, Trade, TradingState
from trading.services import parameters, proposals

MOST_SYMBOLS = 8
"""Of the newest scan, best first: the others are hardly worth what asking about them costs."""

logger = logging.getLogger(__name__)


def is_due(*, params: Params) -> bool:
    """Return whether a proposal would be of any use: it may be made, and nothing is open or waits to be decided."""
    if not client.is_configured() or not proposals.may_propose(params=params):
        return False
    bot = Bot.objects.filter(pk=1, trading_state=TradingState.ACTIVE, is_replaying=False)
    is_flat = not Trade.objects.filter(status__in=ACTIVE).exists()
    return is_flat and bot.exists() and not Proposal.objects.filter(status__in=UNDECIDED).exists()


def search(*, market_data: MarketData, strategies: Sequence[Strategy], now: datetime) -> Proposal | None:
    """Ask for a proposal among the best pairs of the newest scan; None where none was made.

    Each bar is searched once: the same bars asked about again would cost as much and say the same.
    """
    _, params = parameters.in_force(now=now)
    if not is_due(params=params):
        return None
    found = {series.symbol: series for series in _series(market_data, strategies, params, now)}
    if not found:
        return None
    newest = max(series.closed_at(len(series) - 1) for series in found.values())
    if breaker.state().searched_bar_at == newest:
        return None
    markets = {symbol: _market(series, strategies, params) for symbol, series in found.items()}
    reply = client.ask(
        "proposal",
        {"markets": markets, "recent": _recent()},
        schema=answers.proposal_schema(tuple(markets)),
        read=partial(answers.ideas, symbols=tuple(markets)),
        now=now,
    )
    if reply.value is None:
        return None
    GeminiState.objects.filter(pk=1).update(searched_bar_at=newest)
    for idea in reply.value:
        price = float(found[idea.symbol].close[-1])
        return proposals.propose(
            symbol=idea.symbol, side=Side(idea.side), advice=_advice(idea, reply), price=price, now=now
        )
    return None


def _series(market_data: MarketData, strategies: Sequence[Strategy], params: Params, now: datetime) -> list[Candles]:
    """Return the bars of the best pairs, those that are whole and fresh."""
    scan = selectors.latest_scan()
    ranked = list(scan.rows.order_by("rank").values_list("symbol", flat=True)) if scan else list(params.pairs)
    limit, made = decision.history_bars(params, strategies), []
    for symbol in [each for each in ranked if each in params.pairs][:MOST_SYMBOLS]:
        try:
            candles = market_data.candles(symbol, params.timeframe, now=now, limit=limit)
        except (MarketDataUnavailable, UnknownSymbol) as error:
            logger.warning("%s is left out of the search: %s", symbol, error)
            continue
        if len(candles) and facts.is_fresh(candles, now=now):
            made.append(candles)
    return made


def _market(candles: Candles, strategies: Sequence[Strategy], params: Params) -> dict[str, Value]:
    analysis = analyse(candles, params)
    sides, _ = first_entries(strategies, candles, analysis, params)
    sign = int(sides[-1])
    return {
        **facts.of_series(candles, analysis, params),
        "technical_score": number(float(analysis.score[-1]), 4),
        "setup": Side.of(sign).value if sign else "none",
    }


def _recent() -> dict[str, Value]:
    bot = Bot.objects.get(pk=1)
    return {"losses_in_a_row": bot.losses_in_row}


def _advice(idea: Idea, reply: client.Reply[tuple[Idea, ...]]) -> Advice:
    return Advice(
        source=AI,
        approve=True,
        confidence=idea.opinion.confidence,
        reason=idea.opinion.reasoning,
        risk=idea.opinion.risk,
        against=idea.opinion.against,
        model=reply.model,
        prompt=reply.prompt,
        tokens=reply.tokens,
        cost_usd=reply.cost_micro_usd / 1_000_000,
        latency_ms=reply.latency_ms,
    )
