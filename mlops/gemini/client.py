"""One question to Gemini: breaker, budget, eight seconds, a strict reading, and the books afterwards.

It never raises: whatever goes wrong is a reply without a value that says why.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.conf import settings

from mlops.gemini import breaker, budget, kits, prompts
from mlops.gemini.kits import Call, Kit, Told
from mlops.gemini.wire import HOST, NoAnswer
from trading import events
from trading.core import redaction

BUDGET_S = 8.0
"""Nobody waits longer for an answer, whatever the other side does."""
MOST_TOKENS = 1_024
"""Of an answer; what the model thinks is part of it."""
SHARES = {
    "opinion": 1.0,
    "switch": 1.0,
    "explain": 0.8,
    "analysis": 0.8,
    "chat": 0.8,
    "proposal": 0.5,
    "commentary": 0.5,
}
"""Up to which part of the day's budget each prompt is asked: what nobody waits for leaves room for decisions."""
_BYTES_PER_TOKEN = 3
"""Fewer than there are, so that the estimate is too high rather than too low."""

logger = logging.getLogger(__name__)
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[Read]):
    """What came of a question; `value` is None where nothing did, and `reason` says why."""

    value: Read | None
    reason: str = ""
    model: str = ""
    prompt: str = ""
    tokens: int = 0
    cost_micro_usd: int = 0
    latency_ms: float = 0.0


def is_configured() -> bool:
    return bool(settings.GEMINI_API_KEY)


def ask(
    name: str,
    values: Mapping[str, prompts.Value],
    *,
    read: Callable[[str], Read],
    now: datetime,
    schema: Mapping[str, Any] | None = None,
    question: str = "",
) -> Reply[Read]:
    """Ask the prompt of this name with these data; `question` is a person's, and is scrubbed of secrets."""
    if not is_configured():
        return Reply(value=None, reason="no key for Gemini is set")
    redaction.remember([settings.GEMINI_API_KEY])
    prompt = prompts.load(name)
    asked = prompts.asked(redaction.scrub(question)) if question else ""
    told: Reply[Read] = Reply(value=None, model=settings.GEMINI_MODEL, prompt=prompt.stamp)
    try:
        content = "\n".join(part for part in (prompts.data(values), asked) if part)
    except ValueError as error:
        return replace(told, reason=f"it was not asked: {error}")
    if refusal := breaker.refusal(now=now):
        return replace(told, reason=refusal)
    kit = kits.load(settings.GEMINI_SDK)
    estimate = (len(prompt.text.encode()) + len(content.encode())) // _BYTES_PER_TOKEN
    booking = budget.book(tokens_in=estimate, tokens_out=MOST_TOKENS, now=now, share=SHARES[name])
    if booking is None:
        return replace(told, reason="the day's budget for Gemini is used up")
    begun = time.monotonic()
    call = Call(
        key=settings.GEMINI_API_KEY,
        endpoint=endpoint(),
        model=settings.GEMINI_MODEL,
        rules=prompt.text,
        content=content,
        schema=schema,
        most_tokens=MOST_TOKENS,
        deadline=begun + BUDGET_S,
    )
    tokens, cost = 0, 0
    try:
        came = _within(kit, call)
        # An answer that does not count its tokens is taken to be as long as it may be.
        tokens_in, tokens_out = came.tokens_in or estimate, came.tokens_out or MOST_TOKENS
        tokens, cost = tokens_in + tokens_out, budget.cost_of(tokens_in=tokens_in, tokens_out=tokens_out)
        value = read(came.text)
    except NoAnswer as failure:
        reason = redaction.scrub(str(failure))
        if not tokens and failure.is_billed:
            tokens, cost = booking.tokens, booking.cost
        logger.warning("no answer to %s: %s", prompt.stamp, reason)
        budget.settle(booking, tokens=tokens, cost=cost, failed=True)
        breaker.failed(reason, now=now, is_quota=failure.is_quota)
        if failure.is_overreach:
            events.emit("ai_overreach", at=now, text=f"Gemini asked for more than it may, and was refused: {reason}")
        return replace(told, reason=reason, tokens=tokens, cost_micro_usd=cost, latency_ms=_since(begun))
    budget.settle(booking, tokens=tokens, cost=cost, failed=False)
    breaker.answered(now=now)
    return replace(told, value=value, tokens=tokens, cost_micro_usd=cost, latency_ms=_since(begun))


def endpoint() -> str:
    """Return scheme, host and port of where Gemini is asked."""
    return str(settings.GEMINI_ENDPOINT).rstrip("/") or f"https://{HOST}"


def _within(kit: Kit, call: Call) -> Told:
    """Return what the kit was told, or raise NoAnswer when the time is up.

    The wire keeps the deadline by itself; a thread besides, for what it cannot cut short, such as looking up a name.
    """
    results: queue.SimpleQueue[Told | NoAnswer] = queue.SimpleQueue()

    def work() -> None:
        try:
            results.put(kit.generate(call))
        except NoAnswer as failure:
            results.put(failure)
        except kit.FAILURES as error:
            results.put(NoAnswer(f"the kit could not read the answer: {type(error).__name__}", is_billed=True))

    threading.Thread(target=work, name="gemini", daemon=True).start()
    try:
        came = results.get(timeout=max(0.0, call.deadline - time.monotonic()) + 0.25)
    except queue.Empty:
        raise NoAnswer("Gemini did not answer in time", is_billed=True) from None
    if isinstance(came, NoAnswer):
        raise came
    return came


def _since(begun: float) -> float:
    return round(1000 * (time.monotonic() - begun), 1)
