"""Judges closed bars: a setup becomes a signal with all its verdicts, and a trade where nothing refuses."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from trading import events
from trading.core import advising, bitcoin, decision, position, scoring, timeframes
from trading.core.candles import Candles
from trading.core.decision import Decision
from trading.core.ports import MarketDataUnavailable, OutcomeUnknown, UnknownSymbol
from trading.core.types import Plan, Setup, Verdict
from trading.models import (
    Bot,
    Order,
    OrderRole,
    Signal,
    SignalStatus,
    SignalVerdict,
    Trade,
    Watermark,
)
from trading.models.fields import stored
from trading.services import accounts, execution, exits, hot_sql, lease, pair_locks, protection, quality
from trading.services import advising as advisers
from trading.services.advising import NOBODY, Counsel
from trading.services.context import Context

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=2)
"""How long one tick judges bars while open positions wait for the next one."""
STALE = ("setup_age", "price_age")
"""Refusals by the clock: the setup expired, it was not judged bad."""


def judge_due(bot: Bot, context: Context, *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Judge the last closed bar of every watched pair that was not decided yet; `meanwhile` is called after each."""
    timeframe = context.params.timeframe
    due = timeframes.last_closed(context.now, timeframe)
    decided = dict(Watermark.objects.filter(timeframe=timeframe).values_list("symbol", "bar_at"))
    quiet = []
    began = context.moment()
    for symbol in context.params.pairs:
        if context.moment() - began > PATIENCE:
            break  # open positions are looked after first; the next tick judges the rest
        if decided.get(symbol) is not None and decided[symbol] >= due:
            continue
        try:
            if judge(symbol, due, bot=bot, context=context, meanwhile=meanwhile):
                quiet.append(symbol)
        except (MarketDataUnavailable, OutcomeUnknown) as error:
            logger.warning("%s is not judged now: %s", symbol, error)
        except UnknownSymbol as error:
            # Asking again before the next bar would only say the same every five seconds.
            logger.warning("%s is not judged: %s", symbol, error)
            quiet.append(symbol)
        meanwhile()
    _decided(quiet, due, context)


def judge(
    symbol: str, bar_at: datetime, *, bot: Bot, context: Context, meanwhile: Callable[[], None] = lambda: None
) -> bool:
    """Judge one bar of one symbol; whoever else judges the same bar at the same time changes nothing.

    True: the bar is there and holds no setup, so nothing was written.
    """
    market = context.markets.get(symbol)
    if market is None:
        raise UnknownSymbol(symbol, sorted(context.markets))
    params, strategies = context.params, context.ports.strategies
    limit = decision.history_bars(params, strategies)
    candles = context.ports.market_data.candles(symbol, params.timeframe, now=context.now, limit=limit)
    if not len(candles) or candles.opened_at(len(candles) - 1) != bar_at:
        return False
    found = decision.find_setup(
        candles,
        strategies=strategies,
        params=params,
        market=market,
        leader=lambda: leader_bars(symbol, limit, context),
    )
    if found is None:
        return True
    setup, verdicts = found
    sound = quality.verdict(candles, venue=context.ports.venue, now=context.now)
    by_bars = (sound, *verdicts)
    counsel = _counsel(setup, by_bars, candles, bot=bot, context=context)
    try:
        order = _decide(setup, by_bars, counsel, bot=bot, context=context)
    except IntegrityError:
        if not Signal.objects.filter(symbol=symbol, timeframe=params.timeframe, bar_at=bar_at).exists():
            # Another key was broken than the bar's: that is no lost race for the bar, and must not look like one.
            raise
        logger.info("%s %s was decided by another process", symbol, bar_at)
        return False
    if order is not None:
        meanwhile()
        send(order, context)
    return False


def leader_bars(symbol: str, limit: int, context: Context) -> Candles | None:
    """Return BTC's bars of the same time; None where the source has none, and what asks for them refuses."""
    try:
        return context.ports.market_data.candles(
            bitcoin.leader_of(symbol), context.params.timeframe, now=context.now, limit=limit
        )
    except UnknownSymbol as error:
        logger.warning("%s is judged without BTC: %s", symbol, error)
        return None


