"""On a PostgreSQL: a dump holds what was counted and is restored elsewhere, and the roles of deploy/ suffice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dj_database_url
import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models.signals import pre_migrate
from pytest_django.plugin import DjangoDbBlocker

from tests import postgres
from tests.operate.conftest import NOW
from trading import events
from trading.adapters import database_copy
from trading.models import Bot, Lease, StateChange, TradingState
from trading.services import backups, restoring
from trading.services.backups import Place

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    try:
        with postgres.server() as address:
            yield address
    except postgres.PostgresMissing as reason:
        pytest.skip(str(reason))


@pytest.fixture
def databases(server: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the configurations of two empty databases."""
    with postgres.database("julaba_from") as one, postgres.database("julaba_to") as other:
        yield dict(dj_database_url.parse(one)), dict(dj_database_url.parse(other))


def test_a_dump_is_restored_halted_into_an_empty_database_and_nowhere_else(
    databases: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    source, target = databases
    place = Place(data_dir=tmp_path / "data", folder=tmp_path / "backups", keep=3)
    with django_db_blocker.unblock(), database_copy.attached(source), events.silence():
        call_command("migrate", verbosity=0, interactive=False)
        Bot.objects.create(pk=1, last_tick_at=NOW)
        Lease.objects.create(name="trader", owner="a", epoch=5, expires_at=NOW)
        row = backups.make(place, code_version="test", now=NOW)
        path = place.folder / row.name

        unasked = restoring.check(path, keys=(), scratch_in=tmp_path, server=None, now=NOW)
        restored = restoring.restore(path, keys=(), into=tmp_path / "new", server=target, now=NOW, by="vera")
        with pytest.raises(restoring.RestoreError, match="already has tables"):
            restoring.restore(path, keys=(), into=tmp_path / "other", server=target, now=NOW, by="vera")
        with pytest.raises(restoring.RestoreError, match="set DATABASE_URL to an empty PostgreSQL"):
            restoring.restore(path, keys=(), into=tmp_path / "third", server=None, now=NOW, by="vera")

        with database_copy.attached(target):
            assert Bot.objects.get().trading_state == TradingState.HALTED
            assert Lease.objects.get().epoch == 5 + restoring.EPOCHS_AHEAD
            assert StateChange.objects.get().by == "vera"
        database_copy.empty_postgres(target)
        assert database_copy.postgres_counts(target) == {}

    assert unasked.manifest.database == ""
    assert restored.manifest.rows["trading_bot"] == 1


def test_a_server_that_is_away_is_one_sentence(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    config = dict(dj_database_url.parse("postgres://nobody:x@127.0.0.1:1/none"))

    with pytest.raises(database_copy.CopyError, match=r"(?i)connection"):
        database_copy.postgres_counts(config)


def test_the_roles_may_do_what_they_need_and_no_more(server: str) -> None:
    admin = server
    if shutil.which("psql") is None:
        pytest.skip("there is no psql")
    with psycopg.connect(admin, autocommit=True) as asked:
        if asked.execute("SELECT 1 FROM pg_roles WHERE rolname = 'julaba'").fetchone():
            pytest.skip("this server has a role julaba already")
    subprocess.run(
        ["psql", admin, "-q", "-v", "ON_ERROR_STOP=1", "-v", "password='secret'", "-f", DEPLOY / "postgresql/julaba.sql"],
        check=True, timeout=60, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    ours = admin.replace("postgres@", "julaba:secret@").rpartition("/")[0]
    with psycopg.connect(f"{ours}/julaba", autocommit=True) as julaba:
        julaba.execute("CREATE TABLE a (b int)")
        julaba.execute("INSERT INTO a VALUES (1)")
        assert julaba.execute("SHOW synchronous_commit").fetchone() == ("on",)
        for forbidden in ("CREATE DATABASE x", "CREATE ROLE x", "ALTER SYSTEM SET fsync = off"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                julaba.execute(forbidden)
    with psycopg.connect(f"{ours}/julaba_scratch", autocommit=True) as scratch:
        # As a trial restore does before it begins.
        scratch.execute("DROP SCHEMA public CASCADE")
        scratch.execute("CREATE SCHEMA public")


def test_a_migration_may_take_its_time_and_what_comes_after_it_may_not(
    databases: tuple[dict[str, Any], dict[str, Any]], django_db_blocker: DjangoDbBlocker
) -> None:
    source, _ = databases
    source["OPTIONS"] = {"options": "-c idle_in_transaction_session_timeout=100 -c statement_timeout=30000"}
    meant: list[str] = []

    def pause(using: str, **_: Any) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            meant.append(str(cursor.fetchone()[0]))

    pre_migrate.connect(pause)
    try:
        with django_db_blocker.unblock(), database_copy.attached(source), events.silence():
            call_command("migrate", "contenttypes", verbosity=0, interactive=False)
            with connection.cursor() as cursor:
                cursor.execute("SHOW idle_in_transaction_session_timeout")
                after = str(cursor.fetchone()[0])
    finally:
        pre_migrate.disconnect(pause)

    assert set(meant) == {"0"}
    assert after == "100ms"
