"""The audit: every act is in it, its chain is followed from the beginning, and neither code nor two writers at once bend it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from tests import factories
from trading.models import GENESIS, AuditEntry, AuditHead, TradingState
from trading.services import audit, control, credentials, manual, parameters, scratch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FILE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;",
}


def write(count: int) -> None:
    for number in range(1, count + 1):
        audit.record(
            f"act {number}", actor="olga", at=NOW, text=f"Did {number}", details={"number": number, "half": 0.5}
        )


def unlock(statement: str, values: list[Any]) -> None:
    """Do what only somebody with the database's own rights can: take the triggers away first."""
    with connection.cursor() as cursor:
        on = " ON trading_auditentry" if connection.vendor == "postgresql" else ""
        for act in ("update", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS trading_auditentry_no_{act}{on}")
        cursor.execute(statement, values)


@pytest.mark.django_db
def test_each_entry_seals_the_one_before_it() -> None:
    write(3)

    entries = list(AuditEntry.objects.order_by("number"))
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[0].previous == GENESIS
    assert [entry.previous for entry in entries[1:]] == [entry.digest for entry in entries[:-1]]
    assert all(audit.digest_of(entry) == entry.digest for entry in entries)
    assert audit.verify() == audit.Verdict(count=3, digest=entries[-1].digest)


@pytest.mark.django_db
def test_the_database_itself_refuses_to_change_or_delete_an_entry() -> None:
    write(1)

    for act in (
        lambda: AuditEntry.objects.update(text="nothing"),
        lambda: AuditEntry.objects.all().delete(),
        lambda: AuditEntry.objects.create(number=2, at=NOW, act="x", text="x", previous=GENESIS, digest="d" * 64),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
    assert audit.verify().fault == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "values", "fault"),
    [
        ("UPDATE trading_auditentry SET text = %s WHERE number = 2", ["nothing"], "entry 2 was changed"),
        ("UPDATE trading_auditentry SET actor = %s WHERE number = 3", ["otto"], "entry 3 was changed"),
        ("DELETE FROM trading_auditentry WHERE number = %s", [2], "entry 2 is missing"),
        ("DELETE FROM trading_auditentry WHERE number = %s", [3], "the head says 3 entries, there are 2"),
        ("UPDATE trading_audithead SET number = %s", [2], "the head says 2 entries, there are 3"),
    ],
)
def test_who_takes_the_locks_off_is_found_out(statement: str, values: list[Any], fault: str) -> None:
    write(3)

    unlock(statement, values)

    assert audit.verify().fault == fault
    with pytest.raises(CommandError, match=fault) as broken:
        call_command("audit", verify=True, stdout=io.StringIO())
    assert broken.value.returncode == 1


@pytest.mark.django_db
def test_a_chain_that_was_written_anew_is_not_the_one_that_was_written_down() -> None:
    write(3)
    said = io.StringIO()
    call_command("audit", verify=True, stdout=said)
    known = said.getvalue().split()[-1]
    unlock("DELETE FROM trading_auditentry WHERE number > %s", [0])
    AuditHead.objects.update(number=0, digest=GENESIS)
    write(2)
    audit.record("another", actor="otto", at=NOW, text="Something else")

    assert audit.verify().fault == ""
    with pytest.raises(CommandError, match="entry 3 is not the one that was written down"):
        call_command("audit", verify=True, known=known)
    with pytest.raises(CommandError, match="no NUMBER:DIGEST"):
        call_command("audit", verify=True, known="3")


@pytest.mark.django_db
def test_an_act_that_fails_leaves_no_entry() -> None:
    write(1)

    @transaction.atomic
    def act() -> None:
        audit.record("lost", actor="olga", at=NOW, text="Never was")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        act()

    assert audit.verify() == audit.Verdict(count=1, digest=AuditEntry.objects.get().digest)


