"""Why a recorded decision is not what its inputs say today: pure comparison of what was written and what is found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trading.core.types import Setup, Verdict

_CLOSE = 1e-9
"""Relative difference of numbers that count as equal: what a database keeps of a float is exact, sums are not."""


class Cause(StrEnum):
    """Why a decision differs; the first two are no differences."""

    SAME = "same"
    VETO = "veto"  # refused by what depends on the account, the clock, the venue or an adviser, not on candles
    LATE_DATA = "late data"
    NOT_STORED = "candles missing"
    MISSED_BAR = "missed bar"
    OTHER_VERSION = "other version"
    SLIPPAGE = "slippage"
    INSIDE_BAR = "path inside the bar"
    BY_HAND = "by hand"
    UNEXPLAINED = "unexplained"


EXPECTED = (Cause.SAME, Cause.VETO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A decision as it was written; None where a number had no value."""

    strategy: str
    side: str
    price: float
    atr: float
    regime: str
    score: float | None
    indicators: Mapping[str, float | None]
    verdicts: Mapping[str, tuple[bool, float | None]]
    refused_by: str
    reason: str
    code_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One decision of the past and what became of computing it again."""

    symbol: str
    timeframe: str
    bar_at: datetime
    side: str
    status: str
    cause: Cause
    text: str


def explain(
    recorded: Recorded,
    found: tuple[Setup, Sequence[Verdict]] | None,
    *,
    close: float | None,
    enough: bool,
    code_version: str,
) -> tuple[Cause, str]:
    """Return why a decision and what its inputs give today differ, with a sentence.

    `close` is that of the stored bar, None without one; `enough`: every bar that the decision needs is stored.
    """
    if close is None or not enough:
        return Cause.NOT_STORED, "not every bar that it was decided on is stored: fetch candles and ask again"
    differences = ["there is no setup"] if found is None else _differences(recorded, *found)
    if not differences:
        by_candles = {verdict.name for verdict in found[1]} if found else set()
        if recorded.refused_by and recorded.refused_by not in by_candles:
            return Cause.VETO, f"refused by {recorded.refused_by}: {recorded.reason}"
        return Cause.SAME, recorded.reason or "taken"
    text = "; ".join(differences[:3])
    if not _equal(recorded.price, close):
        return Cause.LATE_DATA, f"decided at a close of {recorded.price:g}, the bar is stored with {close:g}: {text}"
    if recorded.code_version != code_version:
        return Cause.OTHER_VERSION, f"decided by version {recorded.code_version}, this is {code_version}: {text}"
    return Cause.UNEXPLAINED, text


def _differences(recorded: Recorded, setup: Setup, verdicts: Sequence[Verdict]) -> list[str]:
    made: list[str] = []
    for name in ("strategy", "side", "regime"):
        before, now = getattr(recorded, name), str(getattr(setup, name))
        if before != now:
            made.append(f"{name} was {before}, is {now}")
    for name in ("price", "atr", "score"):
        if not _equal(getattr(recorded, name), getattr(setup, name)):
            made.append(f"{name} was {getattr(recorded, name)}, is {getattr(setup, name)}")
    made += [
        f"{name} was {recorded.indicators.get(name)}, is {value}"
        for name, value in setup.indicators.items()
        if not _equal(recorded.indicators.get(name), value)
    ]
    for verdict in verdicts:
        passed, value = recorded.verdicts.get(verdict.name, (verdict.passed, verdict.value))
        if passed != verdict.passed or not _equal(value, verdict.value):
            made.append(f"{verdict.name} was {_told(passed)} at {value}, is {_told(verdict.passed)} at {verdict.value}")
    return made


def _told(passed: bool) -> str:
    return "passed" if passed else "refused"


def _equal(before: float | None, now: float | None) -> bool:
    """Return whether two numbers are equal; no value and NaN are."""
    one, other = (math.nan if value is None else float(value) for value in (before, now))
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=1e-12)
