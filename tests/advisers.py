"""Advisers that say what a test tells them, at once or outside the tick."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from trading.core.advice import Advice, Adviser, Question
from trading.core.advising import AI
from trading.services.context import Ports


@dataclass
class Told:
    """Answers with `says`, or raises it; every question is kept."""

    says: Any
    name: str = AI
    is_slow: bool = False
    asked: list[Question] = field(default_factory=list)

    def advise(self, question: Question) -> Advice:
        self.asked.append(question)
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says  # type: ignore[no-any-return]


def opinion(approve: Any = True, confidence: Any = 0.95, **columns: Any) -> Advice:
    return Advice(**{"source": AI, "approve": approve, "confidence": confidence, "reason": "it looks so", **columns})


def with_advisers(ports: Ports, *advisers: Adviser, bypassed: Collection[str] = ()) -> Ports:
    return replace(ports, advisers=advisers, bypassed=lambda: frozenset(bypassed))
