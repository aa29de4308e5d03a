"""What else could have come of the same edge: trades in another order, days drawn anew, prices a little different."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trading.core.candles import Candles, Floats
from trading.core.types import Market
from trading.research import metrics

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure as it was, and over all draws: its median and the interval of the confidence asked for."""

    actual: float | None
    median: float | None
    low: float | None
    high: float | None
    draws: int
    """Draws in which the figure has a value."""


def spread(actual: float | None, drawn: Floats, *, confidence: float = CONFIDENCE) -> Spread:
    """Return the spread of the drawn values that are numbers."""
    known = drawn[np.isfinite(drawn)]
    found = metrics.interval(known, confidence=confidence)
    return Spread(
        actual=actual,
        median=float(np.median(known)) if len(known) else None,
        low=found[0] if found else None,
        high=found[1] if found else None,
        draws=len(known),
    )


def shuffled_drawdowns(results: Floats, *, balance: float, draws: int, rng: np.random.Generator) -> Floats:
    """Return the deepest drawdown, a fraction of the peak, of each of many orders of the same results (quote)."""
    order = rng.permuted(np.tile(results, (draws, 1)), axis=1)
    worth = np.concatenate([np.full((draws, 1), balance), balance + np.cumsum(order, axis=1)], axis=1)
    return deepest(worth)


def deepest(worth: Floats) -> Floats:
    """Return the deepest fall from a peak of each row, a fraction; 1.0 and more where nothing was left."""
    peak = np.maximum.accumulate(worth, axis=1)
    return np.asarray(((peak - worth) / peak).max(axis=1))


def blocks(returns: Floats, *, length: int, draws: int, rng: np.random.Generator) -> Floats:
    """Return rows as long as `returns` of blocks that follow each other in it (moving block bootstrap, Kunsch, 1989)."""
    count = len(returns)
    length = max(1, min(length, count))
    starts = rng.integers(0, count - length + 1, (draws, -(-count // length)))
    places = (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :count]
    return np.asarray(returns[places])


def usual_length(count: int) -> int:
    """Return the length of a block for so many returns: their cube root (Hall, Horowitz and Jing, 1995)."""
    return max(1, round(math.cbrt(count)))


def figures(returns: Floats) -> Mapping[str, Floats]:
    """Return return, annual Sharpe ratio and deepest drawdown of each row of returns; NaN where there is none."""
    worth = np.cumprod(np.concatenate([np.ones((len(returns), 1)), 1.0 + returns], axis=1), axis=1)
    deviation = returns.std(axis=1, ddof=1)
    moved = deviation > 1e-12
    ratio = returns.mean(axis=1) / np.where(moved, deviation, 1.0) * math.sqrt(metrics.PERIODS)
    return {
        "return_fraction": worth[:, -1] - 1.0,
        "sharpe": np.where(moved, ratio, np.nan),
        "drawdown_fraction": deepest(worth),
    }


def noisy(candles: Candles, market: Market, *, scale: float, rng: np.random.Generator) -> Candles:
    """Return the bars with every price moved at random, on the market's grid.

    A move's deviation is `scale` times the median of high less low, so 0.1 is a tenth of a usual bar. A bar's close
    and the next one's open move together, and no bar contradicts itself.
    """
    size = scale * float(np.median(np.log(candles.high / candles.low)))
    moves = rng.normal(0.0, size, (3, len(candles)))
    closing, upper, lower = np.exp(moves)
    opening = np.r_[np.exp(rng.normal(0.0, size)), closing[:-1]]
    numerator, denominator = market.price_grid

    def on_grid(prices: Floats) -> Floats:
        steps = np.maximum(np.floor(prices * denominator / numerator + 0.5), 1.0)
        return np.asarray(steps * numerator / denominator)

    open_, close = on_grid(candles.open * opening), on_grid(candles.close * closing)
    high, low = on_grid(candles.high * upper), on_grid(candles.low * lower)
    return Candles(
        symbol=candles.symbol,
        timeframe=candles.timeframe,
        opened=candles.opened,
        open=open_,
        high=np.maximum.reduce([open_, high, low, close]),
        low=np.minimum.reduce([open_, high, low, close]),
        close=close,
        volume=candles.volume,
    )


def collected(rows: Sequence[Mapping[str, float | None]], name: str) -> Floats:
    """Return one figure of many trials; NaN where it had no value."""
    return np.array([math.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
