"""What the journal says is told once: alerts of facts, and what trades do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from notifications import listener, rendering, tasks
from notifications.adapters import painter
from notifications.models import Alert, Contact, Delivery, JournalMark, Preference, Role, ToldStop, Voice
from notifications.ports import File
from notifications.services import journal, outbox, summaries
from tests import factories
from tests.engine import close_of, enter_at, ports_over, run_rows, series, set_params
from tests.notifications.conftest import NOW
from tests.telegram.launch import BotApi
from trading import events
from trading.models import Bot, DayOpening, Event, Signal, Trade

pytestmark = pytest.mark.django_db
QUIET = (100.0, 100.5, 99.5, 100.0)


@pytest.fixture(autouse=True)
def _listening(api: BotApi, people: dict[Role, Contact]) -> None:
    """Listen from now on, with one chat."""
    Contact.objects.exclude(pk=people[Role.TRADER].pk).delete()
    factories.event(NOW - timedelta(minutes=2), "before anybody listened", kind="flatten")
    journal.relay(now=NOW)


def told(kind: str = "") -> list[str]:
    """Return what was written down for people, as words, oldest first."""
    rows = Delivery.objects.filter(kind=kind) if kind else Delivery.objects.all()
    return [rendering.plain(row.text) for row in rows.order_by("pk")]


@pytest.mark.parametrize(
    "kind", ["flatten", "order_found_late", "overfill", "exit_short", "self_test_failed", "trading_state"]
)
def test_a_grave_fact_is_told_once_however_often_the_journal_is_read(kind: str) -> None:
    factories.event(NOW, "something <grave>", kind=kind)

    for minute in range(5):
        journal.relay(now=NOW + timedelta(minutes=minute))

    assert len(told(kind)) == 1
    assert "something <grave>" in told(kind)[0]
    assert Alert.objects.get().cleared_at is not None


def test_what_happened_before_anybody_listened_is_no_news() -> None:
    journal.relay(now=NOW)

    assert told() == []


def test_what_happened_while_the_first_listener_started_is_told() -> None:
    JournalMark.objects.all().delete()
    factories.event(NOW - timedelta(seconds=10), "the first of all", kind="flatten")

    journal.relay(now=NOW)

    assert len(told("flatten")) == 1


def test_a_row_that_commits_late_is_still_told() -> None:
    newest = Event.objects.latest("pk").pk
    Event.objects.create(pk=newest + 2, at=NOW, kind="flatten", text="early")
    journal.relay(now=NOW + timedelta(seconds=61))

    Event.objects.create(pk=newest + 1, at=NOW, kind="flatten", text="late")
    journal.relay(now=NOW + timedelta(seconds=66))

    assert len(told("flatten")) == 2


def test_the_mark_moves_on_so_old_rows_are_not_read_for_ever() -> None:
    event = factories.event(NOW, "x", kind="flatten")
    for minute in range(1, 4):
        journal.relay(now=NOW + timedelta(seconds=61 * minute))

    assert JournalMark.objects.get().told == event.pk


def test_the_replayed_past_is_no_news() -> None:
    factories.bot(NOW, is_replaying=True)
    factories.event(NOW, "x", kind="flatten")
    journal.relay(now=NOW)
    Bot.objects.update(is_replaying=False)

    journal.relay(now=NOW)

    assert told() == []


def test_refused_setups_are_told_to_those_who_want_them(people: dict[Role, Contact]) -> None:
    signal = factories.signal(NOW, refused_by="adx", reason="adx 18.42, needs 20.00")
    Event.objects.create(at=NOW, kind="signal", text="x", payload={"signal": signal.pk})
    journal.relay(now=NOW)
    assert told() == []

    Preference.objects.create(contact=people[Role.TRADER], kind="refused", voice=Voice.ON)
    journal.relay(now=NOW)

    assert told() == ["PAPER · BTC/USDT long was refused\nadx: adx 18.42, needs 20.00"]


def test_a_trade_is_told_from_its_plan_to_its_result() -> None:
    """Drive the engine: entered at 100, the first target, then the stop that was moved to break-even."""
    set_params()
    up = (100.0, 104.0, 99.9, 103.9)
    rows = [QUIET, up, (103.9, 104.0, 90.0, 91.0), QUIET, QUIET]
    ports = ports_over(series(rows), enter_at(-1))

    for row in (-1, 0, 1, 2, 3):
        run_rows(ports, row)
        journal.relay(now=close_of(row))

    trade = Trade.objects.get()
    opened, target, stop, closed = (told(kind)[0] for kind in ("opened", "target", "stop", "closed"))
    assert trade.status == "closed"
    assert opened.startswith("PAPER · Opened long BTC/USDT\nEntry 100.00, ")
    assert "Because of scripted, score" in opened
    assert target.startswith("PAPER · BTC/USDT: target 1 hit\n")
    assert "moved" in stop
    assert f"PnL {trade.pnl:+,.2f} after fees" in closed
    assert f"Fees {trade.fees:,.2f}, lasted" in closed
    assert len(told("opened")) == len(told("closed")) == 1
    assert ToldStop.objects.count() == 0


def test_a_stop_is_told_when_it_moves_by_much_or_becomes_another(people: dict[Role, Contact]) -> None:
    trade = factories.trade(NOW, entry="100", risk="4", quantity="1", stop=96.0, stop_reason=0)
    for stop, reason in ((96.0, 0), (96.5, 0), (97.0, 0), (97.2, 0), (97.2, 1), (97.2, 1)):
        Trade.objects.filter(pk=trade.pk).update(stop=stop, stop_reason=reason)
        journal.relay(now=NOW)

    assert told("stop") == [
        "PAPER · BTC/USDT: stop moved\nFrom 96.000 to 97.000: stop.",
        "PAPER · BTC/USDT: stop moved\nFrom 97.000 to 97.200: break-even stop.",
    ]
    assert Delivery.objects.filter(is_silent=True).count() == 2


def test_summaries_of_the_day_and_the_week_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "draw", lambda *_, **__: File(name="x.png", media="image/png", content=b"drawn"))
    factories.bot(NOW)
    monday = NOW.replace(hour=0, minute=6) + timedelta(days=5)
    for days in range(1, 8):
        DayOpening.objects.create(date=(monday - timedelta(days=days)).date(), equity=Decimal(10_000))
    factories.closed_trade(monday - timedelta(hours=3), exit="68000")
    factories.closed_trade(monday - timedelta(days=3), exit="66000", symbol="ETH/USDT")
    Signal.objects.update(status="taken")

    for minutes in (-5, 0, 1, 60):
        summaries.send_due(now=monday + timedelta(minutes=minutes))

    daily, weekly = told("summary")
    assert daily.startswith(
        "PAPER · Summary of Sunday 2026-03-08\nPnL        +86.50\nFees        13.50\nTrades          1"
    )
    assert weekly.startswith("PAPER · Summary of the week from 2026-03-02")
    assert "Best BTC/USDT +86.50, worst ETH/USDT -113.30" in weekly


def test_a_day_on_which_nothing_ran_has_no_summary() -> None:
    factories.bot(NOW)

    summaries.send_due(now=NOW)

    assert told() == []


def test_an_event_that_people_hear_of_asks_for_a_sweep(
    api: BotApi, django_capture_on_commit_callbacks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        events.emit("flatten", at=NOW, text="at once")
        events.emit("scan", at=NOW, text="nobody cares")

    assert len(api.sent()) == 1
    assert api.texts()[0].endswith("at once")


def test_without_redis_trading_goes_on_and_tries_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    from kombu.exceptions import OperationalError

    asked: list[int] = []

    def refuse(**options: object) -> None:
        asked.append(1)
        raise OperationalError("no Redis")

    monkeypatch.setattr(listener, "_failed_at", None)
    monkeypatch.setattr(tasks.sweep, "apply_async", refuse)
    for _ in range(10):
        listener.hear("flatten", NOW)
    monkeypatch.setattr(listener, "_failed_at", None)

    assert asked == [1]


def test_where_nothing_is_set_nothing_is_asked_for(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TELEGRAM_TOKEN = ""  # type: ignore[attr-defined]
    monkeypatch.setattr(tasks.sweep, "apply_async", lambda **options: pytest.fail("asked"))

    listener.hear("flatten", NOW)

    assert outbox.overdue(now=NOW) == timedelta(0)
