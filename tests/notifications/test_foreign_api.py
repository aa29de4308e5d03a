"""Servers that are not ours: every way in which a Bot API refuses, stammers or falls silent, and what comes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from notifications.models import Attachment, ChannelPause, Contact, Delivery, DeliveryStatus, Role, Severity
from notifications.ports import File
from notifications.services import outbox
from tests.notifications.conftest import NOW, ROLES, Chat, person
from tests.telegram.launch import BotApi

pytestmark = pytest.mark.django_db
CHAT = outbox.chat(ROLES[Role.TRADER])
SECOND = timedelta(seconds=1)
PICTURE = File(name="chart.png", media="image/png", content=b"\x89PNG\r\n\x1a\n and more")


def put(key: str = "a", **columns: Any) -> Delivery:
    made = outbox.put(
        **{"key": key, "channel": CHAT, "kind": "closed", "text": "<b>Title</b>\nwords", "now": NOW, **columns}
    )
    assert made is not None
    return made


def run(seconds: int, *, start: int = 0) -> None:
    for second in range(start, start + seconds, 5):
        outbox.deliver(now=NOW + second * SECOND)


def refusal(code: int, description: str, **parameters: Any) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": description, "parameters": parameters}


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True, "result": {"message_id": 7}},
        {"ok": True, "result": {"message_id": 7, "date": "now", "chat": 5, "text": None}},
        {"ok": True, "result": {"message_id": 7, "chat": {}, "from": []}},
        {"ok": True, "result": True},
        {"ok": True, "result": {}},
        {"ok": True},
    ],
)
def test_what_was_taken_is_not_sent_again_however_poor_the_answer(api: BotApi, answer: dict[str, Any]) -> None:
    api.fault("answer oddly", answer=answer)
    delivery = put()

    run(120)

    delivery.refresh_from_db()
    assert (delivery.status, len(api.sent())) == (DeliveryStatus.SENT, 1)
    assert delivery.message_id == (answer["result"]["message_id"] if "message_id" in str(answer) else 0)


@pytest.mark.parametrize(("given", "seconds"), [(30, 30), ("30", 30), (29.2, 30), (10**12, 6 * 3600), (-5, 1)])
def test_a_wait_is_kept_however_it_is_written(api: BotApi, given: object, seconds: int) -> None:
    api.fault("refuse", status=429, told=refusal(429, "Too Many Requests", retry_after=given), times=1)
    delivery = put()

    outbox.deliver(now=NOW)

    assert ChannelPause.objects.get().until == NOW + seconds * SECOND
    outbox.deliver(now=NOW + seconds * SECOND)
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT
    assert not ChannelPause.objects.exists()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, "<html><h1>502 Bad Gateway</h1></html>"),
        (500, ""),
        (503, "null"),
        (200, "<html>log in to the hotel's network</html>"),
        (200, "[]"),
        (200, '{"ok": false, "error_code": 500, "description": "Internal"}'),
        (429, "{}"),
        (429, '{"ok": false, "parameters": {"retry_after": "soon"}}'),
        (404, '{"ok": false, "error_code": 404, "description": "Not Found"}'),
        (401, '{"ok": false, "error_code": 401, "description": "Unauthorized"}'),
    ],
)
def test_what_may_heal_is_tried_until_it_has(api: BotApi, status: int, body: str) -> None:
    api.fault("raw", status=status, body=body, times=3)
    put()

    run(90)

    assert (len(api.sent()), Delivery.objects.get().status) == (1, DeliveryStatus.SENT)


def test_a_connection_that_is_closed_without_an_answer_is_tried_again(api: BotApi) -> None:
    api.fault("close", times=2)
    put()

    run(60)

    assert len(api.sent()) == 1


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: user is deactivated"),
        (413, "Request Entity Too Large"),
        (400, "Bad Request: message is too long"),
    ],
)
def test_what_never_heals_is_tried_once(api: BotApi, status: int, description: str) -> None:
    api.fault("refuse", status=status, told=refusal(status, description))
    put()
    put("b", channel=outbox.chat(5))

    run(300)

    assert set(Delivery.objects.values_list("status", flat=True)) == {DeliveryStatus.REFUSED}
    assert len(api.calls("sendMessage")) == 2


def test_a_200_that_says_no_is_a_no(api: BotApi) -> None:
    api.fault("refuse", status=200, told=refusal(400, "Bad Request: chat not found"))
    put()

    run(60)

    assert (len(api.calls("sendMessage")), Delivery.objects.get().status) == (1, DeliveryStatus.REFUSED)


def test_an_edit_that_changes_nothing_is_done(api: BotApi) -> None:
    words = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
    api.fault("refuse", "editMessageText", told=refusal(400, words))
    delivery = put(edits=55)

    run(30)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.message_id, api.sent()) == (DeliveryStatus.SENT, 55, [])


@pytest.mark.parametrize("words", ["message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID"])
def test_an_edit_of_what_is_gone_becomes_a_message(api: BotApi, words: str) -> None:
    api.fault("refuse", "editMessageText", told=refusal(400, f"Bad Request: {words}"))
    put(edits=55)

    run(30)

    assert [each["method"] for each in api.sent()] == ["sendMessage"]


def test_a_group_that_moved_is_followed(api: BotApi) -> None:
    contact = person(Role.TRADER, 44)
    Contact.objects.update(chat_id=-40)
    moved = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1004)
    api.fault("refuse", told=moved, times=1)
    put(channel=outbox.chat(-40))
    put("b", channel=outbox.chat(-40))

    run(20)

    contact.refresh_from_db()
    assert contact.chat_id == -1004
    assert sorted(each["chat_id"] for each in api.sent()) == ["-1004", "-1004"]


def test_a_picture_is_sent_with_its_words_and_a_document_too(api: BotApi) -> None:
    pdf = File(name="report.pdf", media="application/pdf", content=b"%PDF-1.7")
    for key, file in (("photo", PICTURE), ("document", pdf)):
        put(key, attachment=outbox.attach(file, now=NOW))

    outbox.deliver(now=NOW)

    photo, document = api.sent()
    assert (photo["method"], photo["caption"], photo["parse_mode"]) == ("sendPhoto", "<b>Title</b>\nwords", "HTML")
    assert (photo["photo"]["name"], photo["photo"]["begins"]) == ("chart.png", b"\x89PNG\r\n\x1a\n".hex())
    assert (document["method"], document["document"]["name"]) == ("sendDocument", "report.pdf")
    assert document["document"]["media"] == "application/pdf"


@pytest.mark.parametrize("description", ["Bad Request: PHOTO_INVALID_DIMENSIONS", "Request Entity Too Large"])
def test_the_words_arrive_where_the_picture_is_not_taken(api: BotApi, description: str) -> None:
    api.fault("refuse", "sendPhoto", told=refusal(400, description))
    put(attachment=outbox.attach(PICTURE, now=NOW))

    run(30)

    assert [(each["method"], each["text"]) for each in api.sent()] == [("sendMessage", "<b>Title</b>\nwords")]


def test_the_words_arrive_where_no_picture_ever_gets_through(api: BotApi) -> None:
    api.fault("down", "sendPhoto")
    put(attachment=outbox.attach(PICTURE, now=NOW))

    run(120)

    assert (len(api.calls("sendPhoto")), len(api.sent())) == (outbox.FILE_TRIES, 1)


def test_a_blocked_bot_is_not_asked_again_without_the_picture(api: BotApi) -> None:
    api.fault("blocked", "sendPhoto")
    put(attachment=outbox.attach(PICTURE, now=NOW))

    run(30)

    assert api.calls("sendMessage") == []


def test_a_channel_that_fails_again_and_again_is_left_alone_for_longer(api: BotApi) -> None:
    """Each try may hold a worker for seconds, so a hundred waiting messages must not each have one."""
    api.fault("down")
    for number in range(100):
        put(f"{number}")

    run(300)

    assert len(api.calls("sendMessage")) < 20


def test_a_critical_message_takes_the_second_way_while_the_first_is_left_alone(api: BotApi, settings: Any) -> None:
    settings.FALLBACK_URLS, settings.PRIVATE_ADDRESSES = [api.hook()], ("127.0.0.1",)
    api.fault("down")
    put("first")
    outbox.deliver(now=NOW)

    put("grave", severity=Severity.CRITICAL)
    run(10, start=1)

    assert [hook["message"] for hook in api.hooks()] == ["words"]


def test_another_address_gets_the_picture_once(api: BotApi, settings: Any) -> None:
    settings.NOTIFY_URLS, settings.PRIVATE_ADDRESSES = [api.hook()], ("127.0.0.1",)
    put(channel=outbox.address(api.hook()), attachment=outbox.attach(PICTURE, now=NOW))

    run(10)

    assert [each["filename"] for each in api.hooks()[0]["attachments"]] == ["chart.png"]


def test_old_files_are_forgotten_with_the_messages_that_carried_them(api: BotApi) -> None:
    put(attachment=outbox.attach(PICTURE, now=NOW))
    outbox.deliver(now=NOW)

    outbox.prune(now=NOW + outbox.KEPT + SECOND)

    assert (Delivery.objects.count(), Attachment.objects.count()) == (0, 0)


@pytest.mark.usefixtures("account")
def test_an_answer_comes_although_the_pressed_button_is_too_old_to_be_answered(chat: Chat, api: BotApi) -> None:
    api.fault("refuse", "answerCallbackQuery", told=refusal(400, "Bad Request: query is too old"))

    chat.press("r|balance", ROLES[Role.VIEWER], 100)

    assert [each["method"] for each in api.sent()] == ["editMessageText"]
