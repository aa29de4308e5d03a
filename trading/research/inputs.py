"""What the kernel runs over: arrays by symbol and setup, made once from candles, parameters and markets.

The clock counts ticks: tick t is the moment `start + t * span`, at which bars close and the next ones open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trading.core import bitcoin, filters, indicators, portfolio, position, sizing, timeframes
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Strategy, first_entries
from trading.core.types import Market
from trading.research.money import FINE
from trading.research.universe import Universe

Number = TypeVar("Number", np.float64, np.int64)

ENDLESS = 2**62
"""Ticks, or the lots of an order, where there is no limit."""
FRESHNESS = ("setup_age", "price_age")
VERDICTS = (
    *FRESHNESS,
    *("score", "adx", "adx_danger", "volume_ratio", "confluence", "target_over_cost"),
    *("multi_timeframe", "bitcoin_trend", "bitcoin_rsi", "bitcoin_crash", "volume_divergence"),
    *("trading_state", "open_on_symbol", "open_trades", "daily_loss", "weekly_loss", "cool_down", "open_risk"),
    *("cluster_risk", "leverage", "local_trades", "local_notional", "side", "size"),
)
"""Every verdict's name in the order of decision.decide; its place is its bit in a setup's mask."""


class Bars(NamedTuple):
    """All symbols' bars, one behind the other; bar k of symbol i closes at tick `first[i] + k`."""

    open: Floats
    high: Floats
    low: Floats
    last: Floats
    """Each symbol's last close: its price once no bar follows."""
    marks: Ints
    """Opens as whole numbers of Grids.mark_div."""
    last_mark: Ints
    offset: Ints
    counts: Ints
    first: Ints


class Setups(NamedTuple):
    """Entries worth judging, in the order of judging; `mask` has the bits of the verdicts that failed already."""

    tick: Ints
    symbol: Ints
    bar: Ints
    side: Ints
    finder: Ints
    atr: Floats
    price: Floats
    mask: Ints
    regime: Ints


