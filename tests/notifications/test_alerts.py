"""Alerts: raised once, told within a sweep, over when it is over, and armed again only then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings

from notifications import kinds, rendering
from notifications.admin import AlertRuleForm
from notifications.models import Alert, AlertRule, Contact, Delivery, Preference, Role, Voice, WatchMark
from notifications.services import alerts, outbox, silence, surroundings, watch
from tests import factories
from tests.notifications.conftest import NOW, ROLES, Chat, buttons
from tests.telegram.launch import BotApi
from trading.models import (
    Bot,
    DayOpening,
    InvariantRun,
    LastPrice,
    ReconcileRun,
    Scan,
    ScanRow,
    Trade,
    Watermark,
)

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _quiet(api: BotApi, people: dict[Role, Contact]) -> None:
    """Make an account of which nothing is to be told."""
    factories.bot(NOW, equity=Decimal(10_000), peak_equity=Decimal(10_000), initial_balance=Decimal(10_000))


def standing() -> list[str]:
    return list(Alert.objects.filter(cleared_at__isnull=True).order_by("pk").values_list("key", flat=True))


def alive(**columns: Any) -> None:
    """Let the account be alive at NOW, but for what is given."""
    Bot.objects.update(**{"last_tick_at": NOW, "data_at": NOW, **columns})


def frozen_feed() -> None:
    alive(data_at=NOW - timedelta(seconds=301))


def dead_worker() -> None:
    alive(last_tick_at=NOW - timedelta(seconds=31))


def lost_much() -> None:
    alive(equity=Decimal(8_990), peak_equity=Decimal(8_990))


def fallen() -> None:
    alive(peak_equity=Decimal(10_600))


def lost_today() -> None:
    DayOpening.objects.create(date=NOW.date(), equity=Decimal(10_430))
    alive()


def bare() -> None:
    factories.trade(NOW - MINUTE, unprotected_at=NOW - timedelta(seconds=9))
    alive()


def moved() -> None:
    factories.trade(NOW - MINUTE, symbol="SOL/USDT", entry="100", risk="5", quantity="1")
    LastPrice.objects.create(symbol="SOL/USDT", price=96.9, at=NOW)
    alive()


def broken() -> None:
    found = {"id": "I-14", "level": "M", "text": "the balance is the sum of the ledger", "found": "1 is not 2"}
    InvariantRun.objects.create(at=NOW, checked=17, violations=[found])
    alive()


def different() -> None:
    row = {"kind": "cash", "symbol": "", "ours": "1", "theirs": "2", "action": "exits only", "needs_people": True}
    ReconcileRun.objects.create(kind="running", epoch=1, at=NOW, passed=False, differences=[row])
    alive()


def unanswered() -> None:
    for number in range(3):
        ReconcileRun.objects.create(kind="running", epoch=1, at=NOW + number * SECOND, passed=False, problem="timeout")
    alive()


def stale_pair() -> None:
    revised()
    LastPrice.objects.create(symbol="SOL/USDT", price=96.9, at=NOW - timedelta(seconds=301))
    LastPrice.objects.create(symbol="GONE/USDT", price=1.0, at=NOW - timedelta(days=1))
    alive()


def unjudged() -> None:
    revised()
    for symbol, bar_at in (
        ("SOL/USDT", NOW - 36 * MINUTE),
        ("ETH/USDT", NOW - 35 * MINUTE),
        ("GONE/USDT", NOW - 60 * MINUTE),
    ):
        Watermark.objects.create(symbol=symbol, timeframe="15m", bar_at=bar_at)
    alive()


def revised() -> None:
    """Let the parameters, and so the pairs, be in force for a while."""
    factories.revision(NOW - timedelta(hours=1))


def undelivered() -> None:
    outbox.put(key="x", channel="url:gone", kind="closed", text="x", now=NOW - timedelta(seconds=121))
    alive()


def scan(minutes_ago: int, price: float, regime: str = "trend") -> None:
    made = Scan.objects.create(at=NOW - minutes_ago * MINUTE, timeframe="15m")
    ScanRow.objects.create(scan=made, rank=1, symbol="BTC/USDT", score=1.0, price=price, regime=regime, parts={})


def crashed() -> None:
    for minutes_ago, price in ((70, 120.0), (50, 100.0), (5, 94.9)):
        scan(minutes_ago, price)
    alive()


CASES: list[tuple[Callable[[], None], str, str]] = [
    (frozen_feed, "data_old:", "The newest price is 5 min old"),
    (stale_pair, "price_old:watched", "No price came for 5 min: SOL/USDT. Nothing is entered there."),
    (unjudged, "bars_old:", "No closed bar was judged for 5 min since it was due: SOL/USDT."),
    (dead_worker, "tick_age:", "The last tick ran 31 s ago"),
    (lost_much, "balance:", "10.10% below the initial 10,000.00"),
    (fallen, "drawdown:1", "5.00% and more below its peak of 10,600.00"),
    (lost_today, f"daily_loss:{NOW.date()}", "4.12% were lost today, the limit is 5.00%: it is near."),
    (bare, "unprotected:", "BTC/USDT, has had no stop since 11:59:51 UTC"),
    (moved, "move:", "the price has moved -3.10% since the entry, to 96.900"),
    (broken, "invariant:I-14", "I-14, the balance is the sum of the ledger: 1 is not 2"),
    (different, "reconcile:cash ", "cash, : ours 1, theirs 2; exits only."),
    (unanswered, "venue_errors:", "The last 3 comparisons with the venue could not be finished: timeout."),
    (crashed, "crash:", "BTC has fallen 5.10% within an hour, to 94.900."),
    (undelivered, "outbox:", "A message has been waiting for 2 min"),
]


@pytest.mark.parametrize(("provoke", "key", "words"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_condition_is_told_once_to_everybody(
    api: BotApi, provoke: Callable[[], None], key: str, words: str
) -> None:
    alive()
    watch.look(now=NOW)
    assert standing() == []

    provoke()
    for number in range(5):
        watch.look(now=NOW + number * SECOND)
    outbox.deliver(now=NOW + 5 * SECOND)

    assert len(standing()) == 1
    assert standing()[0].startswith(key)
    assert [message["chat_id"] for message in api.sent()] == ["11", "22", "33"]
    assert all(words in rendering.plain(text) and text.startswith("PAPER · ") for text in api.texts())


def test_what_is_over_is_told_quietly_and_armed_again_after_a_while(api: BotApi) -> None:
    frozen_feed()
    watch.look(now=NOW)
    alive()
    watch.look(now=NOW + SECOND)
    outbox.deliver(now=NOW + SECOND)
    assert standing() == []
    assert [message.get("disable_notification") for message in api.sent()][-1] == "true"

    later = NOW + timedelta(seconds=kinds.KINDS["data_old"].cool_down_s)
    Bot.objects.update(data_at=NOW - timedelta(hours=1), last_tick_at=later)
    WatchMark.objects.update(looked_at=later - 2 * SECOND)
    watch.look(now=later - SECOND)
    assert standing() == []
    watch.look(now=later + 2 * SECOND)

    assert Alert.objects.filter(kind="data_old").count() == 2


def test_the_price_of_an_open_position_that_stands_still_is_told_by_itself() -> None:
    stale_pair()
    factories.trade(NOW - timedelta(hours=1), symbol="AVAX/USDT", entry="20", risk="1", quantity="1")
    LastPrice.objects.update_or_create(symbol="AVAX/USDT", defaults={"price": 20.0, "at": NOW - timedelta(seconds=301)})

    watch.look(now=NOW)

    assert sorted(standing()) == ["price_old:AVAX/USDT", "price_old:watched"]


def test_pairs_that_have_just_come_to_be_watched_are_given_time() -> None:
    factories.revision(NOW - timedelta(seconds=299))
    stale_pair()

    watch.look(now=NOW)

    assert standing() == []


def test_while_all_prices_are_old_and_just_after_no_pair_is_told_besides() -> None:
    stale_pair()
    frozen_feed()
    watch.look(now=NOW)
    assert standing() == ["data_old:"]
    alive()
    watch.look(now=NOW + SECOND)
    watch.look(now=NOW + 20 * SECOND)
    assert standing() == []

    alive(last_tick_at=NOW + 62 * SECOND, data_at=NOW + 62 * SECOND)
    WatchMark.objects.update(looked_at=NOW + 61 * SECOND)
    watch.look(now=NOW + 62 * SECOND)

    assert standing() == ["price_old:watched"]


def test_a_deeper_fall_is_told_again(api: BotApi) -> None:
    for peak in (10_600, 10_600, 11_200):
        alive(peak_equity=Decimal(peak))
        watch.look(now=NOW)

    assert standing() == ["drawdown:1", "drawdown:2"]


def test_of_steps_that_are_passed_together_the_last_is_told(api: BotApi) -> None:
    factories.trade(NOW - MINUTE, symbol="SOL/USDT", entry="100", risk="5", quantity="1")
    LastPrice.objects.create(symbol="SOL/USDT", price=90.0, at=NOW)
    alive(peak_equity=Decimal(11_800))

    for _ in range(2):
        watch.look(now=NOW)
    outbox.deliver(now=NOW)

    assert [key for key in standing() if key.startswith("drawdown")] == ["drawdown:1", "drawdown:2", "drawdown:3"]
    assert sum(key.startswith("move") for key in standing()) == 3
    told = [rendering.plain(message["text"]) for message in api.sent() if message["chat_id"] == "11"]
    assert len(told) == 2
    assert any("15.00% and more below its peak" in text for text in told)
    assert any("has moved -10.00% since the entry" in text for text in told)

    alive(peak_equity=Decimal(12_600))
    watch.look(now=NOW)
    assert standing()[-1] == "drawdown:4"


def test_before_there_is_an_account_and_while_the_past_is_replayed_nothing_is_told() -> None:
    alive(last_tick_at=NOW - timedelta(days=1), is_replaying=True)
    watch.look(now=NOW)
    Bot.objects.all().delete()
    watch.look(now=NOW)

    assert Alert.objects.count() == 0


def test_thresholds_are_the_operators(api: BotApi) -> None:
    rule = AlertRule.objects.create(kind="data_old", threshold=600)
    frozen_feed()
    watch.look(now=NOW)
    assert standing() == []

    AlertRule.objects.filter(pk=rule.pk).update(threshold=60)
    watch.look(now=NOW)
    assert standing() == ["data_old:"]

    AlertRule.objects.filter(pk=rule.pk).update(is_on=False)
    watch.look(now=NOW)
    assert standing() == []


@pytest.mark.parametrize(
    ("kind", "threshold", "is_valid"),
    [
        ("data_old", "5", True),
        ("data_old", "", True),
        ("data_old", "-1", False),
        ("flatten", "1", False),
        ("no", "1", False),
    ],
)
def test_a_rule_takes_only_what_makes_sense(kind: str, threshold: str, is_valid: bool) -> None:
    assert AlertRuleForm({"kind": kind, "threshold": threshold, "is_on": "on"}).is_valid() is is_valid


def test_everybody_hears_as_they_like(api: BotApi, people: dict[Role, Contact]) -> None:
    Preference.objects.create(contact=people[Role.VIEWER], kind="data_old", voice=Voice.OFF)
    Preference.objects.create(contact=people[Role.TRADER], kind="data_old", voice=Voice.SILENT)
    people[Role.ADMIN].user.is_active = False
    people[Role.ADMIN].user.save()

    frozen_feed()
    watch.look(now=NOW)
    outbox.deliver(now=NOW)

    assert [(message["chat_id"], message.get("disable_notification")) for message in api.sent()] == [("22", "true")]


def test_an_alert_is_acknowledged_once_and_else_told_once_more(api: BotApi, chat: Chat) -> None:
    frozen_feed()
    watch.look(now=NOW)
    outbox.deliver(now=NOW)
    first = api.sent()[0]
    later = NOW + alerts.ESCALATION
    Bot.objects.update(last_tick_at=later)

    watch.look(now=later)
    watch.look(now=later + SECOND)
    outbox.deliver(now=later + SECOND)
    assert sum("nobody has acknowledged it" in text for text in api.texts()) == 3

    for _ in range(2):
        chat.press(buttons(first)["Acknowledge"], ROLES[Role.VIEWER], first["message_id"])

    assert [call["text"] for call in api.calls("answerCallbackQuery")] == [
        "Acknowledged.",
        "It was acknowledged already.",
    ]
    assert Alert.objects.get().acknowledged_by == "user11 by Telegram"


def test_an_acknowledged_alert_is_not_told_again(api: BotApi) -> None:
    frozen_feed()
    watch.look(now=NOW)
    alerts.acknowledge(Alert.objects.get().pk, by="anna", now=NOW)

    assert alerts.escalate(now=NOW + timedelta(hours=1)) == 0


def test_addresses_hear_of_alerts_and_where_there_is_nobody_the_second_ones_do(
    api: BotApi, settings: LazySettings
) -> None:
    settings.NOTIFY_URLS = [api.hook("/first")]
    settings.FALLBACK_URLS = [api.hook("/second")]
    frozen_feed()
    watch.look(now=NOW)
    outbox.deliver(now=NOW)
    assert [hook["path"] for hook in api.hooks()] == ["/hook/first"]

    settings.NOTIFY_URLS = []
    Contact.objects.all().delete()
    dead_worker()
    watch.look(now=NOW)
    outbox.deliver(now=NOW)

    assert [hook["path"] for hook in api.hooks()] == ["/hook/first", "/hook/second"]


def test_a_regime_that_changes_under_an_open_position_is_told_once_and_quietly(api: BotApi) -> None:
    factories.trade(NOW)
    scan(6, 100.0, "trend")
    scan(1, 100.0, "choppy")
    alive()

    for _ in range(3):
        watch.look(now=NOW)
    outbox.deliver(now=NOW)

    assert set(api.texts()) == {"PAPER · <b>BTC/USDT: the regime changed</b>\nFrom trend to choppy."}
    assert [message.get("disable_notification") for message in api.sent()] == ["true"] * 3


def test_an_old_scan_says_nothing_of_now(api: BotApi) -> None:
    scan(40, 100.0)
    scan(20, 50.0)
    alive()

    watch.look(now=NOW)

    assert standing() == []


def test_two_processes_raise_one_alert() -> None:
    assert alerts.raise_("data_old", "x", now=NOW) is not None
    assert alerts.raise_("data_old", "x", now=NOW) is None

    assert Delivery.objects.count() == 3


def test_every_kind_is_known_to_the_rules() -> None:
    elsewhere = {"weekly_loss", "breaker", *silence.ASKED, *surroundings.ASKED}
    assert set(kinds.CONDITIONS) == {case[1].partition(":")[0] for case in CASES} | elsewhere
    assert not Trade.objects.exists()