def judged(
    setup: Setup,
    by_bars: tuple[Verdict, ...],
    counsel: Counsel,
    *,
    bot: Bot,
    context: Context,
    is_proposed: bool = False,
) -> Decision:
    """Return what the rules, the account now and the advisers make of a setup; `by_bars` are its filters' verdicts."""
    ticker, params = context.tickers.get(setup.symbol), context.params
    account = accounts.snapshot(bot, context, symbol=setup.symbol)
    made = decision.decide(
        setup,
        # A lock may come or go while a signal waits for advice.
        (*pair_locks.verdicts(setup.symbol, now=context.moment()), *by_bars),
        price=ticker.price if ticker else setup.price,
        price_at=ticker.at if ticker else setup.bar_at,
        account=account,
        params=params,
        market=context.markets[setup.symbol],
    )
    case = advising.Case(
        params=params,
        score=setup.score,
        score_min=params.score_min(setup.regime),
        losses_in_a_row=account.record.losses_in_row,
        bypassed=counsel.bypassed,
        is_proposed=is_proposed,
    )
    return decision.advised(made, advising.verdicts(counsel.asked, counsel.advices, case))


def enter(signal: Signal, plan: Plan, bot: Bot, context: Context) -> Order:
    """Write trade and entry order of a signal that is taken; call it inside the transaction that decides."""
    trade = _write_trade(signal, plan, bot, context)
    return execution.record(
        trade,
        role=OrderRole.ENTRY,
        reason=signal.strategy,
        quantity=plan.quantity,
        price=plan.entry if trade.is_entering else None,
        now=context.now,
    )


def send(order: Order, context: Context) -> None:
    """Send an entry that was recorded, and protect what it fills."""
    execution.drive(order, context)
    protection.ensure(order.trade, context)


def _counsel(setup: Setup, by_bars: tuple[Verdict, ...], candles: Candles, *, bot: Bot, context: Context) -> Counsel:
    """Ask the advisers; what the rules refuse is not worth their time."""
    if not advisers.advisers(context) or judged(setup, by_bars, NOBODY, bot=bot, context=context).plan is None:
        return NOBODY
    return advisers.counsel(setup, candles, bot, context)


def _decide(
    setup: Setup, by_bars: tuple[Verdict, ...], counsel: Counsel, *, bot: Bot, context: Context
) -> Order | None:
    """Write signal, verdicts and, where nothing refuses, trade and entry order: all of it or nothing.

    Where an adviser outside the tick is still to be heard, the signal is written as one that waits.
    """
    with transaction.atomic():
        lease.check(context.lease)
        made = judged(setup, by_bars, counsel, bot=bot, context=context)
        _decided([setup.symbol], setup.bar_at, context)
        due_at = _due_at(setup, context) if counsel.is_wanted and made.plan else None
        if due_at and counsel.awaited:
            _write_waiting(setup, by_bars, counsel, due_at, context)
            return None
        signal = write_signal(setup, made, counsel, due_at=due_at, context=context)
        return enter(signal, made.plan, bot, context) if made.plan else None


def _due_at(setup: Setup, context: Context) -> datetime:
    """Return until when a setup waits for advice: at most until it is too old to be entered."""
    bar, now = timeframes.length(setup.timeframe), context.moment()
    oldest = setup.bar_at + bar + context.params.entry_deadline * bar
    return max(now, min(now + timedelta(seconds=context.params.ai_patience_s), oldest))


def _decided(symbols: list[str], bar_at: datetime, context: Context) -> None:
    timeframe = context.params.timeframe
    rows: list[dict[str, hot_sql.Value]] = [
        {"symbol": symbol, "timeframe": timeframe, "bar_at": bar_at} for symbol in symbols
    ]
    hot_sql.upsert("trading_watermark", rows, key=["symbol", "timeframe"])


def write_signal(
    setup: Setup, made: Decision, counsel: Counsel, *, due_at: datetime | None, context: Context
) -> Signal:
    """Write a decided signal with its verdicts and what was advised, and tell of it."""
    columns = {"status": _status(made), "refused_by": made.refused_by, "reason": made.reason}
    signal = Signal.objects.create(**_columns(setup, context), **columns, advice_due_at=due_at)
    advisers.write(signal, counsel.advices, now=context.now)
    _write_verdicts(signal, made.verdicts)
    _tell(signal, "taken" if made.plan else f"refused: {made.reason}", context)
    if due_at:
        _ask_outside(context)
    return signal


