"""The kernel alone, for one symbol and many points: entries and stop distances are given, every position has one size.

What does not depend on the point is made once; the points run on threads, since the kernel needs no interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from trading.core import position, sizing
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.position import ExitPlan
from trading.core.sizing import RiskRules
from trading.core.strategies import Sides
from trading.core.types import Market
from trading.research import kernel, records
from trading.research.backtest import limits_of
from trading.research.inputs import Bars, Grids, Series, Setups, bars_of, grids_of
from trading.research.money import LARGEST, UNIT

BALANCE = LARGEST // 1_000
"""Units with which every point begins: more than positions of one size can lose."""
Point = TypeVar("Point")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all points share."""

    bars: Bars
    grids: Grids
    limits: records.Limits
    plan: ExitPlan
    risk: RiskRules
    slips: Floats
    close: Floats


class Score(NamedTuple):
    """What a point made: trades, and the balance it gained in quote, fees paid."""

    trades: int
    gained: float


def ground(candles: Candles, market: Market, *, params: Params, notional: float) -> Ground:
    """Return what all points share: exits of `params`, positions of `notional` quote, one at a time, no guard."""
    listed = [Series(candles=candles, market=market)]
    first, last = candles.closed_at(0), candles.closed_at(len(candles) - 1)
    limits = limits_of(params, start=first, end=last, fixed_notional=notional)
    # A setup names its own distance; no guard but one position at a time.
    limits = limits._replace(stop_atr=1.0, max_open_trades=1, max_open_risk=np.inf, max_leverage=np.inf)
    limits = limits._replace(daily_loss=np.inf, weekly_loss=np.inf, cooldown_minutes=0.0, max_cluster_risk=1.0)
    return Ground(
        bars=bars_of(listed, limits.start_ms),
        grids=grids_of(listed, params),
        limits=limits,
        plan=position.exit_plan(params),
        risk=sizing.risk_rules(params),
        slips=np.full((1, 1), params.slippage),
        close=candles.close,
    )


def entries(on: Ground, sides: Sides, distance: Floats) -> Setups:
    """Return the setups of each bar's side; `distance` is from entry to stop, quote per base, at each bar."""
    bars: Ints = np.flatnonzero(sides)
    zeros = np.zeros(len(bars), dtype=np.int64)
    return Setups(bars, zeros, bars, sides[bars].astype(np.int64), zeros, distance[bars], on.close[bars], zeros, zeros)


def trade(on: Ground, setups: Setups) -> records.Records:
    """Run the kernel over one point's setups; the last bar's, which has no next open, must not be among them."""
    written = records.empty(setups=len(setups.tick), candidates=len(setups.tick), symbols=1, balance=BALANCE)
    scratch = np.zeros((2 * position.MAX_EXITS, 3))
    none = np.empty(0, dtype=np.int64)
    kernel.run(on.bars, setups, on.grids, on.plan, on.risk, on.limits, on.slips, none, written, scratch)
    return written


def scores(on: Ground, points: Sequence[Point], find: Callable[[Point], Setups], *, workers: int = 2) -> list[Score]:
    """Return each point's score, in order; `find` makes its setups."""

    def score(point: Point) -> Score:
        account = trade(on, find(point)).account
        return Score(int(account[records.TRADES]), float(account[records.BALANCE] - BALANCE) / UNIT)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(score, points))
