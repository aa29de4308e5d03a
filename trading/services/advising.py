"""Asks advisers about setups that passed every filter and guard, and keeps what they answer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from django.db import DatabaseError, transaction
from django.db.models import F

from trading import selectors
from trading.core import advice as core
from trading.core import advising, bitcoin, decision, timeframes
from trading.core.advice import Adviser, Question
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.types import Regime, Setup, Side
from trading.models import Advice, Bot, Signal, SignalStatus, Trade, TradeStatus
from trading.selectors.books import books_at
from trading.services import parameters
from trading.services.context import Context

logger = logging.getLogger(__name__)

REMEMBERED = 10
"""Closed trades whose results an adviser is told."""
FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError),
    *(NameError, OSError, ReferenceError, RuntimeError, StopIteration, SyntaxError, TypeError, ValueError),
    DatabaseError,
)
"""What code that is not the engine's may let out: each is no opinion, and no bar stays undecided for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counsel:
    """Who counts for a setup, what was answered so far, and who is still waited for."""

    asked: tuple[str, ...] = ()
    advices: tuple[core.Advice, ...] = ()
    awaited: tuple[str, ...] = ()
    """They answer outside the tick, and the decision waits for them."""
    is_wanted: bool = False
    """Somebody answers outside the tick, whether the decision waits or not."""
    bypassed: Collection[str] = ()


NOBODY = Counsel()


def advisers(context: Context) -> list[Adviser]:
    """Return who is asked under the parameters in force, in order."""
    is_off = context.params.ai_mode == "off"
    return [each for each in context.ports.advisers if not (is_off and each.name == advising.AI)]


def awaited(context: Context) -> tuple[str, ...]:
    """Return for whose answers a decision waits: not for those that are only shown."""
    is_shown = context.params.ai_mode == "advisory"
    slow = [each.name for each in advisers(context) if each.is_slow]
    return tuple(name for name in slow if not (is_shown and name == advising.AI))


def counsel(setup: Setup, candles: Candles, bot: Bot, context: Context) -> Counsel:
    """Ask those who answer at once. Nothing is held meanwhile: no transaction, no row."""
    wanted = advisers(context)
    asked_now = question_now(setup, candles, bot=bot, context=context)
    fast = [each for each in wanted if not each.is_slow]
    return Counsel(
        asked=tuple(each.name for each in fast),
        advices=tuple(answer(each, asked_now) for each in fast),
        awaited=awaited(context),
        is_wanted=len(fast) < len(wanted),
        bypassed=frozenset(context.ports.bypassed()),
    )


def answer(adviser: Adviser, question: Question) -> core.Advice:
    """Return what an adviser says, checked and with the time that it took; a failure is no opinion."""
    began = time.perf_counter()
    try:
        given: object = adviser.advise(question)
    except FAILURES as failure:
        logger.exception("adviser %s failed on %s", adviser.name, question.setup.symbol)
        given = advising.no_opinion(adviser.name, f"it failed: {type(failure).__name__}")
    took = (time.perf_counter() - began) * 1000.0
    checked = advising.checked(given, source=adviser.name)
    return checked if checked.latency_ms > 0.0 else replace(checked, latency_ms=took)


def question_now(setup: Setup, candles: Candles, *, bot: Bot, context: Context) -> Question:
    leader = _leader(candles, market_data=context.ports.market_data, now=context.now)
    asked = _question_of(setup, candles, leader, bot=bot, params=context.params)
    closed_at = candles.closed_at(len(candles) - 1)
    return replace(asked, book=lambda: context.books(closed_at).get(setup.symbol))


def _question_of(
    setup: Setup, candles: Candles, leader: Callable[[], Candles | None], *, bot: Bot, params: Params
) -> Question:
    return Question(
        setup=setup,
        candles=candles,
        analysis=analyse(candles, params),
        params=params,
        losses_in_a_row=bot.losses_in_row,
        recent_r=_recent_r(),
        leader=leader,
    )


def _leader(candles: Candles, *, market_data: MarketData, now: datetime) -> Callable[[], Candles | None]:
    """Return what loads BTC's bars beside a pair's, once; None where they cannot be had, for no setup waits for them."""
    symbol = bitcoin.leader_of(candles.symbol)

    @cache
    def load() -> Candles | None:
        if symbol == candles.symbol:
            return candles
        try:
            return market_data.candles(symbol, candles.timeframe, now=now, limit=len(candles))
        except (MarketDataUnavailable, UnknownSymbol) as error:
            logger.warning("%s is asked about without BTC: %s", candles.symbol, error)
            return None

    return load


