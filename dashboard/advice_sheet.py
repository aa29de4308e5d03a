"""What advisers said about one decision, in words, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import formats, told
from dashboard.formats import NOTHING
from dashboard.told import Json
from trading.models import Advice, Signal

SOURCES = {"ai": "AI", "predictor": "Predictor", "regime_model": "Regime model"}
"""How people call the advisers; one of the operator's own keeps its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRow:
    """One answer: its mark and tone, what it compared, its arguments, and what it cost."""

    source: str
    mark: str
    tone: str
    confidence: str
    limit: str
    verdict: str
    passed: bool | None
    """Whether it let the setup pass; None: it came too late, or had no say yet."""
    reason: str
    against: Sequence[str]
    facts: Sequence[tuple[str, str]]
    is_late: bool


def rows(signal: Signal) -> list[AdviceRow]:
    """Return what is on record about a signal, in the order in which it came."""
    verdicts = {verdict.name: verdict for verdict in signal.verdicts.all()}
    made = []
    for advice in signal.advices.order_by("pk"):
        verdict = None if advice.is_late else verdicts.get(advice.source)
        mark, tone = _mark(advice)
        made.append(
            AdviceRow(
                source=SOURCES.get(advice.source, formats.words(advice.source)),
                mark=mark,
                tone=tone,
                confidence=NOTHING if advice.confidence is None else f"{advice.confidence:.2f}",
                limit=NOTHING if verdict is None or verdict.limit is None else f"{verdict.limit:.2f}",
                verdict=verdict.reason if verdict else "",
                passed=verdict.passed if verdict else None,
                reason=advice.reason,
                against=[str(each) for each in advice.against],
                facts=_facts(advice),
                is_late=advice.is_late,
            )
        )
    return made


def as_json(advice: Advice) -> dict[str, Json]:
    return told.fields(
        source=advice.source,
        approve=advice.approve,
        confidence=advice.confidence,
        influence=advice.influence,
        reason=advice.reason,
        risk=advice.risk,
        against=advice.against,
        model=advice.model,
        prompt=advice.prompt,
        tokens=advice.tokens,
        cost_usd=advice.cost_usd,
        latency_ms=advice.latency_ms,
        at=advice.at,
        is_late=advice.is_late,
    )


def _mark(advice: Advice) -> tuple[str, str]:
    if advice.approve is None:
        return "○ no opinion", "faint"
    return ("✓ approves", "gain") if advice.approve else ("✕ rejects", "loss")


def _facts(advice: Advice) -> list[tuple[str, str]]:
    """Return what is known about an answer besides its words; what was not given is left out."""
    weight = f"{advice.influence:.2f}".rstrip("0").rstrip(".") if math.isfinite(advice.influence) else NOTHING
    facts = [
        ("Risk", advice.risk),
        ("Model", advice.model),
        ("Prompt", advice.prompt),
        ("Influence", weight),
        ("Took", took(advice.latency_ms)),
        ("Tokens", f"{advice.tokens:,}" if advice.tokens else ""),
        ("Cost", f"{advice.cost_usd:.5f} USD" if advice.cost_usd else ""),
    ]
    return [(name, text) for name, text in facts if text]


def took(milliseconds: float) -> str:
    """Return a span as people say it: whole milliseconds from ten on, seconds from one on."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"
