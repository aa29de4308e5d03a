"""Messages on their way: nothing is lost, nothing is doubled, pauses are kept, and a second channel steps in."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings

from notifications import rendering
from notifications.models import ChannelPause, Delivery, DeliveryStatus, Role, Severity
from notifications.services import outbox
from tests.notifications.conftest import NOW, ROLES
from tests.telegram.launch import BotApi
from tests.telegram.server import TOKEN

pytestmark = pytest.mark.django_db
CHAT = outbox.chat(ROLES[Role.TRADER])
SECOND = timedelta(seconds=1)


def put(key: str, severity: Severity = Severity.INFO, *, now: datetime = NOW, channel: str = CHAT, **more: str) -> None:
    outbox.put(key=key, channel=channel, kind="closed", severity=severity, text=more.get("text", key), now=now)


def statuses() -> dict[str, str]:
    return dict(Delivery.objects.order_by("pk").values_list("key", "status"))


def run(until: datetime, *, every: timedelta = 5 * SECOND, start: datetime = NOW) -> None:
    """Deliver as the sweep does, from `start` to `until`."""
    while start <= until:
        outbox.deliver(now=start)
        start += every


def test_one_key_goes_once_to_each_channel(api: BotApi) -> None:
    for _ in range(3):
        put("a")
    put("a", channel=outbox.chat(5))

    run(NOW + 30 * SECOND)

    assert [(message["chat_id"], message["text"]) for message in api.sent()] == [("22", "a"), ("5", "a")]


def test_ten_minutes_without_telegram_lose_nothing_and_double_nothing(api: BotApi) -> None:
    api.down()
    for number in range(12):
        put(f"message {number}", now=NOW + number * SECOND)
    run(NOW + timedelta(minutes=10), every=timedelta(seconds=60))
    assert set(statuses().values()) == {DeliveryStatus.PENDING}

    api.up()
    run(NOW + timedelta(minutes=17), start=NOW + timedelta(minutes=10), every=timedelta(seconds=60))

    assert sorted(api.texts()) == sorted(f"message {number}" for number in range(12))
    assert set(statuses().values()) == {DeliveryStatus.SENT}


def test_a_pause_that_telegram_asks_for_holds_back_every_chat(api: BotApi) -> None:
    api.fault("wait", retry_after=600, times=1)
    put("first")
    put("second", channel=outbox.chat(5))

    run(NOW + 595 * SECOND)
    assert (api.sent(), len(api.calls("sendMessage"))) == ([], 1)
    assert ChannelPause.objects.get().until == NOW + 600 * SECOND

    run(NOW + 610 * SECOND, start=NOW + 600 * SECOND)

    assert sorted(api.texts()) == ["first", "second"]


def test_the_pauses_between_two_tries_grow_and_stay_bounded(api: BotApi) -> None:
    api.fault("down")
    put("a")
    tried: list[timedelta] = []

    now = NOW
    for _ in range(12):
        outbox.deliver(now=now)
        tried.append(Delivery.objects.get().next_at - now)
        now = Delivery.objects.get().next_at

    seconds = [int(pause.total_seconds()) for pause in tried]
    assert seconds == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    assert TOKEN not in Delivery.objects.get().error


def test_a_channel_that_fails_is_not_asked_again_in_the_same_run(api: BotApi) -> None:
    api.fault("down")
    for number in range(10):
        put(f"{number}")

    outbox.deliver(now=NOW)

    assert len(api.calls("sendMessage")) == 1


def test_the_gravest_go_first(api: BotApi) -> None:
    put("news")
    put("alarm", Severity.CRITICAL)

    outbox.deliver(now=NOW)

    assert api.texts() == ["alarm", "news"]


def test_who_blocked_the_bot_is_not_tried_again(api: BotApi) -> None:
    api.fault("blocked", times=1)
    put("a")

    run(NOW + 60 * SECOND)

    assert (statuses(), len(api.calls("sendMessage"))) == ({"a": "refused"}, 1)


def test_markup_that_telegram_refuses_is_sent_as_words(api: BotApi) -> None:
    api.fault("entities", times=1)
    put("a", text="PAPER · <b>x &lt; y</b>")

    outbox.deliver(now=NOW)

    assert [(message["text"], message.get("parse_mode")) for message in api.sent()] == [("PAPER · x < y", None)]


def test_whoever_dies_while_sending_leaves_it_to_be_sent(api: BotApi) -> None:
    put("a")
    Delivery.objects.update(status=DeliveryStatus.SENDING, claimed_at=NOW)

    outbox.deliver(now=NOW + 59 * SECOND)
    assert api.sent() == []
    outbox.deliver(now=NOW + 61 * SECOND)

    assert api.texts() == ["a"]


def test_an_answer_is_worth_nothing_ten_minutes_later(api: BotApi) -> None:
    outbox.put(key="update:1", channel=CHAT, kind=outbox.REPLY, text="a", now=NOW)

    outbox.deliver(now=NOW + timedelta(minutes=11))

    assert (api.sent(), statuses()) == ([], {"update:1": "refused"})


@pytest.fixture
def fallback(api: BotApi, settings: LazySettings) -> BotApi:
    settings.FALLBACK_URLS = [api.hook("/second")]
    return api


def test_a_critical_message_goes_by_the_second_channel_once_when_the_first_fails(fallback: BotApi) -> None:
    fallback.fault("down")
    put("alarm", Severity.CRITICAL, text="PAPER · <b>alarm</b>\nlook &amp; see")
    put("news")

    run(NOW + 60 * SECOND)

    (told,) = fallback.hooks()
    assert (told["path"], told["title"], told["message"]) == ("/hook/second", "PAPER · alarm", "look & see")
    fallback.heal()
    run(NOW + 200 * SECOND, start=NOW + 60 * SECOND)
    assert sorted(fallback.texts()) == ["PAPER · <b>alarm</b>\nlook &amp; see", "news"]
    assert len(fallback.hooks()) == 1


def test_the_second_channel_is_not_used_while_the_first_works(fallback: BotApi) -> None:
    put("alarm", Severity.CRITICAL)

    run(NOW + 30 * SECOND)

    assert (fallback.texts(), fallback.hooks()) == (["alarm"], [])


@pytest.mark.parametrize("what", ["wait", "blocked"])
def test_a_pause_and_a_refusal_bring_the_second_channel_too(fallback: BotApi, what: str) -> None:
    fallback.fault(what, retry_after=600, times=1)
    put("first", Severity.CRITICAL)
    outbox.deliver(now=NOW)
    put("later", Severity.CRITICAL, now=NOW + 5 * SECOND, channel=outbox.chat(5))

    run(NOW + 30 * SECOND, start=NOW + 5 * SECOND)

    told = [hook["title"] for hook in fallback.hooks()]
    assert told == (["first", "later"] if what == "wait" else ["first"])


def test_a_second_channel_that_fails_is_tried_again(fallback: BotApi) -> None:
    fallback.fault("down")
    fallback.fault("down", "hook", times=2)
    put("alarm", Severity.CRITICAL)

    run(NOW + 30 * SECOND)

    assert [hook["title"] for hook in fallback.hooks()] == ["alarm"]


def test_an_address_is_told_nowhere(settings: LazySettings, api: BotApi) -> None:
    url = "nonsense://user:hunter2@host"
    settings.NOTIFY_URLS = [url]
    put("a", channel=outbox.address(url))

    outbox.deliver(now=NOW)

    row = Delivery.objects.get()
    assert row.status == DeliveryStatus.REFUSED
    assert "hunter2" not in f"{row.channel} {row.error}"
    assert "nonsense" in row.error


def test_what_went_out_long_ago_is_forgotten_and_what_waits_is_not(api: BotApi) -> None:
    put("sent")
    outbox.deliver(now=NOW)
    put("waits")

    outbox.prune(now=NOW + timedelta(days=31))

    assert statuses() == {"waits": "pending"}


def test_every_page_fits_and_says_paper() -> None:
    lines = rendering.text(*("<&>" * 40 for _ in range(60))) + rendering.table([("x" * 80, "1")] * 90)

    parts = rendering.pages("t" * 500, lines)

    assert len(parts) > 3
    assert all(len(part) <= rendering.LONGEST and part.startswith("PAPER · <b>") for part in parts)
    assert sum(rendering.plain(part).count("<&>" * 40) for part in parts) == 60
