"""Looking for parameters: every point of a grid, points drawn at random, or points that Optuna suggests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trading.core.param_spec import ParamsError, Spec
from trading.core.params import ADVICE, SELECTION, SPECS
from trading.research import trials
from trading.research.trials import Field, Progress, Trial

METHODS = ("grid", "random", "optuna")
MAX_POINTS = 100_000
"""Most points of a search."""
NOT_SOUGHT = ("timeframe", "pairs", "entry_order", *ADVICE, *SELECTION)


class SearchError(ValueError):
    """A search that cannot be made; the message says what to ask for instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The values that a parameter may take: those listed, or anything from `low` to `high`."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def is_whole(self) -> bool:
        return SPECS[self.name].kind is int

    def draw(self, rng: np.random.Generator) -> Any:
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.is_whole:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        return self.short(float(rng.uniform(self.low, self.high)))

    def short(self, value: float) -> float:
        """Return a value in six digits, as people can write it, within the axis."""
        return min(self.high, max(self.low, float(f"{value:.6g}")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was tried, in order; `contradictions` is how many points were left out since their values exclude each other."""

    trials: Sequence[Trial]
    contradictions: int

    def ranked(self, objective: str, *, min_trades: int) -> list[Trial]:
        """Return the trials with a score, the best first; of equals the one tried first."""
        scored = [(each.score(objective, min_trades=min_trades), each) for each in self.trials]
        known = [(score, each) for score, each in scored if score is not None]
        return [each for _, each in sorted(known, key=lambda pair: -pair[0])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to search. `points` is how many to try, but for a grid, which tries all of its own."""

    axes: Sequence[Axis]
    method: str
    points: int
    seed: int
    objective: str = "sharpe"
    min_trades: int = 10


def axis(text: str) -> Axis:
    """Return the axis that a text names: `stop_atr=1,2,3`, `stop_atr=1:4:0.5`, `stop_atr=1:4` or `stop_atr` (its range).

    Raises SearchError for what is no parameter or no value of it.
    """
    name, _, asked = text.partition("=")
    if name not in SPECS or name in NOT_SOUGHT:
        raise SearchError(f"{name!r} is no parameter that can be searched: see the parameters page for their names")
    spec = SPECS[name]
    if spec.kind is bool or spec.choices:
        usual: tuple[Any, ...] = (False, True) if spec.kind is bool else spec.choices
        return Axis(name=name, values=tuple(_value(spec, name, part) for part in asked.split(",")) if asked else usual)
    if "," in asked or (asked and ":" not in asked):
        return Axis(name=name, values=tuple(_value(spec, name, part) for part in asked.split(",")))
    assert spec.low is not None
    assert spec.high is not None
    bounds = [_value(spec, name, part) for part in asked.split(":")[:2]] if asked else [spec.low, spec.high]
    if bounds[0] >= bounds[1]:
        raise SearchError(f"{text!r} is empty: write the lower bound first, as in {name}={spec.low:g}:{spec.high:g}")
    parts = asked.split(":")
    if len(parts) < 3:
        return Axis(name=name, low=bounds[0], high=bounds[1])
    step = _number(name, parts[2])
    if len(parts) > 3 or not 0 < step < math.inf or (bounds[1] - bounds[0]) / step > MAX_POINTS:
        raise SearchError(f"{text!r} is no range: write {name}=from:to:step with a step above 0")
    count = math.floor((bounds[1] - bounds[0]) / step + 1e-9) + 1
    steps = [float(f"{bounds[0] + step * n:.12g}") for n in range(count)]
    return Axis(name=name, values=tuple(_value(spec, name, str(each)) for each in steps))


def search(field: Field, plan: Plan, progress: Progress) -> Search:
    """Try the points of a plan. A seed tries the same points again, in the same order.

    Raises SearchError, and what backtest.run does.
    """
    if plan.method == "optuna":
        _check(plan)
        return _suggested(field, plan, progress)
    return of(tried(field, points(plan), progress))


def points(plan: Plan) -> list[dict[str, Any]]:
    """Return every point of a plan that does not ask for one after another, in order; raises SearchError."""
    _check(plan)
    return grid(plan.axes) if plan.method == "grid" else list(_drawn(plan))


def tried(field: Field, values: Sequence[Mapping[str, Any]], progress: Progress) -> list[Trial | None]:
    """Try points, None for each that contradicts itself; raises what backtest.run does."""
    made: list[Trial | None] = []
    for each in values:
        try:
            made.append(trials.run(field, each))
        except ParamsError:
            made.append(None)
        progress(len(made), len(values))
    return made


def of(made: Sequence[Trial | None]) -> Search:
    """Return the search that all points make; raises SearchError where all of them contradict themselves."""
    known = [each for each in made if each is not None]
    if not known:
        raise SearchError(f"all {len(made)} points contradict themselves: choose values that go together")
    return Search(trials=known, contradictions=len(made) - len(known))


def grid(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Return every combination, the last axis running fastest."""
    if loose := [each.name for each in axes if not each.values]:
        raise SearchError(f"a grid needs values: write {loose[0]}=from:to:step, or use --method random or optuna")
    count = math.prod(len(each.values) for each in axes)
    if count > MAX_POINTS:
        raise SearchError(f"a grid of {count} points is too large: use larger steps, or --method random or optuna")
    combinations = itertools.product(*(each.values for each in axes))
    return [dict(zip([each.name for each in axes], values, strict=True)) for values in combinations]


def _check(plan: Plan) -> None:
    names = [each.name for each in plan.axes]
    if not names or len(set(names)) != len(names):
        raise SearchError("name each parameter to search once, as in --vary stop_atr=1:4:0.5")


def _drawn(plan: Plan) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(plan.seed)
    for _ in range(plan.points):
        yield {each.name: each.draw(rng) for each in plan.axes}


def _suggested(field: Field, plan: Plan, progress: Progress) -> Search:
    """Ask Optuna's tree-structured Parzen estimator (Bergstra et al., 2011) for one point after another."""
    import optuna  # it takes a second to load, which only this search needs to wait for

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=plan.seed))
    found: list[Trial | None] = []
    for number in range(1, plan.points + 1):
        asked = study.ask()
        values = {each.name: _suggest(asked, each) for each in plan.axes}
        try:
            made = trials.run(field, values)
        except ParamsError:
            found.append(None)
            study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            found.append(made)
            score = made.score(plan.objective, min_trades=plan.min_trades)
            state = optuna.trial.TrialState.FAIL if score is None else None
            study.tell(asked, score, state=state)
        progress(number, plan.points)
    return of(found)


def _suggest(asked: Any, each: Axis) -> Any:
    if each.values:
        return asked.suggest_categorical(each.name, each.values)
    if each.is_whole:
        return asked.suggest_int(each.name, int(each.low), int(each.high))
    return each.short(asked.suggest_float(each.name, each.low, each.high))


def _value(spec: Spec, name: str, text: str) -> Any:
    if spec.kind is bool:
        chosen: Mapping[str, bool] = {"true": True, "false": False}
        if text not in chosen:
            raise SearchError(f"{name}: {text!r} is neither true nor false")
        return chosen[text]
    try:
        return spec.clean(text if spec.choices else _number(name, text))
    except ValueError as error:
        raise SearchError(str(error) if isinstance(error, SearchError) else f"{name}: {error}") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SearchError(f"{name}: {text!r} is not a number") from None