class Grids(NamedTuple):
    """Each symbol's grid, costs and the factors by which products of steps and lots become units of money."""

    numerator: Floats
    denominator: Floats
    lot: Floats
    fee_rate: Floats
    costs: Floats
    """Fees of both legs and slippage, a fraction of the entry."""
    min_notional: Floats
    min_lots: Ints
    max_lots: Ints
    """Least and most of an order."""
    allows_short: NDArray[np.bool_]
    max_leverage: Floats
    """What parameter and venue allow together, times equity."""
    value_mul: Ints
    value_div: Ints
    fee_mul: Ints
    fee_div: Ints
    mark_mul: Ints
    mark_div: Ints
    mark_step: Ints
    """So many marks are a price step."""
    risk_mul: Ints
    risk_one: Ints
    risk_fee: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One symbol as the kernel needs it."""

    candles: Candles
    market: Market


class TooCoarse(ValueError):
    """Numbers that the kernel cannot hold exactly."""


def bars_of(series: Sequence[Series], start_ms: int) -> Bars:
    candles = [each.candles for each in series]
    span = timeframes.milliseconds(candles[0].timeframe)
    marks = [_marks(each) for each in series]
    counts = np.array([len(each) for each in candles], dtype=np.int64)
    return Bars(
        open=_joined([each.open for each in candles]),
        high=_joined([each.high for each in candles]),
        low=_joined([each.low for each in candles]),
        last=np.array([each.close[-1] for each in candles]),
        marks=_joined([mark[:-1] for mark in marks]),
        last_mark=np.array([mark[-1] for mark in marks], dtype=np.int64),
        offset=np.cumsum(counts) - counts,
        counts=counts,
        first=np.array([(int(each.opened[0]) + span - start_ms) // span for each in candles], dtype=np.int64),
    )


def setups_of(
    series: Sequence[Series],
    start_ms: int,
    *,
    strategies: Sequence[Strategy],
    params: Params,
    order: Sequence[int],
    ticks: int = ENDLESS,
    universe: Universe | None = None,
) -> Setups:
    """Find every symbol's setups of so many ticks from `start_ms` on; `order` ranks the symbols within a tick.

    With a `universe`, bars of pairs that were not on the list known at their close are not judged.
    """
    bars = {each.candles.symbol: each.candles for each in series}
    found = []
    for index, each in enumerate(series):
        leader = bars.get(bitcoin.leader_of(each.candles.symbol))
        found.append(_found(index, each, start_ms, ticks, strategies, params, leader, universe))
    columns = [np.concatenate([part[n] for part in found]) for n in range(len(Setups._fields))]
    rank = np.array(order, dtype=np.int64)[columns[1]]
    by_time = np.lexsort((rank, columns[0]))
    return Setups(*[column[by_time] for column in columns])


def grids_of(series: Sequence[Series], params: Params) -> Grids:
    rows = [_grid(each, params) for each in series]
    kinds: list[Any] = [np.float64] * 6 + [np.int64] * 2 + [np.bool_, np.float64] + [np.int64] * 10
    columns: list[Any] = [
        np.array(column, dtype=kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    return Grids(*columns)


def allies_of(
    series: Sequence[Series], setups: Setups, start_ms: int, ticks: int, params: Params, *, also: Ints | None = None
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return (row by tick, which two symbols count as one risk by row); both are empty where nothing limits clusters.

    A tick without an entry that filters let pass, and that is not one of `also`, has the row -1.
    """
    if params.max_cluster_risk >= 1.0:
        return np.empty(0, dtype=np.int64), np.empty((0, 0, 0), dtype=np.bool_)
    span = timeframes.milliseconds(params.timeframe)
    passed = setups.tick[setups.mask == 0]
    needed = np.unique(passed if also is None else np.concatenate([passed, also]))
    rows = np.full(ticks, -1, dtype=np.int64)
    rows[needed] = np.arange(len(needed))
    candles, window = [each.candles for each in series], params.correlation_bars
    made = np.empty((len(needed), len(series), len(series)), dtype=np.bool_)
    for row, tick in enumerate(needed.tolist()):
        moves = portfolio.returns(candles, closed_at_ms=start_ms + tick * span, window=window)
        made[row] = portfolio.allies(portfolio.correlations(moves), params.cluster_correlation)
    return rows, made


def slips_of(
    slippage: Slippage, symbols: Sequence[str], setups: Setups, start_ms: int, span_ms: int, ticks: int, *, timed: bool
) -> Floats:
    """Return the slippage of a fill by symbol and tick; one value where it is constant.

    Market orders are entries and, where positions have a time (`timed`), exits at any tick.
    """
    if slippage.seed is None:
        return np.full((1, 1), slippage.fraction)
    drawn = np.full((len(symbols), ticks), np.nan)
    for index, symbol in enumerate(symbols):
        needed = range(ticks) if timed else np.unique(setups.tick[(setups.symbol == index) & (setups.mask == 0)])
        for tick in needed:
            drawn[index, tick] = slippage.of(symbol, timeframes.from_ms(start_ms + int(tick) * span_ms))
    return drawn


