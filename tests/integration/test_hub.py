"""The hub behind the sockets, and who tells it of news: the slow, and a Redis that is away, delay nobody."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from dashboard import hub, overview, push
from dashboard.overview import Rendered
from tests.integration.test_socket import NOW, in_loop

pytestmark = pytest.mark.django_db


@in_loop
async def test_a_slow_reader_starts_over_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "render", lambda now: Rendered(panels={"journal": "last"}, equity=[]))
    one_hub = hub.Hub()
    quick, slow = one_hub.join(1), one_hub.join(2)
    one_hub._publish(Rendered(panels={"journal": "first"}, equity=[]), [quick, slow])

    received = []
    for number in range(3 * hub.QUEUE_FRAMES):
        behind = [slow] if slow.is_behind else []
        one_hub._publish(Rendered(panels={"journal": str(number)}, equity=[]), behind)
        while not quick.frames.empty():
            received.append(json.loads(quick.frames.get_nowait()))

    assert [frame["seq"] for frame in received] == list(range(1, len(received) + 1))
    assert received[-1]["panels"] == {"journal": str(3 * hub.QUEUE_FRAMES - 1)}
    assert slow.frames.qsize() <= hub.QUEUE_FRAMES
    waiting = [json.loads(slow.frames.get_nowait()) for _ in range(slow.frames.qsize())]
    assert waiting[0]["type"] == "snapshot"
    assert [frame["seq"] for frame in waiting] == list(range(waiting[0]["seq"], received[-1]["seq"] + 1))


def test_without_redis_trading_goes_on_and_says_so_once(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_failed_at", None), ("REST_S", 0.0)):
        monkeypatch.setattr(push, name, value)
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["unix:///nowhere/redis.sock"]},
        }
    }

    for _ in range(3):
        push.announce("tick", NOW)

    assert len(caplog.records) == 1


@in_loop
async def test_a_redis_that_hangs_does_not_hold_trading_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        async def group_send(self, group: str, message: dict[str, str]) -> None:
            asked.append(message)
            await asyncio.sleep(60)

    asked: list[dict[str, str]] = []
    for name, value in (("_failed_at", None), ("get_channel_layer", Hanging), ("PATIENCE_S", 0.01)):
        monkeypatch.setattr(push, name, value)

    for _ in range(10):
        await asyncio.wait_for(sync_to_async(push.announce)("tick", NOW), timeout=1)

    assert len(asked) == 1  # after a failure the next ones do not even try for a while
