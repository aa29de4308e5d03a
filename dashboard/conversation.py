"""Questions in words and their answers, as the pages and the API show them: plain text, with who gave it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard import told
from dashboard.told import Json
from mlops import chat
from mlops.models import ChatMessage

EXAMPLES = (
    "Why is nothing traded?",
    "How close are the limits?",
    "What does the market look like?",
    "How did it do so far?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question with its answer; `answer` is empty while Gemini is asked."""

    pk: int | None
    asked: str
    asked_at: datetime
    answer: str
    by: str
    is_waiting: bool


def exchange(message: ChatMessage) -> Exchange:
    return Exchange(
        pk=message.pk,
        asked=message.question or chat.titled(message),
        asked_at=message.asked_at,
        answer="" if message.is_waiting else message.answer,
        by=chat.signed(message),
        is_waiting=message.is_waiting,
    )


def as_json(message: ChatMessage) -> dict[str, Json]:
    """Return the answer; while it is waited for, `answer` is null and /chat/<id> has it later."""
    return told.fields(
        id=message.pk,
        kind=message.kind,
        topic=message.topic,
        question=message.question,
        asked_at=message.asked_at,
        is_waiting=message.is_waiting,
        answer=None if message.is_waiting else message.answer,
        source=None if message.is_waiting else message.source,
        by=chat.signed(message) if not message.is_waiting else "",
        model=message.model,
        note=message.note,
    )


def sentence(refusal: chat.NotAsked) -> str:
    words = str(refusal)
    return f"{words[:1].upper()}{words[1:]}."
