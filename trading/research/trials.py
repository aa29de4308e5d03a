"""One backtest of one set of parameters, reduced to what a search compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Strategy
from trading.core.types import Market
from trading.research import backtest, breakdown, equity, metrics
from trading.research.performance import Stretch
from trading.research.results import RunResult

OBJECTIVES = ("sharpe", "sortino", "calmar", "omega", "profit_factor", "expectancy_r", "sqn", "return_fraction")
"""What may be sought; more is better in all of them."""

Progress = Callable[[int, int], object]
"""Told how many of how many parts are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What all trials share: the stretch, whose parameters apply where a trial says nothing else."""

    stretch: Stretch
    markets: Mapping[str, Market]
    strategies: Sequence[Strategy]
    balance: Decimal

    def between(self, first: datetime, last: datetime) -> Field:
        """Return the field that trades from `first` to `last` and knows nothing later; earlier bars are warm-up."""
        series = {symbol: candles.until(last, limit=len(candles)) for symbol, candles in self.stretch.series.items()}
        known = {symbol: candles for symbol, candles in series.items() if len(candles)}
        return replace(self, stretch=replace(self.stretch, series=known, first=first, last=last))

    def over(self, series: Mapping[str, Candles]) -> Field:
        """Return the field with other candles."""
        return replace(self, stretch=replace(self.stretch, series=series))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """What a set of parameters made: figures by name, None where one has no value, and the returns of each UTC day."""

    values: Mapping[str, Any]
    trades: int
    figures: Mapping[str, float | None]
    daily: Floats

    def score(self, objective: str, *, min_trades: int) -> float | None:
        """Return the figure that is sought; None too where too few trades were closed to mean anything."""
        return self.figures[objective] if self.trades >= min_trades else None


def params_of(field: Field, values: Mapping[str, Any]) -> Params:
    """Return the field's parameters with `values` in their place, or raise ParamsError."""
    return Params.of({**field.stretch.params.as_json(), **values}) if values else field.stretch.params


def result_of(field: Field, params: Params) -> RunResult:
    """Backtest the field's stretch."""
    return backtest.run(
        field.stretch.series,
        field.markets,
        params=params,
        strategies=field.strategies,
        slippage=Slippage(fraction=params.slippage),
        balance=field.balance,
        start=field.stretch.first,
        end=field.stretch.last,
    )


def run(field: Field, values: Mapping[str, Any]) -> Trial:
    """Try a set of parameters; raises ParamsError for one that contradicts itself, and what backtest.run does."""
    result = result_of(field, params_of(field, values))
    stretch = field.stretch
    made = equity.curve(
        result.trades, stretch.series, balance=float(field.balance), first=stretch.first, last=stretch.last
    )
    closed = [trade for trade in result.trades if trade.closed_at is not None]
    daily = metrics.returns(equity.daily(made, made.equity)[1])
    won, in_r, falls = breakdown.money(closed), breakdown.multiples(closed), metrics.drawdown(made.equity)
    growth = metrics.cagr(float(made.equity[0]), float(made.equity[-1]), years=made.years)
    figures = {
        "sharpe": metrics.sharpe(daily),
        "sortino": metrics.sortino(daily),
        "calmar": metrics.calmar(growth, falls),
        "omega": metrics.omega(daily),
        "profit_factor": metrics.profit_factor(won),
        "expectancy_r": metrics.expectancy(in_r),
        "sqn": metrics.sqn(in_r),
        "return_fraction": float(made.equity[-1] / made.equity[0]) - 1.0,
        "drawdown_fraction": falls.fraction if falls else None,
    }
    return Trial(values=dict(values), trades=len(closed), figures=figures, daily=daily)