def question(signal: Signal, *, market_data: MarketData) -> Question | None:
    """Return what is to be asked about a signal's row; None where its bars cannot be had any more.

    Raises MarketDataUnavailable and UnknownSymbol.
    """
    params, bot = parameters.params_of(signal.revision), Bot.objects.get(pk=1)
    closed_at = signal.bar_at + timeframes.length(signal.timeframe)
    candles = market_data.candles(
        signal.symbol, signal.timeframe, now=closed_at, limit=decision.history_bars(params, ())
    )
    if not len(candles) or candles.opened_at(len(candles) - 1) != signal.bar_at:
        return None
    leader = _leader(candles, market_data=market_data, now=closed_at)
    asked = _question_of(setup_of(signal), candles, leader, bot=bot, params=params)
    return replace(
        asked,
        known=answers(signal),
        book=lambda: books_at([signal.symbol], closed_at).get(signal.symbol),
    )


def setup_of(signal: Signal) -> Setup:
    """Return the setup that a row was written for."""
    return Setup(
        symbol=signal.symbol,
        timeframe=signal.timeframe,
        bar_at=signal.bar_at,
        strategy=signal.strategy,
        side=Side(signal.side),
        price=signal.price,
        atr=signal.atr,
        regime=Regime(signal.regime),
        score=_number(signal.score),
        indicators={name: _number(value) for name, value in signal.indicators.items()},
    )


def wanting(*, source: str, now: datetime) -> list[Signal]:
    """Return the signals whose time for advice is not over and that have none of this source, the most urgent first."""
    unanswered = selectors.wanting_advice(now=now).exclude(advices__source=source)
    return list(unanswered.select_related("revision").order_by("advice_due_at", "pk"))


def keep(signal_id: int, given: core.Advice, *, now: datetime) -> bool:
    """Write an answer that came outside the tick; False where one of that source is there already.

    One that comes after the decision is kept as late and changes nothing.
    """
    checked = advising.checked(given, source=given.source)
    with transaction.atomic():
        # Whoever holds the row comes first: a decision reads this answer, or this answer knows of the decision.
        waits = Signal.objects.filter(pk=signal_id, status=SignalStatus.AWAITING)
        is_late = not waits.update(advice_due_at=F("advice_due_at"))
        columns = {"is_late": is_late, "at": now, **_columns(checked)}
        _, is_new = Advice.objects.get_or_create(signal_id=signal_id, source=checked.source, defaults=columns)
    return is_new


def write(signal: Signal, advices: Iterable[core.Advice], *, now: datetime) -> None:
    """Write what was answered before the signal was; call it inside the transaction that writes the signal."""
    rows = [Advice(signal=signal, source=given.source, at=now, **_columns(given)) for given in advices]
    Advice.objects.bulk_create(rows)


def answers(signal: Signal) -> tuple[core.Advice, ...]:
    """Return what is on record about a signal, oldest first."""
    return tuple(_advice(row) for row in Advice.objects.filter(signal=signal).order_by("pk"))


def answered(signals: Sequence[Signal]) -> dict[int, set[str]]:
    """Return which sources have answered, by the signal's primary key."""
    found: dict[int, set[str]] = {signal.pk: set() for signal in signals}
    for pk, source in Advice.objects.filter(signal__in=signals).values_list("signal_id", "source"):
        found[pk].add(source)
    return found


def _recent_r() -> tuple[float, ...]:
    closed = Trade.objects.filter(status=TradeStatus.CLOSED, quantity__gt=0).order_by("-closed_at", "-pk")
    return tuple(_r(trade) for trade in closed[:REMEMBERED])


def _r(trade: Trade) -> float:
    """Return what a trade made in units of what it would have lost at its first stop."""
    return float(trade.pnl) / (abs(float(trade.entry_price) - trade.first_stop) * float(trade.quantity))


def _columns(given: core.Advice) -> dict[str, object]:
    return {
        "approve": given.approve,
        "confidence": given.confidence,
        "influence": given.influence,
        "reason": given.reason,
        "risk": given.risk,
        "against": list(given.against),
        "model": given.model,
        "prompt": given.prompt,
        "tokens": given.tokens,
        "cost_usd": given.cost_usd,
        "latency_ms": given.latency_ms,
        "features": given.features,
    }


def _advice(row: Advice) -> core.Advice:
    return core.Advice(
        source=row.source,
        approve=row.approve,
        confidence=row.confidence,
        reason=row.reason,
        influence=row.influence,
        risk=row.risk,
        against=tuple(row.against),
        model=row.model,
        prompt=row.prompt,
        tokens=row.tokens,
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
        features=row.features,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
