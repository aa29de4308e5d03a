"""A Bot API server, people of every role, and one way to write to the bot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from notifications.models import Contact, Role, Update
from tests import factories
from tests.telegram.launch import BotApi, bot_api
from tests.telegram.server import TOKEN

PATH, SECRET = "a-path-that-nobody-can-guess-0123456789", "a-secret-that-nobody-can-guess-0123456789"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""
ROLES = {Role.VIEWER: 11, Role.TRADER: 22, Role.ADMIN: 33}
STRANGER = 99


@pytest.fixture(scope="session")
def server() -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def api(server: BotApi, settings: LazySettings) -> BotApi:
    """Return the server with nothing in it, and turn the bot toward it."""
    server.forget()
    settings.TELEGRAM_TOKEN, settings.TELEGRAM_ENDPOINT = TOKEN, server.url
    settings.TELEGRAM_PATH, settings.TELEGRAM_SECRET = PATH, SECRET
    return server


@pytest.fixture
def people(db: None) -> dict[Role, Contact]:
    return {role: person(role, number) for role, number in ROLES.items()}


def person(role: Role | None, number: int, **columns: Any) -> Contact:
    user = User.objects.create_user(f"user{number}", password="x")
    if role is not None:
        user.groups.add(Group.objects.get(name=role.value))
    return Contact.objects.create(user=user, telegram_user_id=number, chat_id=number, **columns)


@dataclass
class Chat:
    """Posts to the webhook as Telegram does, at the time of the clock or at `now`."""

    client: Client
    numbers: Iterator[int]

    def post(self, body: Any, **headers: str) -> int:
        given = {"X-Telegram-Bot-Api-Secret-Token": SECRET, **headers}
        return self.client.post(
            f"/telegram/webhook/{PATH}", body, content_type="application/json", headers=given
        ).status_code

    def message(self, text: str, sender: int, *, age_s: float = 0, update_id: int | None = None, **more: Any) -> int:
        """Write a message and return the number of its update."""
        number = next(self.numbers) if update_id is None else update_id
        at = int(timezone.now().timestamp() - age_s)
        chat = more.pop("chat", {"id": sender, "type": "private"})
        message = {
            "message_id": number,
            "date": at,
            "chat": chat,
            "from": {"id": sender, "is_bot": False},
            "text": text,
        }
        assert self.post({"update_id": number, "message": {**message, **more}}) == 200
        return number

    def press(self, data: str, sender: int, message_id: int, **more: Any) -> int:
        number = next(self.numbers)
        message = {"message_id": message_id, "date": 1, "chat": more.pop("chat", {"id": sender, "type": "private"})}
        press = {"id": f"press{number}", "from": {"id": sender, "is_bot": False}, "message": message, "data": data}
        assert self.post({"update_id": number, "callback_query": {**press, **more}}) == 200
        return number

    def outcome(self, number: int) -> str:
        return Update.objects.get(pk=number).outcome


@pytest.fixture
def chat(api: BotApi, people: dict[Role, Contact], client: Client) -> Chat:
    return Chat(client=client, numbers=count(1000))


@pytest.fixture
def account(db: None) -> None:
    """Fill every panel: open trades, closed ones, decisions, a journal."""
    factories.overview(timezone.now())


def buttons(message: dict[str, Any]) -> dict[str, str]:
    """Return the buttons under a message: label -> data."""
    markup = json.loads(message.get("reply_markup") or "{}")
    return {button["text"]: button["callback_data"] for row in markup.get("inline_keyboard", []) for button in row}
