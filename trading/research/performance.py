"""All figures of a run as JSON values: `metrics` in the report of `replay` and `backtest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.research import breakdown, equity, metrics, results
from trading.research.equity import Curve
from trading.research.metrics import rounded
from trading.research.results import RunResult, TradeResult

_FIRST_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the past to trade on: the bars, the parameters, and the first and the last moment of trading."""

    params: Params
    series: Mapping[str, Candles]
    first: datetime
    last: datetime
    is_spot: bool = False
    """Whether the bars are of the spot market that is traded on, whose rules hold then."""


def report(result: RunResult, stretch: Stretch) -> dict[str, Any]:
    """Return a run over `stretch` as JSON values, its figures included."""
    return results.report(
        result,
        symbols=list(stretch.series),
        timeframe=stretch.params.timeframe,
        params=stretch.params.as_json(),
        bars={symbol: len(candles) for symbol, candles in stretch.series.items()},
        metrics=measure(result.trades, stretch, balance=result.initial_balance),
    )


def measure(trades: Sequence[TradeResult], stretch: Stretch, *, balance: Decimal) -> dict[str, Any]:
    """Return every figure; ratios are of daily returns, drawdowns of the equity at each bar's close."""
    made = equity.curve(trades, stretch.series, balance=float(balance), first=stretch.first, last=stretch.last)
    closed = [trade for trade in trades if trade.closed_at is not None]
    held = equity.held_alike(stretch.series, made)
    days, ends = equity.daily(made, made.equity)
    return {
        "periods_per_year": metrics.PERIODS,
        **_ratios(made, made.equity),
        **_of_trades(closed),
        "exposure_fraction": rounded(float((made.held[:-1] > 0).mean()) if len(made.held) > 1 else None),
        "buy_and_hold": _ratios(made, held) if held[0] > 0 else None,
        "by": breakdown.groups(closed, stretch.params),
        "daily_equity": _dated(days, ends),
    }


def of_account(closed: Sequence[TradeResult], daily: Mapping[date, float], *, params: Params) -> dict[str, Any]:
    """Return the figures of a real account by its closed trades and its equity at the end of each day, oldest first.

    Between the ends of days nothing is known of its drawdowns.
    """
    values = np.array(list(daily.values()), dtype=np.float64)
    made, falls = metrics.returns(values), metrics.drawdown(values)
    years = (max(daily) - min(daily)).days / 365 if daily else 0.0
    growth = metrics.cagr(float(values[0]), float(values[-1]), years=years) if len(values) else None
    return {
        "periods_per_year": metrics.PERIODS,
        "days": len(daily),
        "return_fraction": rounded(float(values[-1] / values[0]) - 1.0) if len(values) and values[0] > 0 else None,
        "cagr": rounded(growth),
        "sharpe": rounded(metrics.sharpe(made)),
        "sortino": rounded(metrics.sortino(made)),
        "calmar": rounded(metrics.calmar(growth, falls)),
        "omega": rounded(metrics.omega(made)),
        "drawdown": rounded(falls.amount) if falls else None,
        "drawdown_fraction": rounded(falls.fraction) if falls else None,
        **_of_trades(closed),
        "by": breakdown.groups(closed, params),
    }


def table(report: Mapping[str, Any]) -> list[str]:
    """Return the figures that people ask for first, beside those of buying and holding, as lines of a table."""
    found, held = report["metrics"], report["metrics"]["buy_and_hold"] or {}
    rows = [
        ("Return", *(_percent(each.get("return_fraction")) for each in (found, held))),
        ("CAGR", *(_percent(each.get("cagr")) for each in (found, held))),
        ("Sharpe", *(_plain(each.get("sharpe")) for each in (found, held))),
        ("Sortino", *(_plain(each.get("sortino")) for each in (found, held))),
        ("Calmar", *(_plain(each.get("calmar")) for each in (found, held))),
        ("Omega", *(_plain(each.get("omega")) for each in (found, held))),
        ("Deepest drawdown", *(_percent(each.get("drawdown_fraction")) for each in (found, held))),
        ("Longest drawdown", *(_span(each.get("drawdown_longest_s")) for each in (found, held))),
        ("Profit factor", _plain(found["profit_factor"]), ""),
        ("Expectancy, R", _plain(found["expectancy_r"]), ""),
        ("SQN", _plain(found["sqn"]), ""),
        ("Average duration", _span(found["average_seconds"]), ""),
        ("Time in the market", _percent(found["exposure_fraction"]), ""),
    ]
    return [f"{'':<20}{'this run':>14}{'buy and hold':>14}", *(f"{a:<20}{b:>14}{c:>14}".rstrip() for a, b, c in rows)]


def _ratios(like: Curve, values: Floats) -> dict[str, Any]:
    made = metrics.returns(equity.daily(like, values)[1])
    growth = metrics.cagr(float(values[0]), float(values[-1]), years=like.years)
    falls = metrics.drawdown(values)
    seconds = like.span_ms / 1000
    return {
        "return_fraction": rounded(float(values[-1] / values[0]) - 1.0),
        "cagr": rounded(growth),
        "sharpe": rounded(metrics.sharpe(made)),
        "sortino": rounded(metrics.sortino(made)),
        "calmar": rounded(metrics.calmar(growth, falls)),
        "omega": rounded(metrics.omega(made)),
        "drawdown": rounded(falls.amount) if falls else None,
        "drawdown_fraction": rounded(falls.fraction) if falls else None,
        "drawdown_longest_s": falls.longest * seconds if falls else None,
        "drawdown_recovery_s": falls.recovery * seconds if falls and falls.recovery is not None else None,
    }


def _of_trades(closed: Sequence[TradeResult]) -> dict[str, Any]:
    results = breakdown.money(closed)
    wins, losses = metrics.streaks(results)
    return {
        **breakdown.figures(closed),
        "sqn": rounded(metrics.sqn(breakdown.multiples(closed))),
        "best": rounded(float(results.max()) if len(results) else None),
        "worst": rounded(float(results.min()) if len(results) else None),
        "wins_in_row": wins,
        "losses_in_row": losses,
    }


def _dated(days: Ints, values: Floats) -> list[list[Any]]:
    """Return [date, equity at its end] of each day; the first is what the account began with."""
    dates = [(_FIRST_DAY + timedelta(days=day)).isoformat() for day in days.tolist()]
    return [[day, value] for day, value in zip(dates, np.round(values, 8).tolist(), strict=True)]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if days else f"{seconds / 3600:.1f} h"
