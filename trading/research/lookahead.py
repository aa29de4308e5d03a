"""Whether a value peeks into the future, or depends on where its series begins: every indicator, filter and strategy.

Peeking: a value may not change when later bars arrive, or when they are other ones. Warm-up: what the tick reads off the
bars that it loads must be what the whole past would say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.core import decision, filters, indicators
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.strategies import Sides, Strategy, first_entries
from trading.research.trials import Progress

Columns = Mapping[str, NDArray[Any]]
TOLERANCE = 1e-6
"""A measured value may differ by so much of the usual size of its column."""
ROUND_TRIP = 0.003
"""Cost at which the filter of costs is asked; what it is does not matter here."""


class TooShort(ValueError):
    """Candles that are too few to try anything on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a column: `peeks`, `starts` (it depends on where the series begins) or `varies`."""

    column: str
    fault: str
    bar: int
    """The first bar at which it was seen, from 0."""
    times: int
    """At so many of the places that were tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was tried and found; `deviation` is by column and bars of history: the largest, over the column's usual size."""

    columns: Sequence[str]
    cuts: int
    late_starts: int
    """Cuts with enough bars before them to begin later; of the others nothing is proved about their start."""
    findings: Sequence[Finding]
    deviation: Mapping[str, Mapping[int, float]]
    history: int
    """Bars that a tick loads."""
    signals: Mapping[str, int]
    """Entries of each strategy: of what never happens nothing is proved."""


def study(
    candles: Candles, *, params: Params, strategies: Sequence[Strategy], cuts: int, seed: int, progress: Progress
) -> Study:
    """Measure the candles whole, cut off at many bars, with another future, and begun later; compare.

    Raises TooShort, and StrategyError for a strategy that answers in the wrong shape.
    """
    warm, history = indicators.warmup_bars(params), decision.history_bars(params, strategies)
    if len(candles) < warm + 50:
        raise TooShort(f"{len(candles)} bars are too few to look for mistakes: give {warm + 50} or more")
    rng = np.random.default_rng(seed)
    whole = measure(candles, params, strategies)
    places = _places(whole, strategies, warm, len(candles), cuts, rng)
    seen: dict[tuple[str, str], list[int]] = {}
    _note(seen, "varies", _differing(whole, measure(candles, params, strategies), len(candles)))
    deviation: dict[str, dict[int, float]] = {name: {} for name in whole}
    for number, place in enumerate(places, 1):
        past = candles.slice(0, place + 1)
        known = measure(past, params, strategies)
        other = measure(_another_future(candles, place + 1, rng), params, strategies)
        changed = _differing(whole, other, place + 1) | _differing(whole, known, place + 1)
        _note(seen, "peeks", changed)
        started = _started_late(past, known, (warm + 1, 2 * warm, history), params, strategies, deviation)
        _note(seen, "starts", dict.fromkeys(started, place))
        progress(number, len(places))
    return Study(
        columns=list(whole),
        cuts=len(places),
        late_starts=sum(place + 1 >= history for place in places),
        findings=_findings(seen),
        deviation=deviation,
        history=history,
        signals={each.name: int((whole[f"strategy {each.name}"] != 0).sum()) for each in strategies},
    )


def measure(candles: Candles, params: Params, strategies: Sequence[Strategy]) -> dict[str, NDArray[Any]]:
    """Return every indicator, filter and strategy's side of each bar, by name."""
    analysis = analyse(candles, params)
    found: dict[str, NDArray[Any]] = {each.name: getattr(analysis, each.name) for each in fields(Analysis)}
    for sign, side in ((1, "long"), (-1, "short")):
        sides: Sides = np.full(len(candles), sign, dtype=np.int8)
        context = filters.Context(candles=candles, analysis=analysis, sides=sides, params=params, round_trip=ROUND_TRIP)
        for rule in filters.in_force(params):
            column = rule(context)
            found[f"filter {column.name}, {side}"] = column.passed
    for strategy in strategies:
        found[f"strategy {strategy.name}"] = first_entries([strategy], candles, analysis, params)[0]
    return found


def _places(
    whole: Columns, strategies: Sequence[Strategy], warm: int, bars: int, cuts: int, rng: np.random.Generator
) -> list[int]:
    """Return the bars that are tried as the last one: half of them entries, where a peek pays."""
    entered = np.zeros(bars, dtype=np.bool_)
    for strategy in strategies:
        entered |= whole[f"strategy {strategy.name}"] != 0
    entries = np.flatnonzero(entered[warm:-1]) + warm
    half = min(cuts // 2, len(entries))
    chosen = set(rng.choice(entries, half, replace=False).tolist()) if half else set()
    others = np.setdiff1d(np.arange(warm, bars - 1), list(chosen))
    chosen |= set(rng.choice(others, min(len(others), max(1, cuts - half)), replace=False).tolist())
    return sorted(chosen)


def _another_future(candles: Candles, cut: int, rng: np.random.Generator) -> Candles:
    """Return the bars with prices and volumes from `cut` on that dwarf, or are dwarfed by, all that went before."""
    later = np.arange(len(candles)) >= cut
    factor = 50.0 if rng.random() < 0.5 else 0.02
    columns = {name: np.where(later, factor, 1.0) * getattr(candles, name) for name in ("open", "high", "low", "close")}
    volume = np.where(later, 1e6, 1.0) * candles.volume
    return Candles(symbol=candles.symbol, timeframe=candles.timeframe, opened=candles.opened, volume=volume, **columns)


def _differing(whole: Columns, other: Columns, bars: int) -> dict[str, int]:
    """Return the first of the bars at which columns are not the same to the last bit, by name."""
    found = {}
    for name, column in whole.items():
        one, two = column[:bars], other[name][:bars]
        differs = (one != two) & ~(_is_missing(one) & _is_missing(two))
        if differs.any():
            found[name] = int(differs.argmax())
    return found


def _started_late(
    past: Candles,
    known: Columns,
    lengths: Sequence[int],
    params: Params,
    strategies: Sequence[Strategy],
    deviation: dict[str, dict[int, float]],
) -> list[str]:
    """Note how far each column's last value is from the whole past's by length; return what differs at the longest."""
    different: list[str] = []
    for length in lengths:
        if length > len(past):
            continue
        part = measure(past.tail(length), params, strategies)
        for name, column in known.items():
            moved = _moved(column, part[name])
            deviation[name][length] = max(deviation[name].get(length, 0.0), moved)
            if length == lengths[-1] and moved > TOLERANCE:
                different.append(name)
    return different


def _moved(column: NDArray[Any], part: NDArray[Any]) -> float:
    """Return how far a part's last value is from the whole's, over the column's usual size; for codes 0 or 1."""
    one, two = column[-1], part[-1]
    if column.dtype.kind != "f":
        return float(one != two)
    if np.isnan(one) or np.isnan(two):
        return float(np.isnan(one) != np.isnan(two))
    usual = float(np.nanmedian(np.abs(column)))
    return float(abs(two - one)) / max(abs(float(one)), usual, 1e-300)


def _is_missing(values: Floats | NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)


def _note(seen: dict[tuple[str, str], list[int]], fault: str, changed: Mapping[str, int]) -> None:
    for name, bar in changed.items():
        seen.setdefault((name, fault), []).append(bar)


def _findings(seen: Mapping[tuple[str, str], Sequence[int]]) -> list[Finding]:
    return [Finding(column=name, fault=fault, bar=min(bars), times=len(bars)) for (name, fault), bars in seen.items()]
