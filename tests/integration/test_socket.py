"""The live socket: who may open it, what it carries, and what happens to the slow, the rude and the logged-out.

The scenarios are coroutines run by async_to_sync, so that all database work happens in the test's own thread
and transaction.
"""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis.exceptions import ConnectionError as RedisAway

from dashboard import consumers, hub, overview, push, routing
from dashboard.overview import Rendered
from tests import factories
from trading import events

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("connection_kept")]

ORIGIN = "http://127.0.0.1:8000"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Say = Callable[[str], Awaitable[None]]


def in_loop(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a test of a coroutine function that takes fixtures."""

    @functools.wraps(scenario)
    def test(*args: Any, **fixtures: Any) -> None:
        async_to_sync(scenario)(*args, **fixtures)

    return cast("Callable[..., None]", test)


@pytest.fixture(autouse=True)
def _own_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HUB", hub.Hub())
    monkeypatch.setattr(hub, "SPACING_S", 0.01)
    monkeypatch.setattr(hub, "FIRST_RETRY_S", 0.01)


@pytest.fixture
def user() -> User:
    return factories.user()


@pytest.fixture
def cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].OutputString()


@pytest.fixture
def say(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Say:
    """Emit an event as trading does: the listeners hear of it after the commit."""

    def emit(text: str) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            events.emit("note", at=timezone.now(), text=text)

    return sync_to_async(emit)


def socket(cookie: str = "", origin: str | None = ORIGIN, path: str = "/ws/live") -> WebsocketCommunicator:
    headers = [(b"cookie", cookie.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return WebsocketCommunicator(routing.application(None), path, headers)


async def opened(cookie: str) -> tuple[WebsocketCommunicator, dict[str, Any]]:
    """Return an accepted socket and its first frame."""
    talker = socket(cookie)
    assert await talker.connect(timeout=30) == (True, None)
    return talker, await next_frame(talker)


async def next_frame(talker: WebsocketCommunicator) -> dict[str, Any]:
    """Return the next frame that is no heartbeat; those come when they please."""
    while (frame := await talker.receive_json_from(timeout=30))["type"] == "beat":
        pass
    return cast("dict[str, Any]", frame)


async def is_quiet(talker: WebsocketCommunicator) -> bool:
    while not await talker.receive_nothing(timeout=0.1):
        if (await talker.receive_json_from(timeout=30))["type"] != "beat":
            return False
    return True


async def closed_with(talker: WebsocketCommunicator) -> int:
    while (message := await talker.receive_output(timeout=30))["type"] != "websocket.close":
        assert json.loads(message["text"])["type"] == "beat"
    return int(message["code"])


@in_loop
async def test_a_stranger_is_closed_before_the_socket_is_accepted() -> None:
    assert await socket().connect(timeout=30) == (False, consumers.NO_SESSION)
    assert await socket("sessionid=made-up").connect(timeout=30) == (False, consumers.NO_SESSION)
    assert hub.HUB.seats_of(0) == 0


@pytest.mark.parametrize(
    ("_case", "origin"),
    [
        ("missing", None),
        ("null", "null"),
        ("another host", "http://evil.example:8000"),
        ("another port", "http://127.0.0.1:1337"),
        ("no port", "http://127.0.0.1"),
        ("another scheme", "https://127.0.0.1:8000"),
        ("a port that is none", "http://127.0.0.1:8000000"),
        ("ours as a prefix", "http://127.0.0.1:8000.evil.example"),
    ],
)
@in_loop
async def test_a_foreign_page_cannot_open_the_socket(_case: str, origin: str | None, cookie: str) -> None:
    assert await socket(cookie, origin).connect(timeout=30) == (False, 1000)


@in_loop
async def test_no_other_address_answers(cookie: str) -> None:
    assert await socket(cookie, path="/ws/other").connect(timeout=30) == (False, 1000)


@pytest.mark.parametrize("origin", ["*", "example.com", ".example.com"])
def test_an_origin_without_scheme_is_refused_at_the_start(origin: str, settings: Settings) -> None:
    settings.ALLOWED_ORIGINS = [origin]

    with pytest.raises(ImproperlyConfigured, match="must name scheme and host"):
        routing.application(None)


@in_loop
async def test_a_snapshot_comes_first_and_then_what_an_event_changed(cookie: str, say: Say) -> None:
    await sync_to_async(factories.overview)(timezone.now())

    talker, snapshot = await opened(cookie)
    await say("something happened")
    news = await next_frame(talker)

    assert snapshot["type"] == "snapshot"
    assert set(snapshot["panels"]) == set(overview.LIVE)
    assert "67,912.40" in snapshot["panels"]["open"]
    assert len(snapshot["equity"]) > 100
    assert news["type"] == "panels"
    assert news["seq"] == snapshot["seq"] + 1
    assert set(news["panels"]) == {"journal"}
    assert "something happened" in news["panels"]["journal"]
    assert "equity" not in news


@in_loop
async def test_a_page_is_never_told_of_a_state_older_than_its_own(cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state, began, may_end = ["running"], threading.Event(), threading.Event()

    def render(now: datetime) -> Rendered:
        was = state[0]
        began.set()
        may_end.wait(5)
        return Rendered(panels={"status": was}, equity=[])

    monkeypatch.setattr(overview, "render", render)
    monkeypatch.setattr(hub, "database_sync_to_async", functools.partial(sync_to_async, thread_sensitive=False))
    before, after, at_rest = socket(cookie), socket(cookie), socket(cookie)
    await before.connect(timeout=30)
    await asyncio.to_thread(began.wait, 5)
    state[0] = "halted"  # while it is rendered for the page before
    await after.connect(timeout=30)
    may_end.set()

    assert (await next_frame(before))["panels"] == {"status": "running"}
    assert (await next_frame(before))["panels"] == {"status": "halted"}
    assert (await next_frame(after))["panels"] == {"status": "halted"}

    state[0] = "running"  # and nobody was told
    await at_rest.connect(timeout=30)

    assert (await next_frame(at_rest))["panels"] == {"status": "running"}


@in_loop
async def test_news_that_change_no_panel_send_nothing(cookie: str) -> None:
    talker, _ = await opened(cookie)

    await sync_to_async(push.announce)("tick", NOW)

    assert await is_quiet(talker)


@in_loop
async def test_hostile_text_is_escaped_in_a_push_too(cookie: str, say: Say) -> None:
    talker, _ = await opened(cookie)

    await say("<script>alert(1)</script>")

    html = (await next_frame(talker))["panels"]["journal"]
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


@in_loop
async def test_many_events_are_rendered_together(cookie: str, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SPACING_S", 0.2)
    talker, snapshot = await opened(cookie)

    for number in range(20):
        await say(f"event {number}")

    last = snapshot["seq"]
    while "event 19" not in (frame := await next_frame(talker))["panels"]["journal"]:
        pass
    assert frame["seq"] - last <= 3


@in_loop
async def test_a_new_point_of_the_curve_is_pushed(cookie: str, say: Say) -> None:
    talker, snapshot = await opened(cookie)
    assert snapshot["equity"] == []

    await sync_to_async(factories.equity)(NOW, days=0.02)
    await say("another minute")

    assert (await next_frame(talker))["equity"][-1] == [int(NOW.timestamp()), 10250.0]


@in_loop
async def test_who_asks_for_everything_again_gets_it(cookie: str) -> None:
    talker, snapshot = await opened(cookie)

    await talker.send_json_to({"type": "resync"})

    again = await next_frame(talker)
    assert (again["type"], again["seq"]) == ("snapshot", snapshot["seq"])
    assert again["panels"] == snapshot["panels"]


@pytest.mark.parametrize(
    ("_case", "frame"),
    [
        ("another type", {"text_data": '{"type": "order"}'}),
        ("more than asked", {"text_data": '{"type": "resync", "x": 1}'}),
        ("no JSON", {"text_data": "resync"}),
        ("binary", {"bytes_data": b"{}"}),
        ("too long", {"text_data": json.dumps({"type": "resync"}) + " " * 300}),
    ],
)
@in_loop
async def test_any_other_frame_closes_the_socket(_case: str, frame: dict[str, Any], cookie: str, user: User) -> None:
    talker, _ = await opened(cookie)

    await talker.send_to(**frame)

    assert await closed_with(talker) == consumers.BAD_FRAME
    assert hub.HUB.seats_of(user.pk) == 0


@pytest.mark.parametrize(
    ("_case", "act"),
    [
        ("disabled", lambda: User.objects.update(is_active=False)),
        ("logged out", lambda: Session.objects.all().delete()),
        ("another password", lambda: User.objects.update(password="!")),
    ],
)
@in_loop
async def test_the_socket_ends_with_the_session(
    _case: str, act: Callable[[], object], user: User, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REVALIDATE_S", 0.02)
    talker, _ = await opened(cookie)
    assert await is_quiet(talker)  # several checks that found nothing wrong

    await sync_to_async(act)()

    assert await closed_with(talker) == consumers.NO_SESSION
    assert hub.HUB.seats_of(user.pk) == 0


@in_loop
async def test_one_user_cannot_take_all_sockets(cookie: str, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "SOCKETS_PER_USER", 2)
    first, _ = await opened(cookie)
    await opened(cookie)
    third = socket(cookie)
    await third.connect(timeout=30)
    assert await closed_with(third) == consumers.TOO_MANY

    await first.disconnect()

    assert hub.HUB.seats_of(user.pk) == 1
    await opened(cookie)


@in_loop
async def test_a_heartbeat_names_the_last_frame(cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BEAT_S", 0.02)
    talker, snapshot = await opened(cookie)

    beat = await talker.receive_json_from(timeout=30)

    assert (beat["type"], beat["seq"]) == ("beat", snapshot["seq"])
    assert datetime.fromisoformat(beat["now"]).tzinfo is not None


@in_loop
async def test_what_nobody_was_told_of_is_shown_with_the_next_heartbeat(
    cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BEAT_S", 0.05)
    talker, _ = await opened(cookie)

    await sync_to_async(factories.event)(NOW, "its news was lost")

    assert "its news was lost" in (await next_frame(talker))["panels"]["journal"]


class BrokenLayer:
    """A channel layer whose Redis is away until `is_back` is set."""

    def __init__(self, works: Any) -> None:
        self._works = works
        self.is_back = False
        self.flushes = 0

    async def new_channel(self, prefix: str) -> str:
        if not self.is_back:
            raise RedisAway("Connection refused")
        return cast("str", await self._works.new_channel(prefix))

    async def flush(self) -> None:
        self.flushes += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._works, name)


@in_loop
async def test_without_redis_the_socket_stays_open_and_quiet_until_redis_is_back(
    cookie: str, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = BrokenLayer(get_channel_layer())
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(hub, "LONGEST_RETRY_S", 0.02)

    talker, snapshot = await opened(cookie)
    assert snapshot["type"] == "snapshot"
    assert await talker.receive_nothing(timeout=0.1)
    await say("nobody heard this")
    layer.is_back = True

    frames = {frame["type"]: frame for frame in [await talker.receive_json_from(timeout=30) for _ in range(2)]}
    assert set(frames) == {"beat", "panels"}
    assert "nobody heard this" in frames["panels"]["panels"]["journal"]
    assert layer.flushes > 1
