"""Replay and backtest over the same past, side by side."""

from __future__ import annotations

from dataclasses import replace

from trading import backtest, replay
from trading.core.params import Params
from trading.research import parity
from trading.research.parity import Comparison
from trading.research.performance import Stretch
from trading.research.trials import Progress


def compare(
    asked: Stretch, params: Params, *, seed: int | None, progress: Progress = lambda done, of: None
) -> Comparison:
    """Run both engines with `params`, drawing slippage by `seed`, and compare their reports."""
    stretch = replace(asked, params=params)
    return parity.compare(replay.over(stretch, seed=seed, progress=progress), backtest.over(stretch, seed=seed))
