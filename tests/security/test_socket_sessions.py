"""The socket ends with its session: at once when somebody logs out, within its interval when the account is closed."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from dashboard import consumers, hub, push, routing, sessions, twofactor
from dashboard.models import SessionRecord
from tests import factories

pytestmark = pytest.mark.django_db

PATIENCE_S = 30.0
"""Far more than it takes, for a machine that is busy."""


def in_loop(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a test of a coroutine function that takes fixtures."""

    @functools.wraps(scenario)
    def test(*args: Any, **fixtures: Any) -> None:
        async_to_sync(scenario)(*args, **fixtures)

    return cast("Callable[..., None]", test)


@pytest.fixture(autouse=True)
def _own_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HUB", hub.Hub())
    # An hour: whatever closes a socket in here does not wait for the interval.
    monkeypatch.setattr(consumers, "REVALIDATE_S", 3600.0)
    monkeypatch.setattr(push, "_failed_at", None)


@pytest.fixture
def user() -> User:
    return factories.user("olga", is_staff=False)


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def socket(client: Client) -> WebsocketCommunicator:
    cookie = client.cookies["sessionid"].OutputString()
    headers = [(b"cookie", cookie.encode()), (b"origin", b"http://127.0.0.1:8000")]
    return WebsocketCommunicator(routing.application(None), "/ws/live", headers)


async def opened(client: Client) -> WebsocketCommunicator:
    talker = socket(client)
    assert await talker.connect(timeout=PATIENCE_S) == (True, None)
    # The first frame: from here on the hub listens.
    await talker.receive_output(timeout=PATIENCE_S)
    return talker


async def closed_with(talker: WebsocketCommunicator) -> int:
    while (message := await talker.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
        pass
    return int(message["code"])


@in_loop
async def test_a_log_out_closes_the_sockets_of_its_session_at_once_and_no_others(
    browser: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    other = Client()
    await sync_to_async(other.force_login)(await sync_to_async(factories.user)("otto", is_staff=False))
    mine, theirs = await opened(browser), await opened(other)

    def log_out() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            browser.post("/logout/")

    await sync_to_async(log_out)()

    assert await closed_with(mine) == consumers.NO_SESSION
    assert hub.HUB.seats_of((await User.objects.aget(username="otto")).pk) == 1
    await theirs.disconnect()


@in_loop
async def test_a_session_that_was_ended_elsewhere_takes_its_socket_along(
    browser: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    talker = await opened(browser)

    def end() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            sessions.end(SessionRecord.objects.all())

    await sync_to_async(end)()

    assert await closed_with(talker) == consumers.NO_SESSION


@pytest.mark.parametrize("how", ["closed account", "idle session", "second step"])
def test_what_nobody_announces_is_found_at_the_next_look(
    how: str, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REVALIDATE_S", 0.01)

    def change() -> None:
        kept = browser.session
        if how == "closed account":
            User.objects.update(is_active=False)
        elif how == "idle session":
            kept[sessions.SEEN] = (timezone.now() - timedelta(days=1)).isoformat()
            kept.save()
        else:
            kept[twofactor.WAITING] = True
            kept.save()

    async def scenario() -> None:
        talker = await opened(browser)
        await sync_to_async(change)()
        assert await closed_with(talker) == consumers.NO_SESSION

    async_to_sync(scenario)()


@in_loop
async def test_a_session_in_front_of_its_second_step_opens_none(browser: Client) -> None:
    def wait() -> None:
        kept = browser.session
        kept[twofactor.WAITING] = True
        kept.save()

    await sync_to_async(wait)()

    assert await socket(browser).connect(timeout=PATIENCE_S) == (False, consumers.NO_SESSION)


def test_the_interval_is_a_minute() -> None:
    source = Path(consumers.__file__).read_text(encoding="utf-8")

    assert "REVALIDATE_S = 60.0" in source
