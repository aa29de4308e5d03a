"""Whether the entries know anything: their result against as many entries at random moments, all else being equal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trading.core import indicators, timeframes
from trading.core.analysis import analyse
from trading.core.candles import Floats, Ints
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.research import backtest
from trading.research.backtest import Prepared
from trading.research.inputs import Setups
from trading.research.records import TRADES, Records
from trading.research.trials import Field, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Significance:
    """The mean result of a trade in R, after costs, and of the draws; `p` is how often chance does as well.

    `p` is (1 + draws at least as good) / (1 + draws) (Davison and Hinkley, 1997); None where nothing was traded.
    """

    actual: float | None
    median: float | None
    high: float | None
    """95 % of the draws are below it."""
    p: float | None
    trades: int
    draws: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ground:
    """A symbol's bars at which one could enter: their ticks, places, ATR and close."""

    tick: Ints
    bar: Ints
    atr: Floats
    price: Floats
    regime: NDArray[np.int8]


def significance(field: Field, *, draws: int, seed: int, progress: Progress) -> Significance:
    """Compare the field's entries, those that its filters let pass, with random ones.

    A draw has as many entries of each side on each symbol, at bars drawn without replacement out of all that
    have their warm-up behind them; exits, sizes, guards and costs are the same. Raises what backtest.prepare does.
    """
    stretch = field.stretch
    if stretch.params.max_cluster_risk < 1.0:
        raise backtest.NotModelled("random entries know no clusters of pairs: set max_cluster_risk to 1")
    prepared = backtest.prepare(
        stretch.series,
        field.markets,
        params=stretch.params,
        strategies=field.strategies,
        slippage=Slippage(fraction=stretch.params.slippage),
        start=stretch.first,
        end=stretch.last,
    )
    actual, trades = _mean_r(prepared, backtest.trade(prepared, field.balance)[0])
    if actual is None:
        return Significance(actual=None, median=None, high=None, p=None, trades=0, draws=0)
    grounds = _grounds(field, prepared)
    found = []
    for number in range(draws):
        setups = _random(prepared.setups, grounds, stretch.params, prepared, np.random.default_rng([seed, number]))
        drawn = replace(prepared, setups=setups)
        mean, _ = _mean_r(drawn, backtest.trade(drawn, field.balance)[0])
        found.append(mean if mean is not None else 0.0)  # who never trades earns nothing
        progress(number + 1, draws)
    values = np.array(found)
    return Significance(
        actual=actual,
        median=float(np.median(values)),
        high=float(np.quantile(values, 0.95)),
        p=(1 + int((values >= actual).sum())) / (1 + draws),
        trades=trades,
        draws=draws,
    )


def _grounds(field: Field, prepared: Prepared) -> list[_Ground]:
    found, limits = [], prepared.limits
    for candles in field.stretch.series.values():
        analysis = analyse(candles, field.stretch.params)
        span = timeframes.milliseconds(candles.timeframe)
        tick = (candles.opened + span - limits.start_ms) // span
        possible = (tick >= 0) & (tick < limits.ticks) & (analysis.atr > 0)
        possible &= np.arange(len(candles)) >= indicators.warmup_bars(field.stretch.params)
        possible[-1] = False  # it has no next open
        bar = np.flatnonzero(possible)
        found.append(
            _Ground(
                tick=tick[bar],
                bar=bar,
                atr=analysis.atr[bar],
                price=candles.close[bar],
                regime=analysis.regime[bar],
            )
        )
    return found


def _random(
    real: Setups, grounds: list[_Ground], params: Params, prepared: Prepared, rng: np.random.Generator
) -> Setups:
    """Return as many setups of each side by symbol as were found and let pass, at random bars."""
    parts: list[list[NDArray[np.generic]]] = []
    for symbol, ground in enumerate(grounds):
        own = (real.symbol == symbol) & (real.mask == 0)
        sides = rng.permutation(real.side[own])[: len(ground.bar)]
        place = rng.choice(len(ground.bar), len(sides), replace=False)
        zeros = np.zeros(len(sides), dtype=np.int64)
        row = [ground.tick[place], zeros + symbol, ground.bar[place], sides, zeros, ground.atr[place]]
        parts.append([*row, ground.price[place], zeros, ground.regime[place].astype(np.int64)])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    rank = np.array([params.pairs.index(market.symbol) for market in prepared.markets])[columns[1].astype(np.int64)]
    order = np.lexsort((rank, columns[0]))
    return Setups(*[column[order] for column in columns])


def _mean_r(prepared: Prepared, written: Records) -> tuple[float | None, int]:
    """Return the mean result of closed trades, over what the way to the first stop is worth, and their count."""
    count = int(written.account[TRADES])
    closed = written.closed_tick[:count] >= 0
    grids, symbol = prepared.grids, written.symbol[:count]
    gap = np.abs(written.entry_steps[:count] - written.stop_steps[:count])
    # A step of one lot is worth value_mul / value_div units of money.
    risked = gap * written.lots[:count] * (grids.value_mul[symbol] / grids.value_div[symbol])
    counted = closed & (risked > 0)
    if not counted.any():
        return None, 0
    earned = (written.gross - written.fees)[:count][counted]
    return float((earned / risked[counted]).mean()), int(counted.sum())
