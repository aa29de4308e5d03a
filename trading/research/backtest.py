"""A backtest from candles to a result: setups found once per symbol, the kernel over all of them, exact sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading.core import position, sizing, timeframes
from trading.core.candles import Candles, Ints
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Strategy
from trading.core.types import Market
from trading.research import exact, kernel, outcome, records
from trading.research.inputs import (
    Bars,
    Grids,
    Series,
    Setups,
    TooCoarse,
    allies_of,
    bars_of,
    grids_of,
    setups_of,
    slips_of,
)
from trading.research.judging import BIT_CLUSTER_RISK
from trading.research.money import LARGEST, UNIT
from trading.research.results import RunResult
from trading.research.universe import Universe

MAX_CORRECTIONS = 1_000
"""Runs after which sizes that keep changing are given up; each run settles at least one for good."""


class NotModelled(ValueError):
    """Parameters that ask for something a backtest cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything the kernel needs for one set of parameters; making it takes most of a backtest's time."""

    bars: Bars
    setups: Setups
    grids: Grids
    slips: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    limits: records.Limits
    params: Params
    markets: Sequence[Market]


def run(
    series: Mapping[str, Candles],
    markets: Mapping[str, Market],
    *,
    params: Params,
    strategies: Sequence[Strategy],
    slippage: Slippage,
    balance: Decimal,
    start: datetime,
    end: datetime,
    universe: Universe | None = None,
) -> RunResult:
    """Return what trading `series` from `start` to `end` would have made, to the last digit what the live tick makes.

    A `universe` limits entries to the pairs that were on the list known at the time.
    Raises NotModelled for entries by limit order, and TooCoarse for numbers that do not fit.
    """
    prepared = prepare(
        series,
        markets,
        params=params,
        strategies=strategies,
        slippage=slippage,
        start=start,
        end=end,
        universe=universe,
    )
    written, _ = trade(prepared, balance)
    unsure = _unsure_of_clusters(written, prepared)
    if len(unsure):
        listed = [Series(candles=series[symbol], market=markets[symbol]) for symbol in series]
        limits = prepared.limits
        row, allies = allies_of(listed, prepared.setups, limits.start_ms, limits.ticks, params, also=unsure)
        prepared = replace(prepared, limits=limits._replace(ally_row=row, allies=allies))
        written, _ = trade(prepared, balance)
    return outcome.of(written, prepared.setups, prepared.limits, prepared.markets, strategies, balance)


def prepare(
    series: Mapping[str, Candles],
    markets: Mapping[str, Market],
    *,
    params: Params,
    strategies: Sequence[Strategy],
    slippage: Slippage,
    start: datetime,
    end: datetime,
    universe: Universe | None = None,
) -> Prepared:
    """Measure every symbol and find its setups."""
    if params.entry_order != "market":
        raise NotModelled(
            f"a backtest models market entries only, and entry_order is {params.entry_order!r}: set it to 'market'"
        )
    symbols = list(series)
    listed = [Series(candles=series[symbol], market=markets[symbol]) for symbol in symbols]
    limits = limits_of(params, start=start, end=end)
    order = [params.pairs.index(symbol) for symbol in symbols]
    setups = setups_of(
        listed,
        limits.start_ms,
        strategies=strategies,
        params=params,
        order=order,
        ticks=limits.ticks,
        universe=universe,
    )
    row, allies = allies_of(listed, setups, limits.start_ms, limits.ticks, params)
    limits = limits._replace(ally_row=row, allies=allies)
    slips = slips_of(
        slippage, symbols, setups, limits.start_ms, limits.span_ms, limits.ticks, timed=params.time_stop > 0
    )
    return Prepared(
        bars=bars_of(listed, limits.start_ms),
        setups=setups,
        grids=grids_of(listed, params),
        slips=slips,
        limits=limits,
        params=params,
        markets=[each.market for each in listed],
    )