@pytest.mark.django_db
def test_acts_of_people_are_in_it(settings: Settings) -> None:
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    factories.bot(NOW)
    open_trade = factories.trade(NOW, symbol="ETH/USDT")
    control.tighten(TradingState.HALTED, reason="looks odd", now=NOW, by="olga")
    control.loosen(TradingState.ACTIVE, reason="was nothing", now=NOW, by="olga by Telegram")
    manual.request_close(open_trade.pk, by="olga", now=NOW)
    first = parameters.current(now=NOW)
    parameters.revise(
        values={"volume_min": 1.7}, reason="try", author=None, expected_number=first.number, now=NOW, by="olga"
    )
    key = credentials.Credentials("canary-key-0123456789", "canary-secret-0123456789")
    credentials.store(exchange="binance", environment="sandbox", credentials=key, by="olga", now=NOW)
    credentials.revoke(exchange="binance", environment="sandbox", by="olga", now=NOW)

    entries = list(AuditEntry.objects.order_by("number"))

    assert [(entry.act, entry.actor) for entry in entries] == [
        ("trading_state", "olga"),
        ("trading_state", "olga by Telegram"),
        ("manual_close", "olga"),
        ("parameters", "olga"),
        ("key_stored", "olga"),
        ("key_revoked", "olga"),
    ]
    assert entries[3].details["changes"][0]["name"] == "volume_min"
    assert "canary" not in str([vars(entry) for entry in entries])
    assert audit.verify().fault == ""


@pytest.mark.django_db
def test_an_entry_says_from_where_and_in_which_request() -> None:
    client = Client(REMOTE_ADDR="203.0.113.7")
    factories.user("olga")

    answer = client.post("/login/", {"username": "olga", "password": factories.PASSWORD})

    entry = AuditEntry.objects.get(act="login")
    assert (entry.address, entry.request_id) == ("203.0.113.7", answer.headers["X-Request-ID"])


@pytest.mark.django_db
def test_the_page_and_the_api_show_it_and_follow_it() -> None:
    client = Client()
    client.force_login(factories.user("root"))
    audit.record("probe", actor="<b>olga</b>", at=NOW, text="<script>alert(1)</script>")

    page = client.get("/audit/?check=1").content.decode()
    told = json.loads(client.get("/api/v1/audit?actor=%3Cb").content)

    assert "unbroken" in page
    assert "<script>alert" not in page
    assert [row["act"] for row in told["results"]] == ["probe"]
    unlock("UPDATE trading_auditentry SET text = %s WHERE number = 1", ["x"])
    assert "broken: entry 1 was changed" in client.get("/audit/?check=1").content.decode()


# --- Two writers at once ---


@pytest.fixture
def path(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock():
        yield tmp_path / "race.sqlite3"


def in_threads(path: Path, act: Any) -> None:
    barrier = threading.Barrier(6, timeout=30)

    def work(number: int) -> None:
        with scratch.attached(str(path), FILE_OPTIONS):
            connection.ensure_connection()
            barrier.wait()
            act(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


def test_many_writers_at_once_make_one_chain(path: Path) -> None:
    with scratch.database(str(path)):
        pass

    def act(number: int) -> None:
        for turn in range(5):
            audit.record("act", actor=f"writer {number}", at=NOW + timedelta(seconds=turn), text="Did it")

    in_threads(path, act)

    with scratch.attached(str(path), FILE_OPTIONS):
        verdict = audit.verify()
        assert (verdict.count, verdict.fault) == (30, "")
        assert AuditEntry.objects.values("actor").distinct().count() == 6


@pytest.mark.django_db
def test_a_writer_that_was_overtaken_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL lets two look at the same head: the second one's compare-and-set finds another."""
    write(1)
    usual = audit.digest_of
    overtaken: list[int] = []

    def overtake(entry: AuditEntry) -> str:
        if not overtaken:
            overtaken.append(entry.number)
            audit.record("first", actor="otto", at=NOW, text="Was quicker")
        return usual(entry)

    monkeypatch.setattr(audit, "digest_of", overtake)

    made = audit.record("second", actor="olga", at=NOW, text="Came second")

    monkeypatch.undo()
    assert overtaken == [2]
    assert (made.number, AuditEntry.objects.get(number=2).act) == (3, "first")
    assert audit.verify().fault == ""
