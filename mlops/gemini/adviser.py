"""Gemini as an adviser: it may say yes, no, or nothing about a setup; side, size and parameters are none of its business."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone

from mlops.gemini import answers, client, facts
from trading.core.advice import Advice, Question
from trading.core.advising import AI


class GeminiAdviser:
    """Asks Gemini about each setup that passed everything else. It answers outside the tick."""

    name: ClassVar[str] = AI
    is_slow: ClassVar[bool] = True

    def advise(self, question: Question) -> Advice:
        reply = client.ask(
            "opinion",
            facts.of_question(question),
            schema=answers.OPINION_SCHEMA,
            read=answers.opinion,
            now=timezone.now(),
        )
        found = reply.value
        return Advice(
            source=AI,
            approve=found.approve if found else None,
            confidence=found.confidence if found else None,
            reason=found.reasoning if found else reply.reason,
            risk=found.risk if found else "",
            against=found.against if found else (),
            model=reply.model,
            prompt=reply.prompt,
            tokens=reply.tokens,
            cost_usd=reply.cost_micro_usd / 1_000_000,
            latency_ms=reply.latency_ms,
        )
