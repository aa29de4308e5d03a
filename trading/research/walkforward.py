"""Walk-forward analysis (Pardo, 1992): choose on one stretch, trade the next one, move on; only the latter counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from trading.core.candles import Floats
from trading.research import search, trials
from trading.research.search import Plan, SearchError
from trading.research.trials import Field, Progress, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Parameters are chosen on `begin` to `split` and trade from `split` to `end`."""

    begin: datetime
    split: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A window with the trial that was best before the split, its parameters after it, and the field's own after it.

    None where no point had a score before the split: then nothing is traded after it.
    """

    window: Window
    chosen: Trial | None
    tested: Trial | None
    usual: Trial


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """All windows, and the days after the splits one behind the other, as they would have been traded."""

    steps: Sequence[Step]
    daily: Floats
    usual_daily: Floats

    @property
    def efficiency(self) -> float | None:
        """Return the mean return of a day after the splits over that of the chosen parameters before them.

        None where nothing was gained before the splits: there is no share of nothing.
        """
        chosen = [each.chosen.daily.mean() for each in self.steps if each.chosen is not None and len(each.chosen.daily)]
        before = float(np.mean(chosen)) if chosen else 0.0
        return float(self.daily.mean()) / before if before > 0 and len(self.daily) else None

    @property
    def profitable_fraction(self) -> float | None:
        """Return the share of the windows that traded and gained after the split."""
        gained = [_gain(each.tested) > 0 for each in self.steps if each.tested is not None]
        return sum(gained) / len(gained) if gained else None


def windows(first: datetime, last: datetime, *, train: int, test: int, is_anchored: bool) -> list[Window]:
    """Return the windows of a stretch by days to train and to test; the last one may end early, by half at most.

    They split at midnight UTC, so that no day's return belongs to two. Anchored ones all begin with the stretch, rolling
    ones have one length. Raises SearchError where none fits.
    """
    if train < 1 or test < 1:
        raise SearchError(f"{train} days to train and {test} to test: give 1 or more of each")
    step, begun = timedelta(days=test), first + timedelta(days=train)
    split = begun.replace(hour=0, minute=0, second=0, microsecond=0)
    split += timedelta(days=split < begun)
    found = []
    while split + step / 2 <= last:
        begin = first if is_anchored else split - timedelta(days=train)
        found.append(Window(begin=begin, split=split, end=min(split + step, last)))
        split += step
    if not found:
        days = (last - first) / timedelta(days=1)
        raise SearchError(f"{days:.1f} days are too few for a window: ask for less to train or test, or more candles")
    return found


def walk(
    field: Field,
    plan: Plan,
    splits: Sequence[Window],
    progress: Progress,
) -> Walk:
    """Search before each split and trade what was best after it, each window with the field's balance and no position."""
    steps = []
    for number, window in enumerate(splits):
        steps.append(step(field, plan, window, _nothing))
        progress(number + 1, len(splits))
    return of(steps)


def step(field: Field, plan: Plan, window: Window, progress: Progress) -> Step:
    """Search before a window's split and trade what was best after it; raises SearchError and what a backtest does."""
    found = search.search(field.between(window.begin, window.split), plan, progress)
    best = found.ranked(plan.objective, min_trades=plan.min_trades)[:1]
    after = field.between(window.split, window.end)
    return Step(
        window=window,
        chosen=best[0] if best else None,
        tested=trials.run(after, best[0].values) if best else None,
        usual=trials.run(after, {}),
    )


def of(steps: Sequence[Step]) -> Walk:
    """Return the walk that all windows make."""
    return Walk(
        steps=steps,
        daily=_joined([each.tested.daily if each.tested else np.zeros(len(each.usual.daily)) for each in steps]),
        usual_daily=_joined([each.usual.daily for each in steps]),
    )


def _gain(trial: Trial) -> float:
    return trial.figures["return_fraction"] or 0.0


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)


def _nothing(done: int, of: int) -> None:
    """Windows are told of, points are not."""
