"""What each setup would have made if it alone had been followed: the same plan, levels and costs, whatever else was open.

A backtest takes few of the setups it finds, for one account has room for few; each of them teaches all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trading.core import position
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.position import MAX_EXITS, ExitPlan, Position, advance, rules_at
from trading.core.types import Market

_TIME = int(position.ExitReason.TIME)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """By setup: what it made in R after costs (NaN: it did not end, or there was no plan), and the bar it ended on."""

    r: Floats
    bar: Ints


def follow(
    candles: Candles, market: Market, params: Params, *, bars: Ints, sides: NDArray[np.int8], atr: Floats
) -> Outcomes:
    """Enter each setup at the open after its bar, and follow it until nothing is left of it."""
    r, ended = np.full(len(bars), np.nan), np.full(len(bars), -1, dtype=np.int64)
    _follow(
        candles.open,
        candles.high,
        candles.low,
        np.asarray(bars, dtype=np.int64),
        np.asarray(sides, dtype=np.int64),
        np.asarray(atr, dtype=np.float64),
        position.exit_plan(params),
        position.cost_fraction(params, market),
        float(market.fee_rate),
        params.slippage,
        params.stop_atr,
        *market.price_grid,
        r,
        ended,
        np.zeros((MAX_EXITS, 3)),
    )
    return Outcomes(r=r, bar=ended)


@njit(cache=True)
def _follow(
    open: Floats,
    high: Floats,
    low: Floats,
    bars: Ints,
    sides: Ints,
    atr: Floats,
    plan: ExitPlan,
    costs: float,
    fee: float,
    slippage: float,
    stop_atr: float,
    numerator: float,
    denominator: float,
    r: Floats,
    ended: Ints,
    exits: Floats,
) -> None:
    for number in range(len(bars)):
        side, bar = sides[number], bars[number] + 1
        if bar >= len(open):
            continue
        entry = _rounded(open[bar] * (1.0 + side * slippage), numerator, denominator)
        stop = _rounded(entry - side * stop_atr * atr[number], numerator, denominator)
        if not (entry > 0.0 and stop > 0.0 and stop != entry):
            continue
        rules = rules_at(side, entry, stop, plan, costs, numerator, denominator)
        held = Position(side, entry, stop, 0, 1.0, 0, entry, 0)
        made = -fee * entry
        while bar < len(open) and held.remaining > 0.0:
            held, count = advance(held, rules, open[bar], high[bar], low[bar], exits)
            for row in range(count):
                price = exits[row, 2]
                if int(exits[row, 0]) == _TIME:  # the clock sends a market order
                    price = _rounded(price * (1.0 - side * slippage), numerator, denominator)
                made += exits[row, 1] * (side * (price - entry) - fee * price)
            bar += 1
        if held.remaining <= 0.0:
            r[number], ended[number] = made / abs(entry - stop), bar - 1


@njit(cache=True)
def _rounded(price: float, numerator: float, denominator: float) -> float:
    return float(np.floor(price * denominator / numerator + 0.5) * numerator / denominator)
