"""Entries against chance: a planted edge has a small p, noise has any, and what enters everywhere equals its draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.unit.core_values import EveryBar, walk
from tests.unit.results_values import field, silent
from trading.core.analysis import Analysis
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Sides
from trading.research import backtest, significance

BUSY = 1e6


class BusyBuyer:
    """Long after every bar of an enormous volume."""

    name = "busy"

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return (candles.volume >= BUSY).astype(np.int8)


def market(seed: int, *, drift: float) -> Candles:
    """Make a random walk with busy bars, after each of which the price drifts for eight bars."""
    bars = walk(seed, 1500)
    busy = np.random.default_rng([seed, 9]).choice(np.arange(210, 1480), 60, replace=False)
    moves = np.zeros(1500)
    for bar in busy:
        moves[bar + 1 : bar + 9] += drift
    factor = np.exp(np.cumsum(moves))
    factors = {"open": np.r_[1.0, factor[:-1]], "close": factor}
    factors |= {"high": np.maximum(factors["open"], factor), "low": np.minimum(factors["open"], factor)}
    columns = {name: np.round(getattr(bars, name) * each, 4) for name, each in factors.items()}
    volume = bars.volume.copy()
    volume[busy] = BUSY
    return replace(bars, volume=volume, **columns)


def study(seed: int, *, drift: float, draws: int = 99) -> significance.Significance:
    ground = field(market(seed, drift=drift), strategies=[BusyBuyer()], daily_loss=1.0, weekly_loss=1.0)
    return significance.significance(ground, draws=draws, seed=1, progress=silent)


def test_a_planted_edge_is_hardly_ever_equalled_by_chance() -> None:
    found = study(1, drift=0.003)

    assert found.actual is not None
    assert found.high is not None
    assert found.actual > found.high
    assert found.p == 0.01


def test_entries_that_know_nothing_have_any_p() -> None:
    values = [found.p for seed in range(16) if (found := study(seed, drift=0.0, draws=49)).p is not None]

    assert len(values) == 16
    assert 0.3 < np.mean(values) < 0.7
    assert min(values) < 0.35
    assert max(values) > 0.65


def test_who_enters_at_every_bar_equals_every_draw() -> None:
    ground = field(walk(4, 500), strategies=[EveryBar()])

    found = significance.significance(ground, draws=5, seed=1, progress=silent)

    assert (found.p, found.actual) == (1.0, found.median)


def test_a_draw_has_as_many_entries_of_each_side_all_with_warm_up_behind_them() -> None:
    ground = field(walk(2, 900))
    prepared = backtest.prepare(
        ground.stretch.series,
        ground.markets,
        params=ground.stretch.params,
        strategies=ground.strategies,
        slippage=Slippage(fraction=0.0),
        start=ground.stretch.first,
        end=ground.stretch.last,
    )
    grounds = significance._grounds(ground, prepared)

    drawn = significance._random(prepared.setups, grounds, ground.stretch.params, prepared, np.random.default_rng(1))

    passed = prepared.setups.mask == 0
    assert sorted(drawn.side.tolist()) == sorted(prepared.setups.side[passed].tolist())
    assert len(set(drawn.bar.tolist())) == len(drawn.bar)
    assert drawn.bar.min() >= 201
    assert drawn.bar.max() < 899
    assert (np.diff(drawn.tick) >= 0).all()
    assert (drawn.tick - drawn.bar == (prepared.setups.tick - prepared.setups.bar)[0]).all()


def test_a_seed_repeats_and_nothing_traded_has_no_p() -> None:
    assert study(3, drift=0.0, draws=9) == study(3, drift=0.0, draws=9)
    quiet = field(walk(1, 400), strategies=[BusyBuyer()])

    assert significance.significance(quiet, draws=9, seed=1, progress=silent).p is None
