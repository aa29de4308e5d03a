"""What Telegram posts, read strictly: a message in words or a press of a button; everything else is nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LONGEST_TEXT = 4096
_BORROWED = ("forward_origin", "forward_date", "forward_from", "forward_from_chat", "via_bot", "sender_chat")
"""Marks of a message whose words are not, or not surely, its sender's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message or press; `sent_at` is unknown of a press."""

    update_id: int
    is_press: bool
    sender_id: int
    chat_id: int
    is_private: bool
    message_id: int
    text: str
    sent_at: datetime | None = None
    press_id: str = ""


def parse(raw: bytes) -> Incoming | None:
    """Return the message or the press; None for junk and for what the bot does not heed, such as an edited message."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not _is_id(body.get("update_id")):
        return None
    if isinstance(message := body.get("message"), dict):
        return _message(body["update_id"], message)
    if isinstance(press := body.get("callback_query"), dict):
        return _press(body["update_id"], press)
    return None


def _message(update_id: int, message: dict[str, Any]) -> Incoming | None:
    date = message.get("date")
    if any(mark in message for mark in _BORROWED) or "edit_date" in message or not _is_id(date):
        return None
    try:
        sent_at = datetime.fromtimestamp(int(str(date)), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return _incoming(update_id, message.get("from"), message, message.get("text"), sent_at=sent_at)


def _press(update_id: int, press: dict[str, Any]) -> Incoming | None:
    message, press_id = press.get("message"), press.get("id")
    if not isinstance(message, dict) or not isinstance(press_id, str) or len(press_id) > 64:
        return None
    return _incoming(update_id, press.get("from"), message, press.get("data"), press_id=_clean(press_id))


def _incoming(
    update_id: int,
    sender: object,
    message: dict[str, Any],
    text: object,
    *,
    sent_at: datetime | None = None,
    press_id: str = "",
) -> Incoming | None:
    chat, message_id = message.get("chat"), message.get("message_id")
    if not isinstance(sender, dict) or not isinstance(chat, dict) or sender.get("is_bot"):
        return None
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
        return None
    ids = (sender.get("id"), chat.get("id"), message_id)
    if not all(_is_id(number) for number in ids):
        return None
    return Incoming(
        update_id=update_id,
        is_press=bool(press_id),
        sender_id=int(str(ids[0])),
        chat_id=int(str(ids[1])),
        is_private=chat.get("type") == "private",
        message_id=int(str(ids[2])),
        text=_clean(text),
        sent_at=sent_at,
        press_id=press_id,
    )


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and -(2**63) <= number < 2**63


def _clean(text: str) -> str:
    """Return text that every database takes: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
