"""manage.py telegram, and what the checks say of the settings."""

from __future__ import annotations

import io
import json

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from notifications.services.registry import COMMANDS
from tests.notifications.conftest import PATH, SECRET
from tests.telegram.launch import BotApi
from tests.telegram.server import TOKEN


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("telegram", *words, stdout=out)
    return out.getvalue()


def test_the_webhook_is_set_shown_and_deleted(api: BotApi, settings: LazySettings) -> None:
    settings.TELEGRAM_URL = "https://bot.example/"
    said = run("set-webhook")

    hook = api.webhook()
    assert hook["url"] == f"https://bot.example/telegram/webhook/{PATH}"
    assert hook["secret_token"] == SECRET
    assert json.loads(hook["allowed_updates"]) == ["message", "callback_query"]
    assert hook["drop_pending_updates"] == "true"
    menu = json.loads(api.calls("setMyCommands")[0]["commands"])
    assert {row["command"] for row in menu} == set(COMMANDS)
    assert PATH not in said
    assert SECRET not in said

    assert "Telegram posts to this site" in run("info")
    run("delete")
    assert "Telegram posts nowhere" in run("info")


def test_without_a_token_or_an_address_it_says_what_to_set(api: BotApi, settings: LazySettings) -> None:
    settings.TELEGRAM_ENDPOINT = ""
    with pytest.raises(CommandError, match="Telegram posts by https alone"):
        run("set-webhook", "--url", "http://bot.example")
    settings.TELEGRAM_TOKEN = ""
    with pytest.raises(CommandError, match="set TELEGRAM_TOKEN"):
        run("info")


def test_a_wrong_token_is_told_without_the_token(api: BotApi, settings: LazySettings) -> None:
    settings.TELEGRAM_TOKEN = TOKEN[:-1]

    with pytest.raises(CommandError, match="correct TELEGRAM_TOKEN") as told:
        run("info")

    assert TOKEN[:-1] not in str(told.value)


def test_polling_is_no_word_of_the_command(api: BotApi) -> None:
    with pytest.raises(CommandError):
        run("poll")


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("TELEGRAM_TOKEN", "hello", ["notifications.E001"]),
        ("TELEGRAM_PATH", "short", ["notifications.E002"]),
        ("TELEGRAM_SECRET", "x" * 31, ["notifications.E002"]),
        ("TELEGRAM_SECRET", "with a space " * 4, ["notifications.E002"]),
        ("NOTIFY_URLS", ["ntfys://host/topic", "host"], ["notifications.E003"]),
        ("FALLBACK_URLS", ["://x"], ["notifications.E003"]),
        ("TELEGRAM_URL", "http://bot.example", ["notifications.E004"]),
        ("TELEGRAM_URL", "https://bot.example", []),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    api: BotApi, settings: LazySettings, name: str, value: object, ids: list[str]
) -> None:
    settings.TELEGRAM_ENDPOINT = ""
    setattr(settings, name, value)

    found = [error for error in run_checks() if str(error.id).startswith("notifications.")]

    assert [error.id for error in found] == ids
    assert all("hello" not in error.msg and "host" not in error.msg for error in found)


def test_unset_nothing_is_checked(settings: LazySettings) -> None:
    assert [error for error in run_checks() if str(error.id).startswith("notifications.")] == []
