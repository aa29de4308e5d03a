"""A database that takes nothing: people hear of it all the same, without a row, and not at every try."""

from __future__ import annotations

from itertools import count
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django import Settings

from notifications import rendering
from notifications.models import Alert, Contact, Delivery, Role
from notifications.services import journal, push, unwritable
from tests.notifications.conftest import ROLES
from tests.telegram.launch import BotApi

pytestmark = pytest.mark.django_db
FULL = "database or disk is full"


def full(**_: Any) -> NoReturn:
    raise OperationalError(FULL)


@pytest.fixture(autouse=True)
def _full(api: BotApi, people: dict[Role, Contact], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JULABA_DATA_DIR.mkdir(parents=True, exist_ok=True)
    numbers = count(1)
    monkeypatch.setattr(unwritable, "_failures", lambda: next(numbers))
    monkeypatch.setattr(journal, "relay", full)


def stand_in() -> None:
    with pytest.raises(CommandError, match=f"the database takes nothing \\({FULL}\\)"):
        call_command("watch", "--now")


def test_one_failure_is_no_news_and_one_that_lasts_is_told_to_everybody_once(api: BotApi) -> None:
    stand_in()
    assert api.sent() == []

    for _ in range(5):
        stand_in()

    assert len(api.sent()) == len(ROLES)
    told = rendering.plain(api.texts()[0])
    assert told.startswith("PAPER · CRITICAL: Nothing can be written down\n")
    assert f"({FULL})" in told
    assert "only stops that rest at the venue work" in told
    assert (Alert.objects.count(), Delivery.objects.count()) == (0, 0)


def test_it_is_told_again_after_a_while(api: BotApi) -> None:
    for _ in range(unwritable.AGAIN + unwritable.TOLD_AT):
        stand_in()

    assert len(api.sent()) == 2 * len(ROLES)


def test_where_not_even_the_chats_can_be_read_the_addresses_of_the_settings_hear_of_it(
    api: BotApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFY_URLS, settings.FALLBACK_URLS = [api.hook("/first")], [api.hook("/second")]
    settings.PRIVATE_ADDRESSES = ("127.0.0.1",)
    monkeypatch.setattr(push, "channels", lambda *_: full())

    stand_in()
    stand_in()

    assert api.sent() == []
    assert len(api.hooks()) == 2


def test_a_channel_that_takes_nothing_either_keeps_no_other_from_hearing(api: BotApi, settings: Settings) -> None:
    settings.NOTIFY_URLS, settings.PRIVATE_ADDRESSES = [api.hook("/first")], ("127.0.0.1",)
    api.fault("down")

    stand_in()
    stand_in()

    assert len(api.hooks()) == 1


def test_where_nobody_counts_every_failure_is_told(
    api: BotApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(journal, "relay", full)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    stand_in()

    assert len(api.sent()) == len(ROLES)
