"""How right a source of opinions was and what it was worth: arrays in, frozen values out, nothing else.

A decision is approved or refused, and it won or lost, traded or followed as a shadow: TP, FP, TN, FN. The value of a
source is PnL with it less PnL without it: the results, turned round, of what it alone stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats, Ints
from trading.research import montecarlo
from trading.research.montecarlo import Spread

Bools = NDArray[np.bool_]

DRAWS = 1_000
BINS = 10
"""Of the reliability curve, equally wide."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """What decisions are grouped by: a name for each code, and each decision's code."""

    names: tuple[str, ...]
    codes: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """One source's decisions whose outcome is known, oldest first; all arrays have the same length."""

    approved: Bools
    won: Bools
    r: Floats
    """What each made or would have made, in R after costs."""
    pnl: Floats
    """The same in quote."""
    alone: Bools
    """Nobody else refused, so without this source a refused one would have been traded."""
    probability: Floats
    """That it wins, as the source said; NaN: it names none."""
    cost: Floats
    """US dollars."""
    labels: Mapping[str, Labels]

    def __len__(self) -> int:
        return len(self.approved)

    def tail(self, count: int) -> Decisions:
        """Return the newest decisions."""
        part = np.s_[max(0, len(self) - count) :]
        return Decisions(
            approved=self.approved[part],
            won=self.won[part],
            r=self.r[part],
            pnl=self.pnl[part],
            alone=self.alone[part],
            probability=self.probability[part],
            cost=self.cost[part],
            labels={name: Labels(names=each.names, codes=each.codes[part]) for name, each in self.labels.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The confusion matrix; a ratio without a denominator is None."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def total(self) -> int:
        return self.tp + self.fp + self.tn + self.fn

    @property
    def accuracy(self) -> float | None:
        return _ratio(self.tp + self.tn, self.total)

    @property
    def precision(self) -> float | None:
        """Return the share of the approved that won."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Return the share of the winners that were approved."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def approval(self) -> float | None:
        return _ratio(self.tp + self.fp, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Decisions whose probability was said to lie in [low, high): how high on average, and how many won."""

    low: float
    high: float
    count: int
    said: float
    won: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a source was worth, in R and in quote, with intervals; `stopped` is how many it alone refused."""

    stopped: int
    r: Spread
    pnl: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Decisions that share something; the value is without an interval, for there may be few."""

    name: str
    matrix: Matrix
    brier: float | None
    value_r: float
    value_pnl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Everything about one source; the mean R is of all it refused, whoever else refused as well."""

    matrix: Matrix
    brier: float | None
    reliability: tuple[Bin, ...]
    value: Value
    approved_r: float | None
    refused_r: float | None
    cost: float
    cost_each: float | None
    groups: Mapping[str, tuple[Group, ...]]


def score(decisions: Decisions, *, draws: int = DRAWS, seed: int = 0) -> Score:
    """Return how right a source was; the same seed draws the same interval."""
    count = len(decisions)
    spent = float(decisions.cost.sum())
    return Score(
        matrix=_matrices(decisions, np.zeros(count, dtype=np.int64), 1)[0],
        brier=brier(decisions),
        reliability=reliability(decisions),
        value=value(decisions, draws=draws, seed=seed),
        approved_r=_mean(decisions.r[decisions.approved]),
        refused_r=_mean(decisions.r[~decisions.approved]),
        cost=spent,
        cost_each=spent / count if count else None,
        groups={name: _groups(decisions, each) for name, each in decisions.labels.items()},
    )


def value(decisions: Decisions, *, draws: int = DRAWS, seed: int = 0) -> Value:
    """Return PnL with the source less PnL without it.

    The interval is of a moving block bootstrap over the decisions in the order of time, 95 %.
    """
    stopped = _stopped(decisions)
    worth = np.vstack([np.where(stopped, -decisions.r, 0.0), np.where(stopped, -decisions.pnl, 0.0)])
    if stopped.any():
        drawn = drawn_sums(worth, draws=draws, rng=np.random.default_rng(seed))
    else:  # most guards stop nothing for months, and nothing drawn anew is nothing
        drawn = np.zeros((2, draws if len(decisions) else 0))
    return Value(
        stopped=int(stopped.sum()),
        r=montecarlo.spread(float(worth[0].sum()), drawn[0]),
        pnl=montecarlo.spread(float(worth[1].sum()), drawn[1]),
    )


def drawn_sums(values: Floats, *, draws: int, rng: np.random.Generator) -> Floats:
    """Return the sums of many draws of each row of values: those of montecarlo.blocks, without their copies."""
    rows, count = values.shape
    if not count:
        return np.empty((rows, 0))
    length = montecarlo.usual_length(count)
    whole, rest = divmod(count, length)
    starts = rng.integers(0, count - length + 1, (draws, whole + bool(rest)))
    running = np.concatenate([np.zeros((rows, 1)), np.cumsum(values, axis=1)], axis=1)
    blocks = starts[:, :whole]
    sums = (running[:, blocks + length] - running[:, blocks]).sum(axis=2)
    if rest:
        last = starts[:, whole]
        sums += running[:, last + rest] - running[:, last]
    return np.asarray(sums)


def brier(decisions: Decisions) -> float | None:
    """Return the mean squared error of the probabilities (Brier, 1950); 0.25 is what saying 0.5 always earns."""
    errors = (decisions.probability - decisions.won) ** 2
    return _mean(errors[np.isfinite(errors)])


def reliability(decisions: Decisions) -> tuple[Bin, ...]:
    """Return the bins of the reliability curve that hold anything."""
    known = np.isfinite(decisions.probability)
    said, won = decisions.probability[known], decisions.won[known]
    places = np.clip((said * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    sums, wins = np.bincount(places, said, BINS), np.bincount(places, won, BINS)
    return tuple(
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            count=int(counts[place]),
            said=float(sums[place] / counts[place]),
            won=float(wins[place] / counts[place]),
        )
        for place in np.flatnonzero(counts).tolist()
    )


def as_json(made: Score) -> dict[str, Any]:
    """Return a score as JSON values, ratios included."""
    return {
        **{name: getattr(made, name) for name in ("brier", "approved_r", "refused_r", "cost", "cost_each")},
        **_matrix_as_json(made.matrix),
        "reliability": [asdict(each) for each in made.reliability],
        "value": {"stopped": made.value.stopped, "r": asdict(made.value.r), "pnl": asdict(made.value.pnl)},
        "groups": {
            name: [
                {"name": each.name, "brier": each.brier, "value_r": each.value_r, "value_pnl": each.value_pnl}
                | _matrix_as_json(each.matrix)
                for each in groups
            ]
            for name, groups in made.groups.items()
        },
    }


def _matrix_as_json(matrix: Matrix) -> dict[str, float | None]:
    ratios = ("total", "accuracy", "precision", "recall", "f1", "approval")
    return {**asdict(matrix), **{name: getattr(matrix, name) for name in ratios}}


def _stopped(decisions: Decisions) -> Bools:
    return ~decisions.approved & decisions.alone


def _groups(decisions: Decisions, labels: Labels) -> tuple[Group, ...]:
    """Return the groups that hold anything, in the order of their names."""
    codes, size = labels.codes, len(labels.names)
    matrices = _matrices(decisions, codes, size)
    stopped = _stopped(decisions)
    in_r = np.bincount(codes, np.where(stopped, -decisions.r, 0.0), size)
    in_quote = np.bincount(codes, np.where(stopped, -decisions.pnl, 0.0), size)
    errors = (decisions.probability - decisions.won) ** 2
    known = np.isfinite(errors)
    counts, sums = np.bincount(codes[known], minlength=size), np.bincount(codes[known], errors[known], size)
    return tuple(
        Group(
            name=labels.names[code],
            matrix=matrices[code],
            brier=float(sums[code] / counts[code]) if counts[code] else None,
            value_r=float(in_r[code]) + 0.0,
            value_pnl=float(in_quote[code]) + 0.0,
        )
        for code in sorted(range(size), key=lambda code: labels.names[code])
        if matrices[code].total
    )


def _matrices(decisions: Decisions, codes: Ints, size: int) -> list[Matrix]:
    kinds = np.where(decisions.approved, np.where(decisions.won, 0, 1), np.where(decisions.won, 3, 2))
    counts = np.bincount(codes * 4 + kinds, minlength=4 * size).reshape(size, 4).tolist()
    return [Matrix(tp=tp, fp=fp, tn=tn, fn=fn) for tp, fp, tn, fn in counts]


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def labels_of(values: list[str]) -> Labels:
    """Return the labels of as many decisions."""
    names = tuple(sorted(set(values)))
    places = {name: place for place, name in enumerate(names)}
    return Labels(names=names, codes=np.array([places[each] for each in values], dtype=np.int64))


def bucket(confidence: float) -> str:
    """Return the tenth in which a confidence lies, such as 0.7 to 0.8."""
    if not math.isfinite(confidence):
        return "none said"
    low = min(max(math.floor(confidence * BINS + 1e-9), 0), BINS - 1)
    return f"{low / BINS:.1f} to {(low + 1) / BINS:.1f}"
