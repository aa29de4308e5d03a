"""What was really decided and traded, against what the stored inputs give: every signal computed again, every trade's fill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
from django.conf import settings

from trading import market_wiring, past, wiring
from trading.core import bitcoin, decision, timeframes
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.strategies import first_entries
from trading.core.types import Market, Setup, Side, Verdict
from trading.models import EquityPoint, ParameterRevision, Signal, Trade
from trading.research import audit
from trading.research.audit import Cause, Recorded, Row
from trading.services import parameters, watching


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One trade's entry: `slippage_fraction` is how much worse it filled than planned, the assumed part included in the plan."""

    trade: int
    symbol: str
    side: str
    planned: str
    filled: str
    slippage_fraction: float
    exit_reason: str
    pnl: str


def decisions(*, since: datetime, now: datetime) -> list[Row]:
    """Compute every decision from `since` on again, find the bars that nobody decided, and return all by time.

    Raises MarketDataUnavailable where the venue's rules are needed and it does not answer.
    """
    read = cache(past.reader())
    markets = market_wiring.market_data().markets()
    signals = Signal.objects.filter(decided_at__gte=since).select_related("revision").prefetch_related("verdicts")
    rows = [_again(signal, read, markets, now) for signal in signals.order_by("pk")]
    rows += _missed(since, now, read, markets)
    return sorted(rows, key=lambda row: (row.bar_at, row.symbol))


def one(pk: int, *, now: datetime) -> Row | None:
    """Compute one decision again; None where there is no such signal. Raises MarketDataUnavailable as `decisions` does."""
    signals = Signal.objects.filter(pk=pk).select_related("revision").prefetch_related("verdicts")
    signal = signals.first()
    return _again(signal, past.reader(), market_wiring.market_data().markets(), now) if signal else None


def fills(*, since: datetime) -> list[FillRow]:
    """Return the entries that were filled from `since` on, oldest first."""
    trades = Trade.objects.filter(opened_at__gte=since, quantity__gt=0).order_by("pk")
    return [
        FillRow(
            trade=trade.pk,
            symbol=trade.symbol,
            side=trade.side,
            planned=f"{trade.planned_entry.normalize():f}",
            filled=f"{trade.entry_price.normalize():f}",
            slippage_fraction=trade.sign * (float(trade.entry_price / trade.planned_entry) - 1.0),
            exit_reason=trade.exit_reason,
            pnl=f"{trade.pnl.normalize():f}",
        )
        for trade in trades
    ]


def _again(signal: Signal, read: past.Read, markets: Mapping[str, Market], now: datetime) -> Row:
    params = parameters.params_of(signal.revision)
    candles = _history(signal.symbol, signal.timeframe, signal.bar_at, params, read)
    found, close = None, None
    market = markets.get(signal.symbol)
    if candles is not None and candles.opened_at(len(candles) - 1) == signal.bar_at:
        close = float(candles.close[-1])
        side = Side(signal.side) if signal.strategy == decision.PROPOSED else None
        found = _setup(candles, params, market, read, proposed=side) if market else None
    enough = candles is not None and market is not None and _is_enough(candles, params)
    cause, text = audit.explain(
        _recorded(signal), found, close=close, enough=enough, code_version=settings.CODE_VERSION
    )
    return Row(
        symbol=signal.symbol,
        timeframe=signal.timeframe,
        bar_at=signal.bar_at,
        side=signal.side,
        status=signal.status,
        cause=cause,
        text=text,
    )


def _missed(since: datetime, now: datetime, read: past.Read, markets: Mapping[str, Market]) -> Iterator[Row]:
    """Yield the setups of bars that closed while a revision was in force and that have no signal."""
    first = EquityPoint.objects.order_by("at").values_list("at", flat=True).first()
    if first is None:
        return
    decided = defaultdict(set)
    for symbol, timeframe, bar_at in Signal.objects.filter(decided_at__gte=since).values_list(
        "symbol", "timeframe", "bar_at"
    ):
        decided[symbol, timeframe].add(bar_at)
    for revision, begin, end in _reigns(max(since, first), now):
        params = parameters.params_of(revision)
        for symbol in watching.symbols_between(begin, end, params):
            if (market := markets.get(symbol)) is None:
                continue
            for setup in _setups(symbol, params, market, begin, end, read):
                closed_at = setup.bar_at + timeframes.length(setup.timeframe)
                is_watched = symbol in watching.symbols_at(closed_at, params)
                if is_watched and setup.bar_at not in decided[symbol, params.timeframe]:
                    yield _missed_row(setup)


