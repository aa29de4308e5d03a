"""The only door to Telegram. It raises notifications.ports.Unavailable and Refused, and never tells the token.

Every call has a client of its own: a shared one fails on the next event loop.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from asgiref.sync import async_to_sync

# Asked for by the library: without it, reading `retry_after` warns that seconds will become a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "true")

from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, WebhookInfo
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
UPDATES = ["message", "callback_query"]
Answer = TypeVar("Answer")


class Telegram:
    """One bot, at Telegram or at the address of a Bot API server of one's own."""

    def __init__(self, token: str, *, endpoint: str = "") -> None:
        self._token, self._base = token, f"{(endpoint or OFFICIAL).rstrip('/')}/bot"

    def send(self, message: Outgoing) -> int:
        """Send or replace a message and return its number; a replacement that changes nothing is done."""
        markup = _markup(message.buttons)
        mode = None if message.is_plain else ParseMode.HTML

        async def act(bot: Bot) -> int:
            if message.edits is None:
                sent = await bot.send_message(
                    message.chat_id,
                    message.text,
                    parse_mode=mode,
                    reply_markup=markup,
                    disable_notification=message.is_silent,
                )
                return int(sent.message_id)
            try:
                await bot.edit_message_text(
                    message.text,
                    chat_id=message.chat_id,
                    message_id=message.edits,
                    parse_mode=mode,
                    reply_markup=markup,
                )
            except BadRequest as refusal:
                if "not modified" not in str(refusal).lower():
                    raise
            return message.edits

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
        except (BadRequest, Forbidden, ChatMigrated, Conflict) as refusal:
            raise Refused(self._safe(refusal), is_markup="parse entities" in str(refusal).lower()) from None
        except (InvalidToken, EndPointNotFound):
            raise Unavailable("Telegram does not know this bot: correct TELEGRAM_TOKEN") from None
        except (NetworkError, TelegramError) as error:
            raise Unavailable(self._safe(error)) from None

    def _safe(self, error: Exception) -> str:
        return f"{type(error).__name__}: {error}".replace(self._token, "***")


def _request() -> HTTPXRequest:
    return HTTPXRequest(connect_timeout=5, read_timeout=PATIENCE_S, write_timeout=5, pool_timeout=1)


def _markup(buttons: Buttons) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in buttons]
    )
