"""A backtest put together: stored candles, the kernel, a report; the arguments and the schema are those of `replay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from django.conf import settings

from trading import wiring
from trading.core import indicators, timeframes
from trading.core.slippage import Slippage
from trading.replay import market_of, stretch
from trading.research import backtest, performance
from trading.research.performance import Stretch
from trading.research.universe import Universe
from trading.services import scanning


class NoScans(ValueError):
    """No scan is kept of the time that is to be traded."""


class TooFewBars(ValueError):
    """No series is long enough for a single decision."""


def run(
    *,
    symbols: Sequence[str],
    timeframe: str,
    start: datetime | None,
    end: datetime | None,
    values: Mapping[str, Any],
    seed: int | None,
    exchange: str,
    top: int | None = None,
) -> dict[str, Any]:
    """Backtest stored candles and return the report.

    `top` trades at each bar only so many pairs, those that the scans of the time ranked best. Raises what replay.run
    does, TooFewBars, NotModelled, TooCoarse and NoScans.
    """
    asked = stretch(symbols=symbols, timeframe=timeframe, start=start, end=end, values=values, exchange=exchange)
    return over(asked, seed=seed, universe=scanned(asked, top=top) if top is not None else None)


def scanned(asked: Stretch, *, top: int) -> Universe:
    """Return the best pairs as they were known at each moment of a stretch; raises NoScans."""
    known = scanning.lists(start=asked.first, end=asked.last, count=top)
    if not known:
        raise NoScans(f"no scan is kept of before {asked.last:%Y-%m-%d %H:%M}: scans are kept for 90 days")
    moments = np.array([timeframes.to_ms(at) for at, _ in known], dtype=np.int64)
    return Universe(moments=moments, lists=[frozenset(symbols) for _, symbols in known])


def over(asked: Stretch, *, seed: int | None, universe: Universe | None = None) -> dict[str, Any]:
    """Backtest a stretch that is in memory and return the report."""
    refuse_short(asked)
    result = backtest.run(
        asked.series,
        market_of(asked).markets(),
        params=asked.params,
        strategies=wiring.strategy_list(),
        slippage=Slippage(fraction=asked.params.slippage, seed=seed),
        balance=Decimal(settings.PAPER_BALANCE),
        start=asked.first,
        end=asked.last,
        universe=universe,
    )
    return performance.report(result, asked)


def refuse_short(asked: Stretch) -> None:
    """Raise TooFewBars where no series is longer than the warm-up."""
    needed, longest = indicators.warmup_bars(asked.params), max(len(candles) for candles in asked.series.values())
    if longest <= needed:
        raise TooFewBars(f"{longest} bars are too few: the indicators need {needed} before the first decision")