def _joined(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    return np.ascontiguousarray(columns[0]) if len(columns) == 1 else np.concatenate(columns)


def _found(
    index: int,
    series: Series,
    start_ms: int,
    most_ticks: int,
    strategies: Sequence[Strategy],
    params: Params,
    leader: Candles | None,
    universe: Universe | None,
) -> tuple[NDArray[Any], ...]:
    candles, market = series.candles, series.market
    analysis = analyse(candles, params)
    sides, finder = first_entries(strategies, candles, analysis, params)
    span = timeframes.milliseconds(candles.timeframe)
    ticks = (candles.opened + span - start_ms) // span
    warm = np.arange(len(candles)) >= indicators.warmup_bars(params)
    judged = (sides != 0) & warm & (ticks >= 0) & (ticks < most_ticks) & (analysis.atr > 0)
    if universe is not None:
        judged &= universe.holds(candles.symbol, candles.opened + span)
    bars = np.flatnonzero(judged)
    mask = _filter_mask(candles, analysis, sides, params, market, bars, leader)
    # At the last bar there is no next open; what is known then is as old as that bar.
    age = np.where(bars == len(candles) - 1, span / 1000.0, 0.0)
    mask |= np.where(age <= params.price_age, 0, 1 << VERDICTS.index("price_age"))
    return (
        ticks[bars],
        np.full(len(bars), index),
        bars,
        sides[bars].astype(np.int64),
        finder[bars].astype(np.int64),
        analysis.atr[bars],
        candles.close[bars],
        mask,
        analysis.regime[bars].astype(np.int64),
    )


def _filter_mask(
    candles: Candles,
    analysis: Analysis,
    sides: NDArray[np.int8],
    params: Params,
    market: Market,
    bars: Ints,
    leader: Candles | None,
) -> Ints:
    context = filters.Context(
        candles=candles,
        analysis=analysis,
        sides=sides,
        params=params,
        round_trip=2.0 * (float(market.fee_rate) + params.slippage),
        leader=leader,
    )
    mask = np.zeros(len(bars), dtype=np.int64)
    # One at a time, as filters.evaluate asks them: all their columns together would take much memory.
    for rule in filters.in_force(params):
        column = rule(context)
        mask |= np.where(column.passed[bars], 0, 1 << VERDICTS.index(column.name))
    return mask


def _marks(series: Series) -> Ints:
    """Return each open, and the last close, in marks: exactly what their shortest texts say."""
    prices = np.append(series.candles.open, series.candles.close[-1])
    places = mark_places(series)
    if _on_grid(series):
        return np.rint(prices * 10.0**places).astype(np.int64)
    return np.array([int(Decimal(str(price)).scaleb(places)) for price in prices.tolist()], dtype=np.int64)


def mark_places(series: Series) -> int:
    """Return how many decimals the symbol's opens have at most."""
    if _on_grid(series):
        return _places(series.market.price_step)
    prices = np.append(series.candles.open, series.candles.close[-1]).tolist()
    return max(_places(series.market.price_step), *(_places(Decimal(str(price))) for price in prices))


def _on_grid(series: Series) -> bool:
    places, candles = _places(series.market.price_step), series.candles
    is_short = bool(candles.open.max() * 10.0**places < 2.0**50)
    return is_short and all(
        bool((np.round(column, places) == column).all()) for column in (candles.open, candles.close[-1:])
    )


def _places(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


def _grid(series: Series, params: Params) -> tuple[object, ...]:
    market = series.market
    dp, dq, df = _places(market.price_step), _places(market.quantity_step), _places(market.fee_rate)
    dm = mark_places(series)
    steps = int(market.price_step.scaleb(dp))
    lots, fee = int(market.quantity_step.scaleb(dq)), int(market.fee_rate.scaleb(df))
    value, fees, mark = _factor(dp + dq), _factor(dp + dq + df), _factor(dm + dq)
    if max(value[1], fees[1], mark[1]) > FINE:
        raise TooCoarse(f"{market.symbol} has too many decimals for a backtest: use candles with shorter prices")
    numerator, denominator = market.price_grid
    return (
        numerator,
        denominator,
        float(market.quantity_step),
        float(market.fee_rate),
        position.cost_fraction(params, market),
        float(market.min_notional),
        *_lot_limits(market),
        market.allows_short,
        float(sizing.most_leverage(params, market)),
        steps * lots * value[0],
        value[1],
        steps * lots * fee * fees[0],
        fees[1],
        lots * mark[0],
        mark[1],
        steps * 10 ** (dm - dp),
        steps * lots * fees[0],
        10**df,
        fee,
    )


def _lot_limits(market: Market) -> tuple[int, int]:
    """Return the least and the most lots of an order, in whole numbers, so that a tie is a tie."""
    most = ENDLESS if market.max_quantity is None else int(market.max_quantity / market.quantity_step)
    least = (market.min_quantity / market.quantity_step).to_integral_value(rounding=ROUND_CEILING)
    return int(least), min(ENDLESS, most)


def _factor(places: int) -> tuple[int, int]:
    """Return (multiplier, divisor) from a whole number with so many places to units of 1e-8."""
    return 10 ** max(0, 8 - places), 10 ** max(0, places - 8)