def trade(prepared: Prepared, balance: Decimal) -> tuple[records.Records, int]:
    """Run the kernel until its sizes are exact; return its records and how many sizes had to be corrected."""
    overrides = np.empty(0, dtype=np.int64)
    for _ in range(MAX_CORRECTIONS):
        written = _once(prepared, balance, overrides)
        symbols = prepared.setups.symbol
        wrong = exact.corrections(written, symbols, prepared.markets, prepared.params)
        if not wrong:
            return written, int((overrides >= 0).sum())
        if not len(overrides):
            overrides = np.full(len(symbols), -1, dtype=np.int64)
        # What came after a wrong size stood on it: only the first is sure.
        first = min(wrong)
        overrides[first] = wrong[first]
    raise TooCoarse(f"more than {MAX_CORRECTIONS} sizes lie on the edge of a lot: use a finer quantity step")


def _unsure_of_clusters(written: records.Records, prepared: Prepared) -> Ints:
    """Return the ticks of setups that filters refused and that the limit of clusters refused unmeasured.

    Measuring every tick takes most of a backtest's time; these change no trade, only what is told of them.
    """
    if not len(prepared.limits.ally_row):
        return np.empty(0, dtype=np.int64)
    ticks = prepared.setups.tick
    is_unsure = (written.mask >> BIT_CLUSTER_RISK & 1 == 1) & (prepared.limits.ally_row[ticks] < 0)
    found: Ints = np.unique(ticks[is_unsure])
    return found


def limits_of(params: Params, *, start: datetime, end: datetime, fixed_notional: float = 0.0) -> records.Limits:
    """Return the clock from `start` to `end` and the parameters that entries heed."""
    span = timeframes.milliseconds(params.timeframe)
    first = -(-timeframes.to_ms(start) // span) * span
    fractions = [_whole(params.target_one_fraction), _whole(params.target_two_fraction)]
    return records.Limits(
        ticks=max(0, (timeframes.to_ms(end) - first) // span + 1),
        start_ms=first,
        span_ms=span,
        stop_atr=params.stop_atr,
        slippage=params.slippage,
        max_open_trades=params.max_open_trades,
        max_open_risk=params.max_open_risk,
        max_leverage=params.max_leverage,
        daily_loss=params.daily_loss,
        weekly_loss=params.weekly_loss,
        cooldown_losses=params.cooldown_losses,
        cooldown_minutes=float(params.cooldown_minutes),
        kelly_window=params.kelly_window,
        fraction_whole=np.array([whole for whole, _ in fractions], dtype=np.int64),
        fraction_one=np.array([one for _, one in fractions], dtype=np.int64),
        max_cluster_risk=params.max_cluster_risk,
        ally_row=np.empty(0, dtype=np.int64),
        allies=np.empty((0, 0, 0), dtype=np.bool_),
        fixed_notional=fixed_notional,
    )


def _once(prepared: Prepared, balance: Decimal, overrides: Ints) -> records.Records:
    written = records.empty(
        setups=len(prepared.setups.tick),
        candidates=int((prepared.setups.mask == 0).sum()),
        symbols=len(prepared.markets),
        balance=units_of(balance),
    )
    kernel.run(
        prepared.bars,
        prepared.setups,
        prepared.grids,
        position.exit_plan(prepared.params),
        sizing.risk_rules(prepared.params),
        prepared.limits,
        prepared.slips,
        overrides,
        written,
        np.zeros((2 * position.MAX_EXITS, 3)),
    )
    if written.account[records.OVERFLOW]:
        raise TooCoarse("the account grew beyond what a backtest can count: start with less or risk less")
    return written


def units_of(balance: Decimal) -> int:
    if not 0 < balance * UNIT < LARGEST // 100:
        raise TooCoarse(
            f"a balance of {balance} cannot be counted in {UNIT}ths: use less than {LARGEST // 100 // UNIT}"
        )
    return int(balance * UNIT)


def _whole(fraction: float) -> tuple[int, int]:
    """Return a fraction as one whole number over a power of ten, to 17 places: what its text says."""
    exact = Decimal(str(fraction))
    places = min(17, max(0, -int(exact.normalize().as_tuple().exponent)))
    return int(exact.scaleb(places)), 10**places
