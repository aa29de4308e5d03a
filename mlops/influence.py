"""How much the regime classifier may move a decision: nothing until it has earned it, and nothing again when it errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 0.20
NEEDED_SAMPLES, SAMPLES_A_POINT = 100, 500
NEEDED_ACCURACY = 0.55
WATCHED, LEAST_ACCURACY = 20, 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The weight, and a sentence that says where it comes from; `is_lost` where it was earned and taken back."""

    weight: float
    reason: str
    is_lost: bool = False


def earned(*, samples: int, accuracy: float, recent: Sequence[bool]) -> Influence:
    """Return min(0.20, (samples - 100) / 500), or nothing and why.

    `accuracy` is out of sample; `recent` says of the newest live answers, newest first, which were right.
    """
    if samples <= NEEDED_SAMPLES:
        return Influence(weight=0.0, reason=f"{samples} samples, more than {NEEDED_SAMPLES} are needed")
    # Asked this way round, a missing accuracy earns nothing.
    if not accuracy > NEEDED_ACCURACY:
        return Influence(
            weight=0.0, reason=f"accuracy out of sample {accuracy:.1%}, more than {NEEDED_ACCURACY:.0%} is needed"
        )
    watched = recent[:WATCHED]
    if len(watched) == WATCHED and sum(watched) / WATCHED < LEAST_ACCURACY:
        return Influence(
            weight=0.0,
            reason=f"only {sum(watched)} of the last {WATCHED} answers were right, {LEAST_ACCURACY:.0%} are needed",
            is_lost=True,
        )
    weight = min(MOST, (samples - NEEDED_SAMPLES) / SAMPLES_A_POINT)
    return Influence(weight=weight, reason=f"{samples} samples, accuracy out of sample {accuracy:.1%}")
