"""Questions in words and their answers: panels explained, a symbol analysed, the market commented on, a chat.

An answer is text to be read. Nothing here, and nothing that reads an answer, acts on what it says: the only rows that
are written are the chat's own and Gemini's books. What the rules say is always at hand; where there is a key, Gemini is
asked in the queue `ml` and its answer takes the place of theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from mlops import panels, snapshots
from mlops.gemini import answers, client
from mlops.gemini.prompts import Value
from mlops.gemini.wire import NoAnswer
from mlops.models import ChatKind, ChatMessage, ChatSource
from mlops.panels import Panel, Snapshot
from trading.core import redaction

MOST_A_MINUTE = 20
LONGEST_QUESTION = 500
PATIENCE = timedelta(seconds=20)
"""For so long Gemini's answer is waited for; then the rules' one stands."""
LATE = "Gemini did not answer in time"
KEPT = timedelta(days=30)
PROMPTS = {
    ChatKind.EXPLAIN: "explain",
    ChatKind.COMMENTARY: "commentary",
    ChatKind.ANALYSIS: "analysis",
    ChatKind.CHAT: "chat",
}

TASK = "mlops.tasks.answer"
"""Named and not imported: pages import this module, and the tasks lead to everything that learns."""

logger = logging.getLogger(__name__)


class NotAsked(Exception):
    """The question is not answered now; one sentence that says why."""


def explain(panel: str, *, user: User, now: datetime) -> ChatMessage:
    """Explain one panel as it is now; raises NotAsked and, for a panel that there is not, KeyError."""
    if panel not in panels.NAMES:
        raise KeyError(panel)
    look = partial(_look, panel)
    return _open(ChatKind.EXPLAIN, look, user=user, now=now, topic=panel)


def analyse(symbol: str, *, user: User, now: datetime, reply_to: str = "") -> ChatMessage:
    """Say what is known of one watched symbol."""
    look = partial(panels.symbol, symbol)
    return _open(ChatKind.ANALYSIS, look, user=user, now=now, topic=symbol, reply_to=reply_to)


def ask(question: str, *, user: User, now: datetime, reply_to: str = "") -> ChatMessage:
    """Answer a question from a snapshot of the system's state; raises NotAsked."""
    asked = _readable(question)
    look = partial(snapshots.about, asked)
    return _open(ChatKind.CHAT, look, user=user, now=now, question=asked, reply_to=reply_to)


def comment(*, now: datetime) -> ChatMessage | None:
    """Let Gemini comment on the market for everybody, and keep what it says; None where it does not answer."""
    reply = client.ask("commentary", panels.snapshot("market", now=now).data, read=answers.prose, now=now)
    if reply.value is None:
        return None
    return ChatMessage.objects.create(
        kind=ChatKind.COMMENTARY,
        topic="market",
        user_name="",
        asked_at=now,
        answered_at=now,
        answer=reply.value,
        **_books(reply),
    )


def commentary(*, now: datetime) -> ChatMessage:
    """Return the newest commentary that is not old, else what the rules say now; the latter has no row."""
    last = ChatMessage.objects.filter(kind=ChatKind.COMMENTARY, user=None).order_by("-asked_at").first()
    period = timedelta(minutes=max(30, 2 * settings.GEMINI_COMMENTARY_MINUTES))
    if last is not None and now - last.asked_at < period:
        return last
    says = _text(panels.snapshot("market", now=now))
    return ChatMessage(kind=ChatKind.COMMENTARY, topic="market", asked_at=now, answered_at=now, answer=says)


def is_comment_due(*, now: datetime) -> bool:
    period = settings.GEMINI_COMMENTARY_MINUTES
    if not period or not client.is_configured():
        return False
    recent = ChatMessage.objects.filter(
        kind=ChatKind.COMMENTARY, user=None, asked_at__gt=now - timedelta(minutes=period)
    )
    return not recent.exists()


def answer(message_id: int, *, now: datetime) -> bool:
    """Let Gemini answer what waits for it; False where nothing waits any more."""
    message = ChatMessage.objects.filter(pk=message_id, is_waiting=True).first()
    if message is None:
        return False
    kind = ChatKind(message.kind)
    reply = client.ask(PROMPTS[kind], _data(message, now), read=answers.prose, now=now, question=message.question)
    if reply.value is None:
        return settle(message, note=reply.reason, now=now)
    columns = {"answer": reply.value, "answered_at": now, **_books(reply)}
    return _close(message, columns, now=now)


def settle(message: ChatMessage, *, note: str, now: datetime) -> bool:
    """Let the rules' answer stand, and say why it is not Gemini's."""
    return _close(message, {"note": note[:200], "answered_at": now}, now=now)


def settle_late(*, now: datetime) -> None:
    """Let the rules' answers stand where Gemini's was waited for too long."""
    for message in ChatMessage.objects.filter(asked_at__lt=now - PATIENCE, is_waiting=True).order_by("pk")[:100]:
        settle(message, note=LATE, now=now)


