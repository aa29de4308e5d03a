"""Judges closed bars: a setup becomes a signal with all its verdicts, and a trade where nothing refuses."""

from __future__ import annotations

import logging
import math
from datetime import datetime

from django.db import IntegrityError, transaction

from trading import events
from trading.core import decision, position, scoring, timeframes
from trading.core.decision import Decision
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
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
from trading.services import accounts, execution, exits, hot_sql, protection
from trading.services.context import Context

logger = logging.getLogger(__name__)

STALE = ("setup_age", "price_age")
"""Refusals by the clock: the setup expired, it was not judged bad."""


def judge_due(bot: Bot, context: Context) -> None:
    """Judge the last closed bar of every watched pair that was not decided yet."""
    timeframe = context.params.timeframe
    due = timeframes.last_closed(context.now, timeframe)
    decided = dict(Watermark.objects.filter(timeframe=timeframe).values_list("symbol", "bar_at"))
    quiet = []
    for symbol in context.params.pairs:
        if decided.get(symbol) is not None and decided[symbol] >= due:
            continue
        try:
            if judge(symbol, due, bot=bot, context=context):
                quiet.append(symbol)
        except MarketDataUnavailable as error:
            logger.warning("%s is not judged now: %s", symbol, error)
        except UnknownSymbol as error:
            # Asking again before the next bar would only say the same every five seconds.
            logger.warning("%s is not judged: %s", symbol, error)
            quiet.append(symbol)
    _decided(quiet, due, context)


def judge(symbol: str, bar_at: datetime, *, bot: Bot, context: Context) -> bool:
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
    found = decision.find_setup(candles, strategies=strategies, params=params, market=market)
    if found is None:
        return True
    try:
        order = _decide(*found, bot=bot, context=context)
    except IntegrityError:
        if not Signal.objects.filter(symbol=symbol, timeframe=params.timeframe, bar_at=bar_at).exists():
            # Another key was broken than the bar's: that is no lost race for the bar, and must not look like one.
            raise
        logger.info("%s %s was decided by another process", symbol, bar_at)
        return False
    if order is not None:
        execution.drive(order, context)
        protection.ensure(order.trade, context)
    return False


def _decide(setup: Setup, filter_verdicts: tuple[Verdict, ...], *, bot: Bot, context: Context) -> Order | None:
    """Write signal, verdicts and, where nothing refuses, trade and entry order: all of it or nothing."""
    ticker = context.tickers.get(setup.symbol)
    with transaction.atomic():
        account = accounts.snapshot(bot, context)
        made = decision.decide(
            setup,
            filter_verdicts,
            price=ticker.price if ticker else setup.price,
            price_at=ticker.at if ticker else setup.bar_at,
            account=account,
            params=context.params,
            market=context.markets[setup.symbol],
        )
        signal = _write_signal(setup, made, context)
        _decided([setup.symbol], setup.bar_at, context)
        if made.plan is None:
            return None
        trade = _write_trade(signal, made.plan, bot, context)
        return execution.record(
            trade, role=OrderRole.ENTRY, reason=setup.strategy, quantity=made.plan.quantity, now=context.now
        )


def _decided(symbols: list[str], bar_at: datetime, context: Context) -> None:
    timeframe = context.params.timeframe
    rows: list[dict[str, hot_sql.Value]] = [
        {"symbol": symbol, "timeframe": timeframe, "bar_at": bar_at} for symbol in symbols
    ]
    hot_sql.upsert("trading_watermark", rows, key=["symbol", "timeframe"])


def _write_signal(setup: Setup, made: Decision, context: Context) -> Signal:
    signal = Signal.objects.create(
        symbol=setup.symbol,
        timeframe=setup.timeframe,
        bar_at=setup.bar_at,
        strategy=setup.strategy,
        side=setup.side,
        status=_status(made),
        refused_by=made.refused_by,
        reason=made.reason,
        price=setup.price,
        atr=setup.atr,
        regime=setup.regime,
        score=_finite(setup.score),
        indicators={name: _finite(value) for name, value in setup.indicators.items()},
        decided_at=context.now,
        revision_id=context.revision_id,
        code_version=context.ports.code_version,
    )
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
        for position, verdict in enumerate(made.verdicts, 1)
    )
    what = "taken" if made.plan else f"refused: {made.reason}"
    grade = scoring.label(setup.score) if math.isfinite(setup.score) else "unscored"
    events.emit(
        "signal",
        at=context.now,
        symbol=setup.symbol,
        text=f"{grade} {setup.strategy} {setup.side} setup in {setup.symbol} {what}",
        payload={"signal": signal.pk, "status": signal.status, "refused_by": made.refused_by},
    )
    return signal


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
        # The position lives from the bar in which it was entered; that bar is the first one it sees.
        last_bar_at=timeframes.last_closed(context.now, signal.timeframe),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
