"""The set-up's checklist shows the true state of each step, and alerts and notification settings do what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from dashboard import setup_sheet
from dashboard.setup_sheet import DONE, OPEN, WAITS, Step
from notifications.kinds import KINDS
from notifications.models import Alert, AlertRule, Contact, Preference, Severity, Voice
from notifications.services import alerts
from tests import factories
from trading.core.params import Params
from trading.models import BacktestRun, BackupRun, EquityPoint
from trading.models.credentials import DoctorRun, Environment, ExchangeKey
from trading.services import going_live

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


def steps(now: datetime = NOW) -> dict[str, Step]:
    from trading import selectors

    found = setup_sheet.stages(selectors.bot(), Params(), now=now)
    return {step.name: step for stage in found for step in stage.steps}


def run(kind: str, **columns: Any) -> BacktestRun:
    values = {
        "kind": kind,
        "parameters": {},
        "symbols": [],
        "timeframe": "15m",
        "requested_by_name": "ann",
        "requested_at": NOW,
    }
    return BacktestRun.objects.create(**{**values, "status": "done", **columns})


def test_on_an_empty_demo_the_first_stage_is_to_do_and_the_others_wait() -> None:
    found = steps()

    assert found["Julaba runs"].state == found["A backup is made"].state == OPEN
    assert found["Somebody hears of it"].state == found["The rules were tested on the past"].state == OPEN
    assert found["A venue is chosen"].state == OPEN
    waiting = {name for name, step in found.items() if step.state == WAITS}
    assert {"Its prices arrive", "Candles are kept", "A live key is stored", "A person has approved"} <= waiting
    assert all(step.commands or step.link or step.state != OPEN for step in found.values())


def test_the_demo_is_complete_once_each_thing_was_done() -> None:
    factories.bot(NOW)
    Contact.objects.create(user=factories.user("ann"), telegram_user_id=1, chat_id=1)
    BackupRun.objects.create(kind="backup", at=NOW, passed=True, text="made")
    run("backtest", result={})

    found = steps()

    assert [found[name].state for name in list(found)[:4]] == [DONE] * 4
    assert not any(found[name].commands for name in list(found)[:4])
    assert steps(NOW + timedelta(minutes=3))["Julaba runs"].state == OPEN


def test_paper_at_a_venue_asks_for_prices_candles_time_and_parity(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EXCHANGE", "binance")
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    factories.bot(NOW)
    EquityPoint.objects.create(at=NOW - timedelta(days=3), equity=1, balance=1)

    found = steps()

    assert found["A venue is chosen"].state == found["Its prices arrive"].state == DONE
    assert (
        found["Candles are kept"]
        .commands[0]
        .startswith(f".venv/bin/python manage.py fetch_candles --symbol {Params().pairs[0]} --timeframe 15m")
    )
    assert "trades for 3 d 0 h" in found["14 days on paper"].text
    assert "never computed again" in found["Decisions agree with their inputs"].text
    report = {
        "compared": 9,
        "differences": 2,
        "unexplained": 1,
        "causes": {},
        "decisions": [],
        "fills": [],
        "entries": 0,
    }
    run("parity", result=report)
    assert "1 decisions differ without a reason" in steps()["Decisions agree with their inputs"].text
    run("parity", result={**report, "unexplained": 0})
    later = steps(NOW + timedelta(days=12))
    assert later["Decisions agree with their inputs"].state == later["14 days on paper"].state == DONE


def test_real_money_is_done_only_when_the_gate_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EXCHANGE", "binance")
    assert steps()["The mode is live"].state == OPEN
    assert "TRADING_MODE is 'paper'" in steps()["A person has approved"].text
    monkeypatch.setattr(settings, "TRADING_MODE", "live")
    assert "No live key is stored" in steps()["A live key is stored"].text

    key = ExchangeKey.objects.create(
        exchange="binance",
        environment=Environment.LIVE,
        hint="abcd",
        sealed="x",
        key_id="k",
        created_at=NOW,
        created_by="ann",
    )
    checks = [{"name": "clock", "passed": False, "text": "two minutes off"}]
    DoctorRun.objects.create(at=NOW, exchange="binance", mode="live", key=key, passed=False, checks=checks)
    found = steps()
    assert found["A live key is stored"].state == DONE
    assert "clock: two minutes off" in found["The doctor has passed it"].text

    DoctorRun.objects.create(at=NOW, exchange="binance", mode="live", key=key, passed=True, checks=[])
    assert steps()["The doctor has passed it"].state == DONE
    assert steps(NOW + timedelta(hours=25))["The doctor has passed it"].state == OPEN
    going_live.approve(exchange="binance", typed="trade real money on binance", by="ann", reason="ready", now=NOW)
    later = steps(NOW + timedelta(days=3))
    assert later["The doctor has passed it"].state == later["A person has approved"].state == DONE
    assert later["A person has approved"].text == "ann approved on 2026-03-10 00:00 UTC: ready"


def test_the_page_names_the_next_step_and_shows_no_secret(reader: Client) -> None:
    page = reader.get("/setup/").content.decode()

    assert "Next: Julaba runs" in page
    assert "make run" in page
    assert settings.SECRET_KEY not in page


def test_standing_alerts_are_counted_listed_and_acknowledged_by_who_may(reader: Client) -> None:
    now = timezone.now()
    first = alerts.raise_("disk", "3 % of the disk are left", now=now)
    assert first is not None
    alerts.tell("overfill", "1 BTC more left than the trade held", about="1", now=now)
    page = reader.get("/alerts/").content.decode()

    assert "3 % of the disk are left" in page
    assert '<span class="bell-count">1</span>' in page
    assert reader.post(f"/alerts/{first.pk}/acknowledge/").status_code == 403
    assert reader.post(f"/api/v1/alerts/{first.pk}/acknowledge").status_code == 403
    User.objects.get(username="vera").user_permissions.add(Permission.objects.get(codename="change_alert"))
    assert "is acknowledged" in reader.post(f"/alerts/{first.pk}/acknowledge/", follow=True).content.decode()
    assert "already" in reader.post(f"/alerts/{first.pk}/acknowledge/", follow=True).content.decode()

    assert Alert.objects.get(pk=first.pk).acknowledged_by == "vera"
    assert '<span class="bell-count"></span>' in reader.get("/").content.decode()
    rows = reader.get("/api/v1/alerts", {"status": "standing"}).json()["results"]
    assert [(row["kind"], row["severity"], row["acknowledged_by"]) for row in rows] == [
        ("disk", Severity.CRITICAL, "vera")
    ]
    kind = "application/json"
    seen = reader.post(f"/api/v1/alerts/{first.pk}/acknowledge", content_type=kind)
    assert seen.json()["acknowledged_by"] == "vera"
    assert reader.post("/api/v1/alerts/999/acknowledge", content_type=kind).status_code == 404


def test_somebody_sets_how_loud_each_kind_is_for_his_own_contacts_alone(reader: Client) -> None:
    assert "/whoami" in reader.get("/alerts/notifications/").content.decode()
    vera, other = User.objects.get(username="vera"), factories.user("ann")
    own = Contact.objects.create(user=vera, telegram_user_id=1, chat_id=11)
    foreign = Contact.objects.create(user=other, telegram_user_id=2, chat_id=22)
    AlertRule.objects.create(kind="drawdown", threshold=0.02)
    AlertRule.objects.create(kind="crash", is_on=False)

    page = reader.get("/alerts/notifications/").content.decode()
    assert "Chat 11" in page
    assert "Chat 22" not in page
    assert "2.00% of the peak, in such steps" in page
    assert "switched off for everybody" in page
    assert page.count("<select") == len(KINDS)

    asked = {f"{own.pk}:disk": "off", f"{own.pk}:stop": "silent", f"{own.pk}:move": "loud", f"{foreign.pk}:disk": "off"}
    answer = reader.post("/alerts/notifications/keep/", asked, follow=True)
    assert "1 setting changed." in answer.content.decode()
    assert list(Preference.objects.values_list("contact", "kind", "voice")) == [(own.pk, "disk", Voice.OFF)]
    # Back to what is usual: nothing has to be remembered.
    reader.post("/alerts/notifications/keep/", {f"{own.pk}:disk": "on"})
    assert not Preference.objects.exists()