def _write_waiting(
    setup: Setup, by_bars: tuple[Verdict, ...], counsel: Counsel, due_at: datetime, context: Context
) -> None:
    """Write a signal that waits; its filters' verdicts stand already, for its bar has closed."""
    signal = Signal.objects.create(
        **_columns(setup, context), status=SignalStatus.AWAITING, reason="waits for advice", advice_due_at=due_at
    )
    advisers.write(signal, counsel.advices, now=context.now)
    _write_verdicts(signal, by_bars)
    _tell(signal, "waits for advice", context)
    _ask_outside(context)


def conclude(signal: Signal, made: Decision, context: Context) -> None:
    """Write what became of a signal that waited, after the verdicts that stand already."""
    signal.status, signal.refused_by, signal.reason = _status(made), made.refused_by, made.reason
    signal.decided_at = context.now
    signal.save(update_fields=["status", "refused_by", "reason", "decided_at"])
    known = set(signal.verdicts.values_list("name", flat=True))
    _write_verdicts(signal, tuple(each for each in made.verdicts if each.name not in known), after=len(known))
    _tell(signal, "taken" if made.plan else f"refused: {made.reason}", context)


def _columns(setup: Setup, context: Context) -> dict[str, Any]:
    return {
        "symbol": setup.symbol,
        "timeframe": setup.timeframe,
        "bar_at": setup.bar_at,
        "strategy": setup.strategy,
        "side": setup.side,
        "price": setup.price,
        "atr": setup.atr,
        "regime": setup.regime,
        "score": _finite(setup.score),
        "indicators": {name: _finite(value) for name, value in setup.indicators.items()},
        "decided_at": context.now,
        "revision_id": context.revision_id,
        "code_version": context.ports.code_version,
    }


def _write_verdicts(signal: Signal, verdicts: tuple[Verdict, ...], *, after: int = 0) -> None:
    SignalVerdict.objects.bulk_create(
        SignalVerdict(
            signal=signal,
            position=position,
            name=verdict.name,
            passed=verdict.passed,
            value=_finite(verdict.value),
            limit=_finite(verdict.limit),
            reason=verdict.reason,
        )
        for position, verdict in enumerate(verdicts, after + 1)
    )


def _tell(signal: Signal, what: str, context: Context) -> None:
    grade = scoring.label(signal.score) if signal.score is not None else "unscored"
    events.emit(
        "signal",
        at=context.now,
        symbol=signal.symbol,
        text=f"{grade} {signal.strategy} {signal.side} setup in {signal.symbol} {what}",
        payload={"signal": signal.pk, "status": signal.status, "refused_by": signal.refused_by},
    )


def _ask_outside(context: Context) -> None:
    events.announce(events.ADVICE_WANTED, at=context.now)


def _status(made: Decision) -> SignalStatus:
    if made.plan is not None:
        return SignalStatus.TAKEN
    return SignalStatus.EXPIRED if made.refused_by in STALE else SignalStatus.REFUSED


def _write_trade(signal: Signal, plan: Plan, bot: Bot, context: Context) -> Trade:
    entry, stop = float(plan.entry), float(plan.stop)
    rules = position.exit_rules(
        side=plan.side, entry=entry, stop=stop, params=context.params, market=context.markets[plan.symbol]
    )
    return Trade.objects.create(
        signal=signal,
        revision_id=context.revision_id,
        mode=context.ports.broker.mode,
        symbol=plan.symbol,
        side=plan.side,
        created_at=context.now,
        planned_quantity=plan.quantity,
        planned_entry=plan.entry,
        equity_at_entry=stored(bot.equity),
        risk_fraction=plan.risk_fraction,
        risk_factors=dict(plan.factors),
        rules=exits.rules_as_json(rules),
        first_stop=stop,
        stop=stop,
        best=entry,
        worst=entry,
        # The position lives from the bar in which it was entered; that bar is the first one it sees.
        last_bar_at=timeframes.last_closed(context.now, signal.timeframe),
        is_entering=context.params.entry_order == "limit",
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