def find(message_id: int, *, user: User, now: datetime) -> ChatMessage | None:
    """Return one of the user's own messages; one that was waited for too long is settled by that."""
    message = ChatMessage.objects.filter(pk=message_id, user=user).first()
    if message is not None and message.is_waiting and now - message.asked_at > PATIENCE:
        settle(message, note=LATE, now=now)
        message.refresh_from_db()
    return message


def history(*, user: User, limit: int) -> list[ChatMessage]:
    """Return the user's newest questions and analyses, oldest first."""
    kinds = (ChatKind.CHAT, ChatKind.ANALYSIS)
    return list(ChatMessage.objects.filter(user=user, kind__in=kinds).order_by("-asked_at", "-pk")[:limit])[::-1]


def prune(*, now: datetime) -> None:
    ChatMessage.objects.filter(asked_at__lt=now - KEPT).delete()


def _open(
    kind: ChatKind,
    look: Snapshot,
    *,
    user: User,
    now: datetime,
    topic: str = "",
    question: str = "",
    reply_to: str = "",
) -> ChatMessage:
    recent = ChatMessage.objects.filter(user=user, asked_at__gt=now - timedelta(minutes=1))
    if recent.count() >= MOST_A_MINUTE:
        raise NotAsked(f"at most {MOST_A_MINUTE} questions a minute are answered: ask again in a moment")
    is_waiting = client.is_configured() and topic not in panels.GUIDES
    if is_waiting:
        settle_late(now=now)
    try:
        with transaction.atomic():
            message = ChatMessage.objects.create(
                kind=kind,
                topic=topic,
                user=user,
                user_name=user.get_username(),
                reply_to=reply_to,
                question=question,
                asked_at=now,
                is_waiting=is_waiting,
                answer=_text(look(now)),
                answered_at=None if is_waiting else now,
            )
    except IntegrityError as one_waits:
        raise NotAsked("your last question is still being answered") from one_waits
    if is_waiting:
        transaction.on_commit(_hint(message, now), robust=True)
        message.refresh_from_db()
    return message


def _hint(message: ChatMessage, now: datetime) -> Callable[[], None]:
    """Return what asks the worker; where nobody can be told, the rules' answer stands at once."""

    def send() -> None:
        try:
            import_string(TASK).apply_async(
                kwargs={"message_id": message.pk}, retry=False, expires=PATIENCE.total_seconds()
            )
        except OperationalError as error:
            logger.warning("question %s is answered by the rules, Redis does not answer: %s", message.pk, error)
            settle(message, note="no worker could be told", now=now)

    return send


def _close(message: ChatMessage, columns: Mapping[str, object], *, now: datetime) -> bool:
    if not ChatMessage.objects.filter(pk=message.pk, is_waiting=True).update(is_waiting=False, **columns):
        return False
    message.refresh_from_db()
    if message.reply_to and settings.ANSWER_LISTENER:
        import_string(settings.ANSWER_LISTENER)(
            key=f"chat:{message.pk}", channel=message.reply_to, title=titled(message), text=told(message), now=now
        )
    return True


def titled(message: ChatMessage) -> str:
    return (
        f"Analysis of {message.topic}" if message.kind == ChatKind.ANALYSIS else message.get_kind_display().capitalize()
    )


def told(message: ChatMessage) -> str:
    """Return the answer with who gave it, as plain text."""
    return f"{message.answer}\n\n{signed(message)}"


def signed(message: ChatMessage) -> str:
    """Return who answered, and why it was not Gemini where it was asked."""
    if message.source == ChatSource.GEMINI:
        return f"Gemini ({message.model}); it may be wrong, and nothing it says is carried out."
    return f"Julaba's rules, without AI{f': {message.note}' if message.note else ''}."


def _data(message: ChatMessage, now: datetime) -> Mapping[str, Value]:
    if message.kind == ChatKind.ANALYSIS:
        return panels.symbol(message.topic, now).data
    if message.kind == ChatKind.CHAT:
        return snapshots.whole(now=now)
    return {"panel": panels.snapshot(message.topic, now=now).data}


def _books(reply: client.Reply[str]) -> dict[str, object]:
    return {
        "source": ChatSource.GEMINI,
        "model": reply.model,
        "prompt": reply.prompt,
        "tokens": reply.tokens,
        "cost_micro_usd": reply.cost_micro_usd,
        "latency_ms": reply.latency_ms,
    }


def _look(panel: str, now: datetime) -> Panel:
    return panels.snapshot(panel, now=now)


def _text(shown: Panel) -> str:
    return "\n".join(shown.says)


def _readable(question: str) -> str:
    """Return a person's words, cut, without signs that no screen shows and without secrets."""
    try:
        words = answers.cleaned(question, LONGEST_QUESTION)
    except NoAnswer:
        raise NotAsked("ask something in words") from None
    return redaction.scrub(words)