def _missed_row(setup: Setup) -> Row:
    closed = setup.bar_at + timeframes.length(setup.timeframe)
    due = EquityPoint.objects.filter(at__gte=closed, at__lt=closed + timeframes.length(setup.timeframe))
    ticked = due.exists()
    text = "the bar came too late to be decided" if ticked else "no tick ran while the bar could be decided"
    return Row(
        symbol=setup.symbol,
        timeframe=setup.timeframe,
        bar_at=setup.bar_at,
        side=setup.side,
        status="missed",
        cause=Cause.LATE_DATA if ticked else Cause.MISSED_BAR,
        text=text,
    )


def _reigns(since: datetime, now: datetime) -> Iterator[tuple[ParameterRevision, datetime, datetime]]:
    """Yield each revision with the time from `since` to `now` in which it was in force."""
    revisions: Sequence[ParameterRevision] = list(ParameterRevision.objects.order_by("number"))
    ends = [*(revision.created_at for revision in revisions[1:]), now]
    for revision, end in zip(revisions, ends, strict=True):
        begin = max(since, revision.created_at)
        if begin < end:
            yield revision, begin, end


def _setups(
    symbol: str, params: Params, market: Market, begin: datetime, end: datetime, read: past.Read
) -> Iterator[Setup]:
    """Yield the setups of the bars that closed in (begin, end], each as the tick would have seen it.

    The newest bar is left out: it may still be decided.
    """
    span = timeframes.length(params.timeframe)
    needed = decision.history_bars(params, wiring.strategy_list())
    start = timeframes.bar_open(begin, params.timeframe) - needed * span
    candles = read(symbol, params.timeframe, start, timeframes.bar_open(end, params.timeframe) - span)
    if candles is None or not len(candles):
        return
    sides, _ = first_entries(wiring.strategy_list(), candles, analyse(candles, params), params)
    for row in np.flatnonzero(sides).tolist():
        if candles.closed_at(row) <= begin or row + 1 < needed:
            continue
        found = _setup(candles.slice(0, row + 1).tail(needed), params, market, read)
        if found is not None:
            yield found[0]


def _history(symbol: str, timeframe: str, bar_at: datetime, params: Params, read: past.Read) -> Candles | None:
    """Return the bars that a tick would have loaded for this one, fewer where fewer are stored; None without any."""
    span = timeframes.length(timeframe)
    needed = decision.history_bars(params, wiring.strategy_list())
    found = read(symbol, timeframe, bar_at - (needed - 1) * span, bar_at + span)
    return found if found is not None and len(found) else None


def _is_enough(candles: Candles, params: Params) -> bool:
    return len(candles) >= decision.history_bars(params, wiring.strategy_list())


def _setup(
    candles: Candles, params: Params, market: Market, read: past.Read, *, proposed: Side | None = None
) -> tuple[Setup, tuple[Verdict, ...]] | None:
    """Return what the strategies find on the last bar, or the entry that was `proposed` on it."""
    first, last = candles.opened_at(0), candles.closed_at(len(candles) - 1)

    def leader() -> Candles | None:
        return read(bitcoin.leader_of(candles.symbol), candles.timeframe, first, last)

    if proposed is not None:
        return decision.proposed_setup(candles, side=proposed, params=params, market=market, leader=leader)
    return decision.find_setup(candles, strategies=wiring.strategy_list(), params=params, market=market, leader=leader)


def _recorded(signal: Signal) -> Recorded:
    return Recorded(
        strategy=signal.strategy,
        side=signal.side,
        price=signal.price,
        atr=signal.atr,
        regime=signal.regime,
        score=signal.score,
        indicators=signal.indicators,
        verdicts={verdict.name: (verdict.passed, verdict.value) for verdict in signal.verdicts.all()},
        refused_by=signal.refused_by,
        reason=signal.reason,
        code_version=signal.code_version,
    )
