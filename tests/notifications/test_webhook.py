"""The way in: who is let in, what is kept, and that junk, replays and forgeries change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from notifications import tasks
from notifications.models import Contact, Role, Update
from notifications.services import dispatcher, inbox, incoming
from notifications.views import HEADER, LARGEST
from tests.notifications.conftest import PATH, ROLES, SECRET, STRANGER, Chat
from tests.telegram.launch import BotApi
from trading.models import Bot, StateChange

pytestmark = pytest.mark.django_db
TRADER = ROLES[Role.TRADER]
HALT: dict[str, Any] = {
    "update_id": 7,
    "message": {"message_id": 1, "date": 2_000_000_000, "chat": {"id": 22, "type": "private"}, "from": {"id": 22}},
}


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET.upper(), "é"])
def test_without_the_secret_nothing_is_read(chat: Chat, client: Client, secret: str | None) -> None:
    headers = {} if secret is None else {HEADER: secret}

    answer = client.post(f"/telegram/webhook/{PATH}", HALT, content_type="application/json", headers=headers)

    assert (answer.status_code, answer.content, Update.objects.count()) == (403, b"", 0)


def test_another_path_and_another_method_are_refused(chat: Chat, client: Client) -> None:
    given = {HEADER: SECRET}

    assert (
        client.post("/telegram/webhook/guess", HALT, content_type="application/json", headers=given).status_code == 404
    )
    assert client.get(f"/telegram/webhook/{PATH}", headers=given).status_code == 405


def test_without_a_token_there_is_no_webhook(chat: Chat, settings: LazySettings, client: Client) -> None:
    settings.TELEGRAM_TOKEN = settings.TELEGRAM_PATH = settings.TELEGRAM_SECRET = ""

    assert client.post("/telegram/webhook/x", HALT, content_type="application/json").status_code == 404


JUNK = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 60_000,
    b"1" * 60_000,
    b'{"update_id": true, "message": {}}',
    b'{"update_id": 1e400}',
    b'{"update_id": 99999999999999999999999}',
    b'{"update_id": 1, "message": []}',
    b'{"update_id": 1, "message": {"text": 7, "chat": {}, "from": {}}}',
    b'{"update_id": 1, "message": {"text": "/halt", "date": 9e99, "chat": {"id": 22}, "from": {"id": 22}, "message_id": 1}}',
    b'{"update_id": 1, "callback_query": {"id": 5, "data": "x"}}',
    b'{"update_id": 1, "callback_query": {"id": "5", "data": "x"}}',
    b'{"update_id": 1, "poll": {"id": "1"}}',
    b'{"update_id": 1, "message": "' + b"x" * 70_000 + b'"}',
]


@pytest.mark.parametrize("raw", JUNK, ids=range(len(JUNK)))
def test_junk_is_answered_at_once_and_leaves_nothing(chat: Chat, client: Client, raw: bytes) -> None:
    answer = client.generic(
        "POST", f"/telegram/webhook/{PATH}", raw, content_type="application/json", headers={HEADER: SECRET}
    )

    assert (answer.status_code, Update.objects.count()) == (200, 0)


@pytest.mark.parametrize(("more", "kept"), [(0, 1), (1, 0), (70_000, 0)])
def test_an_update_that_is_too_large_is_not_read(chat: Chat, client: Client, more: int, kept: int) -> None:
    raw = json.dumps({**HALT, "message": {**HALT["message"], "text": "/whoami"}}).encode()
    raw += b" " * (LARGEST + more - len(raw))

    answer = client.generic(
        "POST", f"/telegram/webhook/{PATH}", raw, content_type="application/json", headers={HEADER: SECRET}
    )

    assert (answer.status_code, Update.objects.count()) == (200, kept)


@pytest.mark.usefixtures("account")
def test_a_replay_changes_nothing_however_often_it_comes(chat: Chat, api: BotApi) -> None:
    for _ in range(100):
        chat.message("/halt", TRADER, update_id=5)

    assert (Update.objects.count(), StateChange.objects.count(), len(api.sent())) == (1, 1, 1)


@pytest.mark.usefixtures("account")
def test_updates_out_of_order_are_each_handled_once(chat: Chat, api: BotApi) -> None:
    for number in (9, 7, 8, 7, 9):
        chat.message("/version", TRADER, update_id=number)

    assert (Update.objects.count(), len(api.sent())) == (3, 3)


def test_an_update_that_was_handled_is_not_handled_again_however_late(
    chat: Chat, people: dict[Role, Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = chat.message("/version", TRADER)
    done = Update.objects.get()
    dispatched: list[Update] = []
    monkeypatch.setattr(dispatcher, "dispatch", lambda update, *, now: dispatched.append(update))

    later = timezone.now() + 2 * inbox.STUCK

    assert not inbox.handle(number, now=later)
    assert (inbox.waiting(now=later), dispatched) == ([], [])
    again = Update.objects.get()
    assert (again.handled_at, again.attempts, again.outcome) == (done.handled_at, 1, done.outcome)


@pytest.mark.parametrize(
    "more",
    [
        {"forward_origin": {"type": "user"}},
        {"forward_date": 1},
        {"via_bot": {"id": 3}},
        {"sender_chat": {"id": -5}},
        {"edit_date": 5},
        {"from": {"id": TRADER, "is_bot": True}},
    ],
)
@pytest.mark.usefixtures("account")
def test_borrowed_words_do_nothing(chat: Chat, api: BotApi, more: dict[str, Any]) -> None:
    chat.message("/halt", TRADER, **more)

    assert (Bot.objects.get().trading_state, Update.objects.count(), api.sent()) == ("active", 0, [])


@pytest.mark.parametrize("kind", ["edited_message", "channel_post", "edited_channel_post", "business_message"])
@pytest.mark.usefixtures("account")
def test_other_kinds_of_updates_do_nothing(chat: Chat, api: BotApi, kind: str) -> None:
    message = {**HALT["message"], "text": "/halt"}

    assert chat.post({"update_id": 1, kind: message}) == 200
    assert (Bot.objects.get().trading_state, Update.objects.count(), api.sent()) == ("active", 0, [])


def test_of_a_stranger_one_message_a_minute_is_kept(chat: Chat, api: BotApi) -> None:
    for _ in range(20):
        chat.message("/status", STRANGER)

    assert (Update.objects.count(), Update.objects.get().outcome, api.sent()) == (1, "ignored: a stranger", [])


def test_who_writes_too_much_is_dropped_but_for_a_halt(chat: Chat, people: dict[Role, Contact]) -> None:
    for _ in range(70):
        chat.message("hello", TRADER)
    assert Update.objects.count() == 60

    chat.message("/version", TRADER)
    halt = chat.message("/halt", TRADER)

    assert Update.objects.count() == 61
    assert Update.objects.filter(pk=halt).exists()


def test_text_that_no_database_takes_is_mended(chat: Chat) -> None:
    text = json.loads('"/why \\ud800\\u0000BTC"')

    number = chat.message("/why x", TRADER)
    Update.objects.all().delete()
    raw = json.dumps({**HALT, "update_id": number, "message": {**HALT["message"], "text": text}}).encode()
    came = incoming.parse(raw)

    assert came is not None
    assert came.text == "/why ?BTC"


def test_without_redis_the_next_sweep_handles_it(
    chat: Chat, api: BotApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kombu.exceptions import OperationalError

    def refuse(*args: object, **options: object) -> None:
        raise OperationalError("no Redis")

    monkeypatch.setattr(tasks.receive, "apply_async", refuse)
    chat.message("/version", TRADER)
    assert api.sent() == []

    tasks.sweep()

    assert len(api.sent()) == 1
