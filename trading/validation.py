"""Whether a backtest means anything, put together: stored candles, the studies of `research`, reports as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import numpy as np
from django.conf import settings

from trading import backtest, wiring
from trading.core.candles import Floats
from trading.replay import market_of
from trading.research import lookahead, metrics, montecarlo, overfitting, search, significance, trials, walkforward
from trading.research.breakdown import money
from trading.research.metrics import rounded
from trading.research.performance import Stretch
from trading.research.search import Plan, Search
from trading.research.trials import Field, Progress, Trial
from trading.research.walkforward import Walk, Window

LISTED = 20
"""Best trials that a report of a sweep has."""


def field_of(asked: Stretch) -> Field:
    """Return what trials on a stretch share; raises TooFewBars, and StrategyError for what STRATEGIES names."""
    backtest.refuse_short(asked)
    return Field(
        stretch=asked,
        markets=market_of(asked).markets(),
        strategies=wiring.strategy_list(),
        balance=Decimal(settings.PAPER_BALANCE),
    )


def sweep(field: Field, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Search, and say how much of the best is luck; raises SearchError and what a backtest does."""
    return sweep_report(field, plan, search.search(field, plan, progress))


def sweep_report(field: Field, plan: Plan, found: Search) -> dict[str, Any]:
    """Return what a search found, with how much of the best is luck."""
    ranked = found.ranked(plan.objective, min_trades=plan.min_trades)
    daily = np.stack([each.daily for each in found.trials], axis=1)
    luck = overfitting.overfitting(daily)
    deflated = overfitting.deflated_sharpe(ranked[0].daily, overfitting.ratios(daily)) if ranked else None
    return {
        "method": plan.method,
        "objective": plan.objective,
        "min_trades": plan.min_trades,
        "seed": plan.seed,
        "tried": len(found.trials),
        "contradictions": found.contradictions,
        "scored": len(ranked),
        "usual": trial(trials.run(field, {})),
        "best": [trial(each) for each in ranked[:LISTED]],
        "deflated_sharpe": rounded(deflated),
        "overfitting": asdict(luck) if luck else None,
    }


def walk(field: Field, plan: Plan, progress: Progress, *, train: int, test: int, is_anchored: bool) -> dict[str, Any]:
    """Walk forward over the stretch; raises SearchError and what a backtest does."""
    splits = windows(field, train=train, test=test, is_anchored=is_anchored)
    return walk_report(plan, walkforward.walk(field, plan, splits, progress), is_anchored=is_anchored)


def windows(field: Field, *, train: int, test: int, is_anchored: bool) -> list[Window]:
    """Return the windows of a walk over the field's stretch; raises SearchError."""
    return walkforward.windows(field.stretch.first, field.stretch.last, train=train, test=test, is_anchored=is_anchored)


def walk_report(plan: Plan, found: Walk, *, is_anchored: bool) -> dict[str, Any]:
    """Return what each window of a walk made, and all of them together."""
    return {
        "method": plan.method,
        "objective": plan.objective,
        "min_trades": plan.min_trades,
        "seed": plan.seed,
        "is_anchored": is_anchored,
        "efficiency": rounded(found.efficiency),
        "profitable_fraction": rounded(found.profitable_fraction),
        "chosen": _of_daily(found.daily),
        "usual": _of_daily(found.usual_daily),
        "windows": [
            {
                "begin": each.window.begin.isoformat(),
                "split": each.window.split.isoformat(),
                "end": each.window.end.isoformat(),
                "values": dict(each.chosen.values) if each.chosen else None,
                "before": trial(each.chosen) if each.chosen else None,
                "after": trial(each.tested) if each.tested else None,
                "usual": trial(each.usual),
            }
            for each in found.steps
        ],
    }


