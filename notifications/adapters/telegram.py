"""The only door to Telegram. It raises notifications.ports.Unavailable and Refused, and never tells the token.

Every call has a client of its own: a shared one fails on the next event loop.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from asgiref.sync import async_to_sync

# Asked for by the library: without it, reading `retry_after` warns that seconds will become a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "true")

from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, Message, WebhookInfo
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from notifications.ports import Buttons, Outgoing, Refused, Unavailable

OFFICIAL = "https://api.telegram.org"
PATIENCE_S = 8.0
UPLOAD_S = 20.0
LONGEST_WAIT_S = 6 * 3600
"""Nobody is left unwarned for longer, whatever number a server writes."""
_FINAL = (405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 431)
"""What the same request will always be answered with."""
_NOBODY = {"id": 0, "type": "private"}
UPDATES = ["message", "callback_query"]
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "no text in the message")
_UNCHANGED = "not modified"
Answer = TypeVar("Answer")


class Telegram:
    """One bot, at Telegram or at the address of a Bot API server of one's own."""

    def __init__(self, token: str, *, endpoint: str = "") -> None:
        self._token, self._base = token, f"{(endpoint or OFFICIAL).rstrip('/')}/bot"

    def send(self, message: Outgoing) -> int:
        """Send or replace a message and return its number; a replacement that changes nothing is done."""

        async def act(bot: Bot) -> int:
            try:
                sent = await _sent(bot, message)
            except BadRequest as refusal:
                if message.edits is None or _UNCHANGED not in str(refusal).lower():
                    raise
                return message.edits
            return sent.message_id if isinstance(sent, Message) else message.edits or 0

        return self._run(act)

    def answer(self, press_id: str, text: str) -> None:
        """Stop the spinner of a pressed button and show a few words."""

        async def act(bot: Bot) -> None:
            await bot.answer_callback_query(press_id, text=text[:200])

        self._run(act)

    def set_webhook(self, url: str, *, secret: str, commands: list[tuple[str, str]]) -> None:
        """Have updates sent to `url` and forget those that wait; the commands become the menu."""

        async def act(bot: Bot) -> None:
            await bot.set_my_commands([BotCommand(name, help) for name, help in commands])
            await bot.set_webhook(
                url, secret_token=secret, allowed_updates=UPDATES, drop_pending_updates=True, max_connections=4
            )

        self._run(act)

    def webhook(self) -> dict[str, Any]:
        """Return what Telegram knows of the webhook."""

        async def act(bot: Bot) -> WebhookInfo:
            return await bot.get_webhook_info()

        told: dict[str, Any] = self._run(act).to_dict()
        return told

    def delete_webhook(self) -> None:
        async def act(bot: Bot) -> None:
            await bot.delete_webhook(drop_pending_updates=True)

        self._run(act)

    def _run(self, act: Callable[[Bot], Awaitable[Answer]]) -> Answer:
        async def within() -> Answer:
            async with _request() as request:
                # Nobody polls, so the second client that a bot wants is the first one again: each costs 30 ms.
                return await act(Bot(self._token, base_url=self._base, request=request, get_updates_request=request))

        try:
            return async_to_sync(within)()
        except RetryAfter as wait:
            after = wait.retry_after
            seconds = after if isinstance(after, timedelta) else timedelta(seconds=after)
            raise Unavailable("Telegram asks to wait", retry_after=seconds) from None
        except ChatMigrated as moved:
            raise Refused(self._safe(moved), moved_to=moved.new_chat_id) from None
        except (BadRequest, Forbidden, Conflict) as refusal:
            words = str(refusal).lower()
            raise Refused(
                self._safe(refusal),
                is_markup="parse entities" in words,
                is_gone=any(sign in words for sign in _GONE),
                is_unwanted=isinstance(refusal, Forbidden) or "chat not found" in words,
            ) from None
        except (InvalidToken, EndPointNotFound):
            raise Unavailable("Telegram does not know this bot: correct TELEGRAM_TOKEN") from None
        except (NetworkError, TelegramError) as error:
            raise Unavailable(self._safe(error)) from None
        except (KeyError, TypeError, ValueError, AttributeError) as odd:
            raise Unavailable(f"an answer that cannot be read: {type(odd).__name__}") from None

    def _safe(self, error: Exception) -> str:
        return f"{type(error).__name__}: {error}".replace(self._token, "***")


async def _sent(bot: Bot, message: Outgoing) -> Message | bool:
    mode = None if message.is_plain else ParseMode.HTML
    markup, file, is_silent = _markup(message.buttons), message.file, message.is_silent
    if message.edits is not None:
        return await bot.edit_message_text(
            message.text, chat_id=message.chat_id, message_id=message.edits, parse_mode=mode, reply_markup=markup
        )
    if file is None:
        return await bot.send_message(
            message.chat_id, message.text, parse_mode=mode, reply_markup=markup, disable_notification=is_silent
        )
    send = bot.send_photo if file.is_picture else bot.send_document
    return await send(
        message.chat_id,
        file.content,
        caption=message.text,
        filename=file.name,
        parse_mode=mode,
        reply_markup=markup,
        disable_notification=is_silent,
        write_timeout=UPLOAD_S,
    )


class _Request(HTTPXRequest):
    """Reads answers as leniently as servers write them: the library trusts the status alone, and types blindly."""

    async def do_request(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        status, raw = await super().do_request(*args, **options)
        try:
            told = json.loads(raw)
        except ValueError:
            return (status if status >= 300 else HTTPStatus.BAD_GATEWAY), raw  # a page of some proxy
        if not isinstance(told, dict):
            return HTTPStatus.BAD_GATEWAY, b"{}"
        if told.get("ok") is False or status >= 300:
            return _failure(status, told)
        if str(options.get("url")).rpartition("/")[2].startswith(("send", "edit")):
            # It was sent: a field that is missing or odd must not have it sent again. The number is all that is used.
            sent = told.get("result")
            number = sent.get("message_id") if isinstance(sent, dict) else None
            told["result"] = {"message_id": number, "date": 0, "chat": _NOBODY} if isinstance(number, int) else True
        return status, json.dumps({"result": True, **told}).encode()


def _failure(status: int, told: dict[str, Any]) -> tuple[int, bytes]:
    """Return a failure's own status and what the library reads of it, each in the type that it takes."""
    code = told.get("error_code")
    if status < 300:
        status = code if isinstance(code, int) and 300 <= code < 600 else HTTPStatus.BAD_GATEWAY
    if status in _FINAL:
        status = HTTPStatus.BAD_REQUEST
    given = told.get("parameters")
    numbers = given if isinstance(given, dict) else {}
    parameters = {name: found for name in ("retry_after", "migrate_to_chat_id") if (found := _whole(numbers.get(name)))}
    if "retry_after" in parameters:
        parameters["retry_after"] = max(1, min(parameters["retry_after"], LONGEST_WAIT_S))
    return status, json.dumps(
        {"ok": False, "description": str(told.get("description") or ""), "parameters": parameters}
    ).encode()


def _whole(number: object) -> int:
    try:
        return math.ceil(float(str(number)))
    except (ValueError, OverflowError):
        return 0


def _request() -> HTTPXRequest:
    return _Request(connect_timeout=5, read_timeout=PATIENCE_S, write_timeout=5, pool_timeout=1)


def _markup(buttons: Buttons) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in buttons]
    )
