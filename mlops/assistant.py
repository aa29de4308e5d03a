"""Who answers in words, as the messages know it: settings.ASSISTANT names it, for notifications may not import mlops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User

from mlops import chat
from mlops.gemini import breaker, budget, client
from mlops.models import ChatMessage
from mlops.panels.words import span
from trading import selectors
from trading.core.advising import AI
from trading.models import Advice

LAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was answered; one that is not final is followed by another message."""

    text: str
    is_final: bool = True


class Assistant:
    """Answers in plain text and does nothing else."""

    def ask(self, question: str, *, user: User, reply_to: str, now: datetime) -> Said:
        return _said(lambda: chat.ask(question, user=user, now=now, reply_to=reply_to))

    def analyse(self, symbol: str, *, user: User, reply_to: str, now: datetime) -> Said:
        return _said(lambda: chat.analyse(symbol, user=user, now=now, reply_to=reply_to))

    def comment(self, *, now: datetime) -> Said:
        return Said(text=chat.told(chat.commentary(now=now)))

    def status(self, *, now: datetime) -> Sequence[tuple[str, str]]:
        """Return mode, who answers, what it costs, whether it is left alone, and what it said last, as (name, value)."""
        return [*_setup(), *(_gemini(now) if client.is_configured() else ()), *_last(now)]


def _said(ask: Callable[[], ChatMessage]) -> Said:
    try:
        message = ask()
    except chat.NotAsked as refusal:
        return Said(text=f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.")
    if message.is_waiting:
        return Said(text="Gemini is asked; its answer follows.", is_final=False)
    return Said(text=chat.told(message))


def _setup() -> list[tuple[str, str]]:
    params = selectors.params()
    who = f"Gemini, {settings.GEMINI_MODEL}" if client.is_configured() else "rules, without AI: no key is set"
    return [("Mode", params.ai_mode), ("Who answers", who), ("Without an opinion", params.ai_down)]


def _gemini(now: datetime) -> list[tuple[str, str]]:
    spent, state = budget.spent(now=now), breaker.state()
    is_open = state.open_until is not None and state.open_until > now
    alone = f"left alone until {state.open_until:%H:%M:%S} UTC" if is_open else "asked"
    rows = [
        ("Today", f"{spent.calls} questions, {spent.failures} without an answer"),
        ("Tokens", f"{spent.tokens:,} of {spent.most_tokens:,}"),
        ("Cost", f"${spent.cost:.4f} of ${spent.most_cost:.2f}"),
        ("Breaker", f"{alone}, {state.failures_in_row} failures in a row"),
    ]
    if state.last_error and state.last_error_at:
        rows.append(("Last failure", f"{span(now - state.last_error_at)} ago: {state.last_error}"))
    return rows


def _last(now: datetime) -> list[tuple[str, str]]:
    advices = Advice.objects.filter(source=AI).select_related("signal").order_by("-at", "-pk")[:LAST]
    return [(f"{span(now - advice.at)} ago", _answered(advice)) for advice in advices]


def _answered(advice: Advice) -> str:
    what = f"{advice.signal.symbol} {advice.signal.side}"
    if advice.approve is None:
        return f"{what}: no opinion, {advice.reason}"
    confidence = f" {advice.confidence:.2f}" if advice.confidence is not None else ""
    return f"{what}: {'yes' if advice.approve else 'no'}{confidence}"
