"""Sockets that come in the same moment: read together, each by a reading after it asked, and nobody takes another's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import admission, hub, overview
from dashboard.overview import Rendered
from tests import factories
from tests.integration.test_socket import next_frame, socket

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("connection_kept")]


def key_of(name: str) -> str:
    client = Client()
    client.force_login(factories.user(name, is_staff=False))
    return client.cookies["sessionid"].value


def test_many_sessions_are_read_by_two_queries_for_each_hundred() -> None:
    keys = [key_of(f"u{number}") for number in range(5)]
    asked = [*keys * 8, *(f"nobody{number}" for number in range(admission.MOST_AT_ONCE))]

    async def all_at_once() -> list[int | None]:
        doorman = admission.Doorman()
        return await asyncio.gather(*(doorman.account_of(key) for key in asked))

    with CaptureQueriesContext(connection) as made:
        found = async_to_sync(all_at_once)()

    assert found[:5] == found[35:40]
    assert len(set(found[:5])) == 5
    assert None not in found[:40]
    assert set(found[40:]) == {None}
    assert len([query for query in made if "SELECT" in query["sql"]]) <= 4


def test_who_asks_during_a_reading_is_answered_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("anna")
    read, started = admission.accounts, asyncio.Event()

    async def scenario() -> tuple[int | None, int | None]:
        doorman = admission.Doorman()
        loop = asyncio.get_running_loop()

        def slow(keys: Sequence[str], *, now: datetime) -> Any:
            found = read(keys, now=now)
            loop.call_soon_threadsafe(started.set)
            Session.objects.all().delete()
            return found

        monkeypatch.setattr(admission, "accounts", slow)
        first = asyncio.create_task(doorman.account_of(key))
        await asyncio.wait_for(started.wait(), 30)
        return await doorman.account_of(key), await first

    later, first = async_to_sync(scenario)()

    assert first is not None
    assert later is None


def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    key = key_of("anna")

    async def scenario() -> int | None:
        doorman = admission.Doorman()
        gone, stays = (asyncio.create_task(doorman.account_of(key)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert async_to_sync(scenario)() is not None


def test_an_outage_is_told_to_all_and_is_over_with_the_next_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    key, read = key_of("anna"), admission.accounts

    def away(keys: Sequence[str], *, now: datetime) -> Any:
        raise OperationalError("away")

    async def scenario() -> None:
        doorman = admission.Doorman()
        monkeypatch.setattr(admission, "accounts", away)
        found = await asyncio.gather(*(doorman.account_of(key) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [OperationalError] * 3
        monkeypatch.setattr(admission, "accounts", read)
        assert await doorman.account_of(key) is not None

    async_to_sync(scenario)()


def test_fifty_sockets_in_one_moment_cost_few_queries_and_renderings(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def render(now: datetime) -> Rendered:
        rendered.append(now)
        return Rendered(panels={"journal": "news"}, equity=[])

    monkeypatch.setattr(hub, "HUB", hub.Hub())
    monkeypatch.setattr(hub, "SPACING_S", 2.0)
    monkeypatch.setattr(hub, "BEAT_S", 60.0)  # it renders too
    monkeypatch.setattr(overview, "render", render)
    cookies = [f"sessionid={key_of(f'u{number}')}" for number in range(5)]

    async def scenario() -> None:
        talkers = [socket(cookie) for cookie in cookies * 10]
        opened = await asyncio.gather(*(talker.connect(timeout=60) for talker in talkers))
        assert opened == [(True, None)] * 50
        for talker in talkers:
            assert (await next_frame(talker))["panels"] == {"journal": "news"}
        late = socket(cookies[0])
        await late.connect(timeout=60)
        assert (await next_frame(late))["type"] == "snapshot"
        for talker in (*talkers, late):
            await talker.disconnect()

    with CaptureQueriesContext(connection) as made:
        async_to_sync(scenario)()

    selects = [query for query in made if "SELECT" in query["sql"]]
    assert len(selects) <= 2 * 3  # those that came, perhaps in two readings, and the late one
    assert (
        len(rendered) <= 4
    )  # for the first, for those that came meanwhile, perhaps for stragglers, and for the late one
