"""Who watches the watch: a silent worker, beat or stream is told by whoever stands in; and what surrounds trading."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from mlops.reporter import Reporter
from notifications import kinds, rendering, tasks
from notifications.models import Alert, AlertRule, Contact, Role, WatchMark
from notifications.services import alerts, outbox, silence, watch
from tests import factories
from tests.notifications.conftest import NOW, ROLES
from tests.telegram.launch import BotApi
from trading.models import BackupRun, Bot, InvariantRun, TickRun, VenuePause
from trading.services import audit

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _quiet(api: BotApi, people: dict[Role, Contact]) -> None:
    """Make an account of which nothing is to be told at NOW."""
    factories.bot(NOW, equity=10_000, peak_equity=10_000, initial_balance=10_000, last_tick_at=NOW, data_at=NOW)
    WatchMark.objects.create(pk=1, looked_at=NOW, up_since=NOW - timedelta(hours=1))
    ticked(0)


def ticked(seconds: float) -> None:
    TickRun.objects.create(job="tick", slot=NOW + seconds * SECOND, owner="a", started_at=NOW)
    Bot.objects.update(last_tick_at=NOW + seconds * SECOND, data_at=NOW + seconds * SECOND)


def standing() -> list[str]:
    return sorted(Alert.objects.filter(cleared_at__isnull=True).values_list("key", flat=True))


def look(seconds: float, *, is_guard: bool = False) -> list[str]:
    watch.look(now=NOW + seconds * SECOND, is_guard=is_guard)
    return standing()


def test_all_is_well() -> None:
    assert look(1) == []


def test_a_worker_that_looks_no_more_is_told_by_who_stands_in_for_it_and_over_when_it_looks(api: BotApi) -> None:
    ticked(44)

    assert look(45, is_guard=True) == ["worker:notify"]
    assert look(46, is_guard=True) == ["worker:notify"]
    outbox.deliver(now=NOW + 46 * SECOND)
    told = [rendering.plain(text) for text in api.texts()]
    assert (len(told), len({message["chat_id"] for message in api.sent()})) == (3, 3)
    assert "Nobody has looked after alerts and messages for 45 s, while trading goes on" in told[0]

    ticked(50)
    assert look(50) == []


def test_how_long_a_worker_may_be_silent_is_the_operators(capsys: pytest.CaptureFixture[str]) -> None:
    rule = AlertRule.objects.create(kind="worker", threshold=120)
    ticked(100)
    assert look(100, is_guard=True) == []
    ticked(121)
    assert look(121, is_guard=True) == ["worker:notify"]

    now = timezone.now()
    WatchMark.objects.update(looked_at=now - timedelta(seconds=100), up_since=now - 60 * MINUTE)
    call_command("watch")
    assert capsys.readouterr().out == ""
    AlertRule.objects.filter(pk=rule.pk).update(threshold=90)
    call_command("watch")
    assert "looked in place of the worker" in capsys.readouterr().out


def test_a_beat_that_sends_nothing_is_told_with_what_comes_of_it() -> None:
    assert look(45, is_guard=True) == ["beat:", "tick_age:"]


def test_checks_that_are_not_made_are_told_of_their_worker() -> None:
    InvariantRun.objects.create(at=NOW - timedelta(seconds=181), checked=1, violations=[])

    assert look(0) == ["worker:work"]


def test_a_site_that_was_switched_off_is_no_silent_one() -> None:
    InvariantRun.objects.create(at=NOW, checked=1, violations=[])

    assert look(8 * 3600) == []
    assert look(8 * 3600 + 59) == []
    assert look(8 * 3600 + 61) == ["data_old:", "tick_age:", "worker:work"] or standing() == [
        "tick_age:",
        "worker:work",
    ]


def test_whoever_stands_in_does_nothing_while_the_watch_looks(api: BotApi, capsys: pytest.CaptureFixture[str]) -> None:
    WatchMark.objects.update(looked_at=timezone.now())

    call_command("watch")

    assert (capsys.readouterr().out, standing(), api.sent()) == ("", [], [])


def test_whoever_stands_in_looks_and_sends(api: BotApi) -> None:
    now = timezone.now()
    WatchMark.objects.update(looked_at=now - MINUTE, up_since=now - 60 * MINUTE)
    Bot.objects.update(last_tick_at=now, data_at=now)
    TickRun.objects.update(slot=now)

    call_command("watch")

    assert standing() == ["worker:notify"]
    assert len(api.sent()) == len(ROLES)
    assert silence.is_silent(now=now, limit=timedelta(seconds=40))


def test_the_task_leaves_both_marks(settings: Any, tmp_path: Any) -> None:
    settings.JULABA_DATA_DIR = tmp_path

    tasks.watch()

    assert timezone.now() - WatchMark.objects.get().looked_at < MINUTE
    assert (tmp_path / "run" / "watch.alive").exists()


def test_guessed_passwords_are_told_until_it_is_quiet_again() -> None:
    for number in range(5):
        audit.record("login_failed", actor="", text="Refused a log-in", at=NOW - number * SECOND)

    assert look(1) == ["logins:"]
    assert "5 log-ins were refused within 10 min" in Alert.objects.get().text
    outbox.deliver(now=NOW + 2 * SECOND)
    ticked(601)
    WatchMark.objects.update(looked_at=NOW + 600 * SECOND)
    assert look(602) == []


def test_a_process_that_was_started_again_is_told_until_it_has_settled(settings: Any, tmp_path: Path) -> None:
    settings.JULABA_DATA_DIR = tmp_path
    assert look(1) == []
    for name, seconds in (("work", 0), ("beat", 700)):
        note = tmp_path / "run" / "ended" / name
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text("-9\n")
        os.utime(note, times=((NOW - seconds * SECOND).timestamp(),) * 2)

    assert look(1) == ["process:work"]
    assert "work ended by itself at 12:00:00 UTC (exit code -9) and was started again" in Alert.objects.get().text
    outbox.deliver(now=NOW + 2 * SECOND)
    ticked(601)
    WatchMark.objects.update(looked_at=NOW + 600 * SECOND)
    assert look(602) == []


def test_a_backup_that_is_overdue_is_told() -> None:
    BackupRun.objects.create(kind="backup", at=NOW - timedelta(hours=12, minutes=1), passed=True, text="x")

    assert look(1) == ["backup_old:"]


def test_a_cool_down_and_a_reached_limit_are_circuit_breakers() -> None:
    Bot.objects.update(losses_in_row=2, last_loss_at=NOW - MINUTE)

    assert look(1) == ["breaker:cool_down"]
    assert "nothing is entered until it is over. Exits go on." in Alert.objects.get().text


def test_a_pause_that_the_venue_asked_for_is_told() -> None:
    VenuePause.objects.create(venue="binance", until=NOW + 10 * MINUTE)

    assert look(1) == ["venue_pause:binance"]


def test_a_model_that_errs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reporter, "accuracy", lambda self: {"Predictor": 0.40, "Regime model": 0.45})

    assert look(1) == ["ml_accuracy:Predictor"]
    assert "40.00% of its last 20 answers were right, 45.00% are wanted" in Alert.objects.get().text


def test_clocks_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead:
        def __enter__(self) -> Ahead:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def time(self) -> tuple[int, int]:
            return int(timezone.now().timestamp()) + 60, 0

    monkeypatch.setattr("notifications.services.surroundings.Redis.from_url", lambda *_, **__: Ahead())

    assert look(1) == ["clock:"]


def test_every_kind_that_is_watched_is_looked_at() -> None:
    """A kind without a look would be a line on a page that never comes."""
    import inspect

    from notifications.services import surroundings

    source = inspect.getsource(watch)
    looked = {name for name in kinds.CONDITIONS if f'"{name}"' in source} | set(silence.ASKED) | set(surroundings.ASKED)

    assert looked == set(kinds.CONDITIONS)


def test_an_operator_sets_threshold_cool_down_and_escalation() -> None:
    AlertRule.objects.create(kind="logins", threshold=2, cool_down_s=0)
    AlertRule.objects.create(kind="tick_age", threshold=5, escalation_minutes=1)
    for number in range(2):
        audit.record("login_failed", actor="", text="Refused a log-in", at=NOW - number * SECOND)

    assert look(6) == ["logins:", "tick_age:"]
    assert alerts.clear("logins", now=NOW + 7 * SECOND)
    assert look(8) == ["logins:", "tick_age:"]

    assert look(60) != []
    assert Alert.objects.get(kind="tick_age").escalated_at is None
    look(70)
    assert Alert.objects.get(kind="tick_age").escalated_at == NOW + 70 * SECOND


def test_a_worker_that_never_looked_at_all_is_silent_from_the_first_question_on() -> None:
    WatchMark.objects.all().delete()
    limit = timedelta(seconds=40)

    assert not silence.is_silent(now=NOW, limit=limit)
    assert silence.is_silent(now=NOW + 41 * SECOND, limit=limit)
    ticked(44)
    assert look(45, is_guard=True) == ["worker:notify"]