def scatter(
    field: Field,
    progress: Progress,
    *,
    draws: int,
    noise_draws: int,
    noise: float,
    block: int | None,
    confidence: float,
    seed: int,
) -> dict[str, Any]:
    """Return what else could have come of the field's parameters; `noise` is a fraction of a usual bar's range."""
    result = trials.result_of(field, field.stretch.params)
    closed = [each for each in result.trades if each.closed_at is not None]
    made = trials.run(field, {})
    length = block or montecarlo.usual_length(len(made.daily))
    report: dict[str, Any] = {"trades": len(closed), "days": len(made.daily), "confidence": confidence, "seed": seed}
    results = money(closed)
    ordered = montecarlo.shuffled_drawdowns(
        results, balance=float(field.balance), draws=draws if len(closed) else 0, rng=np.random.default_rng([seed, 0])
    )
    worth = float(field.balance) + np.cumsum(np.r_[0.0, results])
    falls = metrics.drawdown(worth)
    report["shuffled_trades"] = {"drawdown_fraction": _spread(falls.fraction if falls else None, ordered, confidence)}
    days = montecarlo.blocks(made.daily, length=length, draws=draws, rng=np.random.default_rng([seed, 1]))
    actual = {name: float(values[0]) for name, values in montecarlo.figures(made.daily[None, :]).items()}
    report["blocks_of_days"] = {"length": length} | {
        name: _spread(actual[name], values, confidence) for name, values in montecarlo.figures(days).items()
    }
    rows = [_noisy(field, noise, [seed, 2, number]).figures for number in _told(noise_draws, progress)]
    report["noisy_candles"] = {"noise": noise} | {
        name: _spread(made.figures[name], montecarlo.collected(rows, name), confidence)
        for name in ("return_fraction", "sharpe", "drawdown_fraction", "expectancy_r")
    }
    return report


def _told(count: int, progress: Progress) -> Iterator[int]:
    """Yield the numbers of so many parts, telling of each that is done."""
    for number in range(count):
        yield number
        progress(number + 1, count)


def _noisy(field: Field, noise: float, seeds: Sequence[int]) -> Trial:
    rng = np.random.default_rng(seeds)
    series = {
        symbol: montecarlo.noisy(candles, field.markets[symbol], scale=noise, rng=rng)
        for symbol, candles in field.stretch.series.items()
    }
    return trials.run(field.over(series), {})


def edge(field: Field, progress: Progress, *, draws: int, seed: int) -> dict[str, Any]:
    """Return how the entries compare with random ones."""
    found = significance.significance(field, draws=draws, seed=seed, progress=progress)
    return {"seed": seed} | {
        name: rounded(value) if isinstance(value, float) else value for name, value in asdict(found).items()
    }


def peeks(field: Field, progress: Progress, *, cuts: int, seed: int) -> dict[str, Any]:
    """Look for values that peek, or that depend on where the candles begin; raises TooShort, StrategyError."""
    found = {}
    for symbol, candles in field.stretch.series.items():
        made = lookahead.study(
            candles,
            params=field.stretch.params,
            strategies=field.strategies,
            cuts=cuts,
            seed=seed,
            progress=progress,
        )
        found[symbol] = asdict(made)
        for row in found[symbol]["findings"]:
            row["opened"] = candles.opened_at(row["bar"]).isoformat()
    return {"seed": seed, "series": found, "faults": sum(len(each["findings"]) for each in found.values())}


def trial(made: Trial) -> dict[str, Any]:
    """Return a trial as JSON values."""
    return {
        "values": dict(made.values),
        "trades": made.trades,
        **{name: rounded(value) for name, value in made.figures.items()},
    }


def _of_daily(returns: Floats) -> dict[str, Any]:
    worth: Floats = np.cumprod(np.r_[1.0, 1.0 + returns]).astype(np.float64)
    falls = metrics.drawdown(worth)
    return {
        "days": len(returns),
        "return_fraction": rounded(float(worth[-1]) - 1.0),
        "sharpe": rounded(metrics.sharpe(returns)),
        "drawdown_fraction": rounded(falls.fraction) if falls else None,
    }


def _spread(actual: float | None, drawn: Floats | Sequence[float], confidence: float) -> dict[str, Any]:
    found = montecarlo.spread(actual, np.asarray(drawn), confidence=confidence)
    return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(found).items()}
