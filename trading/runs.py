"""Runs put together: who reads the candles, which engine tests them, and what becomes of the result.

`work` is what the research worker does every few seconds; all of it may be done twice, or by several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from trading import backtest, past, replay, sharing, studies
from trading.adapters.candle_store import CandleStoreError
from trading.core import timeframes
from trading.core.param_spec import ParamsError
from trading.core.ports import MarketDataUnavailable
from trading.core.strategies import StrategyError
from trading.core.timeframes import UnknownTimeframe
from trading.models import RunKind
from trading.research import fingerprint, judgement
from trading.research.backtest import NotModelled
from trading.research.inputs import TooCoarse
from trading.research.judgement import Margins
from trading.research.performance import Stretch
from trading.research.search import SearchError
from trading.services import backtesting, gate, lease, parts
from trading.services.backtesting import Work
from trading.sharing import PartFailed, Tell

MISTAKES: dict[type[BaseException], str] = {
    **dict.fromkeys(
        (
            *(CandleStoreError, ParamsError, StrategyError, UnknownTimeframe, MarketDataUnavailable),
            *(replay.NothingToReplay, backtest.TooFewBars, backtest.NoScans, NotModelled, TooCoarse),
            *(past.NothingToCompare, SearchError),
            *(backtesting.ResultNotStored, PartFailed),
        ),
        "",
    ),
    SoftTimeLimitExceeded: "it took longer than a run may: ask for fewer bars or symbols",
    OperationalError: "the database did not take a step of it: make room where its disk is full, and ask again",
    OSError: "a file could not be read or written: make room where the disk is full, and ask again",
    MemoryError: "there was not memory enough: ask for fewer bars or symbols",
}
"""What a person can put right, and the sentence where the error has none of its own."""


def work(*, tell: Tell = lambda pk, count: None) -> bool:
    """Do one run that waits or whose worker was lost, or else help with one; return whether there was one.

    What waits for runs is settled. `tell` calls for help with a run that was cut into parts.
    """
    held = backtesting.claim(owner=lease.process_name(), clock=timezone.now)
    if held is not None:
        perform(held, tell=tell)
    gate.settle(margins=margins(), now=timezone.now())
    if held is not None:
        return True
    wanting = parts.runs_that_want_help(now=timezone.now())
    return bool(wanting) and help_with(wanting[0]) > 0


def help_with(pk: int, *, number: int = 0) -> int:
    """Do parts of a run that another worker owns, that `number` first, and return how many."""
    return sharing.help_with(pk, number=number, mistakes=MISTAKES)


def perform(held: Work, *, tell: Tell = lambda pk, count: None) -> None:
    """Make the result of a run that this process has claimed."""
    with held.explained(MISTAKES):
        result, data_hash = _maker(RunKind(held.run.kind), tell)(held)
        held.finish(result, data_hash=data_hash, code_version=settings.CODE_VERSION)


def _maker(kind: RunKind, tell: Tell) -> Callable[[Work], tuple[dict[str, Any], str]]:
    known: dict[RunKind, Callable[[Work], tuple[dict[str, Any], str]]] = {
        RunKind.BACKTEST: _test,
        RunKind.COMPARISON: _compare,
        RunKind.PARITY: studies.parity,
    }
    return known.get(kind) or partial(studies.study, tell=tell)


def margins() -> Margins:
    """Return what the settings let a draft be worse."""
    return Margins(
        profit_factor=settings.GATE_PROFIT_FACTOR_HUNDREDTHS / 100,
        sharpe=settings.GATE_SHARPE_HUNDREDTHS / 100,
        drawdown=settings.GATE_DRAWDOWN_PERCENT / 100,
        parts=settings.GATE_DRAWDOWN_PERCENT / 100,
        min_trades=settings.GATE_TRADES,
    )


def _test(held: Work) -> tuple[dict[str, Any], str]:
    asked = past.asked_for(held)
    top = (held.run.plan or {}).get("top")
    universe = backtest.scanned(asked, top=top) if top else None
    those = f", of which the scans' best {top} of each moment are traded" if top else ""
    held.step(30, f"testing {_size(asked)} bars of {len(asked.series)} symbols{those}")
    report = backtest.over(asked, seed=held.run.seed, universe=universe)
    held.step(95, f"{report['taken']} trades")
    return report, fingerprint.of(asked.series)


def _compare(held: Work) -> tuple[dict[str, Any], str]:
    """Return the figures of both sides over the same time, each on its own symbols and timeframe."""
    run = held.run
    sides = {"active": past.known(run.against or {}), "candidate": past.known(run.parameters)}
    end = run.end_at or run.requested_at
    span = min(timeframes.length(params.timeframe) for params in sides.values())
    start = end - min(settings.GATE_BARS * span, past.LONGEST)
    # Both sides mostly ask for the same bars.
    read = cache(past.reader())
    asked = {}
    for number, (name, params) in enumerate(sides.items()):
        held.step(5 + 20 * number, f"reading candles of {len(params.pairs)} symbols, {name}")
        asked[name] = past.stretch(held, params, start, end, read)
    # Both begin when the later one can.
    first = max(stretch.first for stretch in asked.values())
    made: dict[str, Any] = {}
    for number, (name, stretch) in enumerate(asked.items()):
        held.step(45 + 25 * number, f"testing {name}: {_size(stretch)} bars of {len(stretch.series)} symbols")
        made[name] = judgement.figures(backtest.over(replace(stretch, first=first), seed=None))
    last = min(stretch.last for stretch in asked.values())
    whole = {f"{name} {symbol}": each for name, stretch in asked.items() for symbol, each in stretch.series.items()}
    bars = {"bars": _size(asked["candidate"]), "symbols": list(asked["candidate"].series)}
    return {**made, **bars, "from": first.isoformat(), "to": last.isoformat()}, fingerprint.of(whole)


def _size(stretch: Stretch) -> int:
    return sum(len(candles) for candles in stretch.series.values())
