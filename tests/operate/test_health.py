"""What machines are told: that the process lives, that it can serve, that trading is well, and who hears why it is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from dashboard import health_sheet, health_views
from tests import factories, page_factories
from trading.models import BackupKind, BackupRun, Bot, TickRun, TradingState

pytestmark = pytest.mark.django_db


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Redis answer: none runs beside the tests."""
    well = health_sheet.Check(name="Redis", state="ok", text="answers")
    monkeypatch.setattr(health_sheet, "_redis", lambda: well)


@pytest.fixture
def now() -> datetime:
    """Return the moment of rows that are fresh when the views look at them, whatever time it is."""
    return timezone.now()


def test_a_process_that_lives_says_so_and_asks_nobody(client: Client, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(0):
        answer = client.get("/livez")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.usefixtures("answering")
def test_a_site_that_trades_is_ready_and_healthy(client: Client, now: datetime) -> None:
    page_factories.fill(now)

    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/health").json() == {"status": "healthy"}


def test_a_site_without_redis_is_neither(client: Client, now: datetime) -> None:
    page_factories.fill(now)

    assert (client.get("/readyz").status_code, client.get("/health").status_code) == (503, 503)


@pytest.mark.usefixtures("answering")
def test_strangers_hear_no_reason(client: Client) -> None:
    answer = client.get("/health")

    assert answer.status_code == 503
    assert answer.json() == {"status": "unhealthy"}


@pytest.mark.usefixtures("answering")
def test_people_and_those_who_know_the_token_hear_the_reasons(
    client: Client, settings: Settings, now: datetime
) -> None:
    settings.METRICS_TOKEN = "t" * 32
    page_factories.fill(now)
    Bot.objects.update(last_tick_at=now - timedelta(minutes=2))

    by_token = client.get("/health", headers={"Authorization": f"Bearer {'t' * 32}"}).json()
    client.force_login(factories.user("vera", is_staff=False))
    by_person = client.get("/health").json()

    assert by_token["reasons"] == by_person["reasons"] == ["Tick: last"]
    tick = next(check for check in by_person["checks"] if check["name"] == "Tick")
    assert (tick["ok"], tick["state"]) == (False, "bad")
    assert tick["advice"].startswith("Nothing is followed without ticks")


def late_beat(now: datetime) -> None:
    TickRun.objects.all().delete()
    TickRun.objects.create(job="tick", slot=now - timedelta(minutes=3), owner="a", started_at=now)


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("Tick", lambda now: Bot.objects.update(last_tick_at=now - timedelta(seconds=31))),
        ("Prices", lambda now: Bot.objects.update(data_at=now - timedelta(minutes=10))),
        ("Beat", lambda now: late_beat(now)),
        ("Trading state", lambda now: Bot.objects.update(trading_state=TradingState.HALTED)),
        ("Stops", lambda now: factories.trade(now, symbol="X/USDT", unprotected_at=now)),
        ("Backup", lambda now: BackupRun.objects.update(at=now - timedelta(days=3))),
        ("Trial restore", lambda now: [
            BackupRun.objects.create(kind=BackupKind.BACKUP, at=now, passed=True, text="a"),
            BackupRun.objects.create(kind=BackupKind.TRIAL, at=now, passed=False, text="cut off"),
        ]),
    ],
)  # fmt: skip
def test_each_reason_makes_it_unhealthy(client: Client, now: datetime, name: str, harm) -> None:  # type: ignore[no-untyped-def]
    page_factories.fill(now)
    client.force_login(factories.user("vera", is_staff=False))
    assert client.get("/health").status_code == 200

    harm(now)

    answer = client.get("/health")
    assert answer.status_code == 503
    assert [reason.partition(":")[0] for reason in answer.json()["reasons"]] == [name]


def test_a_full_disk_makes_it_unhealthy(client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    page_factories.fill(now)
    monkeypatch.setattr(health_sheet, "DISK_BAD", 2**62)
    client.force_login(factories.user("vera", is_staff=False))

    assert "Disk" in [reason.partition(":")[0] for reason in client.get("/health").json()["reasons"]]


@pytest.mark.usefixtures("answering")
def test_a_missing_migration_is_not_ready(client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    page_factories.fill(now)
    monkeypatch.setattr(health_views, "_migrations", lambda: ("trading.0001_initial", "trading.9999_next"))
    client.force_login(factories.user("vera", is_staff=False))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["Migrations: 1 are missing, the first is trading.9999_next"]


def test_every_migration_of_ours_is_looked_for() -> None:
    assert {"trading.0001_initial", "notifications.0001_messages", "auth.0001_initial"} <= set(
        health_views._migrations()
    )
    assert health_views.missing_migrations() == []


def test_a_database_that_is_away_is_said_and_no_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise DatabaseError("connection refused\nsecond line")

    monkeypatch.setattr(health_views, "missing_migrations", gone)
    client.force_login(factories.user("vera", is_staff=False))

    answer = client.get("/health")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["Database: connection refused"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
def test_nothing_is_changed_there(client: Client, path: str) -> None:
    assert client.post(path).status_code in (403, 405)
