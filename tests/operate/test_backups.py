"""Backups: what is in one, that none is ever half, and which ones are refused."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from cryptography.fernet import Fernet

from tests.operate.conftest import DATABASE, NOW, attached
from trading.adapters import database_copy
from trading.models import BackupKind, BackupRun, Bot, Event, Lease, Order, StateChange, Trade, TradingState
from trading.services import backups, restoring
from trading.services.backups import Place

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()
KILLED = """
import os, sys
import django
django.setup()
os.fsync = lambda handle: os._exit(9)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "backup", "--to", sys.argv[1]])
"""


def make(place: Place, *, now: datetime = NOW) -> Path:
    row = backups.make(place, code_version="test", now=now)
    return place.folder / row.name


def check(path: Path, place: Place, *keys: str) -> restoring.Result:
    return restoring.check(path, keys=keys, scratch_in=place.data_dir / "run", server=None, now=NOW)


def restore(path: Path, into: Path, *keys: str) -> restoring.Result:
    return restoring.restore(path, keys=keys, into=into, server=None, now=NOW, by="vera")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_holds_database_candles_models_and_no_secret(place: Place) -> None:
    path = make(place)

    with tarfile.open(path) as tar:
        assert sorted(tar.getnames()) == [
            "candles/simulated/2026-03.parquet",
            "database.sqlite3",
            "manifest.json",
            "models/one.skops",
        ]
        told = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert (told["mode"], told["database"], told["rows"]["trading_trade"]) == ("paper", DATABASE, 1)
    assert b"canary-secret-key" not in path.read_bytes()
    assert names(place.folder) == ["julaba-20260301T120000.tar"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_made_is_a_row(place: Place) -> None:
    path = make(place)

    row = BackupRun.objects.get()
    assert (row.kind, row.passed, row.name, row.size) == (BackupKind.BACKUP, True, path.name, path.stat().st_size)
    digest = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout.split()[0]
    assert row.digest == digest


def test_a_backup_is_due_six_hours_after_the_last(place: Place) -> None:
    assert backups.is_due(now=NOW)

    make(place)

    assert not backups.is_due(now=NOW + timedelta(hours=5, minutes=59))
    assert backups.is_due(now=NOW + timedelta(hours=6))


def test_no_backup_is_due_before_there_is_an_account(home: Path) -> None:
    Bot.objects.all().delete()

    assert not backups.is_due(now=NOW)


def test_only_the_newest_are_kept(place: Place) -> None:
    for hour in range(5):
        make(replace(place, keep=3), now=NOW + timedelta(hours=hour))

    assert names(place.folder) == [f"julaba-20260301T1{hour}0000.tar" for hour in (4, 5, 6)]


def test_a_restored_system_is_halted_in_a_later_epoch_and_holds_the_same(place: Place, tmp_path: Path) -> None:
    trade, epoch = Trade.objects.get(), Lease.objects.get().epoch
    path = make(place)

    result = restore(path, tmp_path / "new")

    assert result.violations == []
    assert (tmp_path / "new" / "models" / "one.skops").read_bytes() == b"model"
    assert (tmp_path / "new" / "candles" / "simulated" / "2026-03.parquet").read_bytes() == b"bars" * 1000
    assert (tmp_path / "new" / DATABASE).stat().st_mode & 0o077 == 0
    with database_copy.attached(attached(tmp_path / "new" / DATABASE)):
        bot, lease = Bot.objects.get(), Lease.objects.get()
        assert bot.trading_state == TradingState.HALTED
        assert bot.reconciled_epoch < lease.epoch  # nothing is entered before the books were compared
        assert lease.epoch == epoch + restoring.EPOCHS_AHEAD
        assert StateChange.objects.get().by == "vera"
        assert Trade.objects.get().entry_price == trade.entry_price
        assert Order.objects.count() == 2
    assert Bot.objects.get().trading_state == TradingState.ACTIVE  # the one it was taken from goes on


def test_nothing_is_left_of_the_way_there(place: Place, tmp_path: Path) -> None:
    restore(make(place), tmp_path / "new")

    assert names(tmp_path / "new") == ["candles", DATABASE, "models", "run"]
    assert names(place.data_dir / "run") == ["backup.lock"]


def test_a_trial_checks_every_invariant_and_touches_nothing(place: Place) -> None:
    path = make(place)

    result = check(path, place)

    assert result.violations == []
    assert result.manifest.rows["trading_order"] == 2
    assert Bot.objects.get().trading_state == TradingState.ACTIVE


def test_a_trial_finds_books_that_do_not_add_up(place: Place) -> None:
    Bot.objects.update(balance="1")
    path = make(place)

    assert "I-14" in [violation.id for violation in check(path, place).violations]


def test_books_that_do_not_add_up_are_not_restored(place: Place, tmp_path: Path) -> None:
    Bot.objects.update(balance="1")
    path = make(place)

    with pytest.raises(restoring.RestoreError, match="I-14 does not hold"):
        restore(path, tmp_path / "new")
    assert not (tmp_path / "new" / DATABASE).exists()


def test_the_trial_of_the_day_is_kept_as_a_row(place: Place) -> None:
    assert restoring.try_newest(place, server=None, now=NOW) is None
    make(place)

    row = restoring.try_newest(place, server=None, now=NOW)

    assert row is not None
    assert row.passed
    assert not restoring.is_due(now=NOW + timedelta(hours=23))
    assert restoring.is_due(now=NOW + timedelta(hours=24))


def test_a_trial_that_fails_is_told(place: Place) -> None:
    path = make(place)
    path.write_bytes(path.read_bytes()[:5000])

    row = restoring.try_newest(place, server=None, now=NOW)

    assert row is not None
    assert not row.passed
    assert Event.objects.get(kind=restoring.TRIAL_FAILED).text.startswith(f"The backup {path.name} cannot be relied on")


def test_a_sealed_backup_opens_with_its_key_alone(place: Place, tmp_path: Path) -> None:
    path = make(replace(place, keys=(KEY,)))

    assert path.name.endswith(".tar.sealed")
    assert b"SQLite format 3" not in path.read_bytes()
    assert check(path, place, OTHER, KEY).manifest.rows["trading_trade"] == 1
    with pytest.raises(restoring.RestoreError, match="sealed by another key"):
        check(path, place, OTHER)
    with pytest.raises(restoring.RestoreError, match="set BACKUP_KEY"):
        restore(path, tmp_path / "new")


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize("harm", ["cut short", "cut to nothing", "one bit", "last byte gone"])
def test_a_damaged_backup_is_refused(place: Place, tmp_path: Path, harm: str, is_sealed: bool) -> None:
    path = make(replace(place, keys=(KEY,) if is_sealed else ()))
    content = bytearray(path.read_bytes())
    if harm == "one bit":
        content[len(content) // 2] ^= 1
    ends = {"cut short": len(content) // 2, "cut to nothing": 0, "one bit": len(content), "last byte gone": -20_000}
    path.write_bytes(content[: ends[harm]])

    with pytest.raises(restoring.RestoreError):
        restore(path, tmp_path / "new", KEY)
    assert not (tmp_path / "new" / DATABASE).exists()


def test_a_file_that_leads_out_of_the_folder_is_refused(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(place.data_dir / "secret_key", arcname="candles/../../evil")

    with pytest.raises(restoring.RestoreError, match="which no backup of ours does"):
        check(path, place)
    assert not list(tmp_path.rglob("evil"))


def test_a_system_that_is_there_is_not_overwritten(place: Place) -> None:
    path = make(place)

    with pytest.raises(restoring.RestoreError, match=f"already holds {DATABASE}"):
        restore(path, place.data_dir)


def test_a_backup_of_a_file_is_not_restored_beside_a_server_that_would_stay_empty(place: Place, tmp_path: Path) -> None:
    path, server = make(place), {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": 1}

    with pytest.raises(restoring.RestoreError, match="it is a backup of SQLite, and DATABASE_URL names a PostgreSQL"):
        restoring.restore(path, keys=(), into=tmp_path / "new", server=server, now=NOW, by="vera")
    assert not (tmp_path / "new" / DATABASE).exists()


def test_a_system_that_runs_is_not_touched(place: Place, tmp_path: Path) -> None:
    path, into = make(place), tmp_path / "new"
    (into / "run").mkdir(parents=True)
    with (into / "run" / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(restoring.RestoreError, match="Julaba runs from"):
            restore(path, into)


def test_a_backup_that_is_not_there_is_one_sentence(place: Place, tmp_path: Path) -> None:
    with pytest.raises(restoring.RestoreError, match="is not there: name a backup"):
        check(tmp_path / "none.tar", place)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(path: Path) -> Iterator[IO[bytes]]:
        path.touch()
        with Path("/dev/full").open("wb", buffering=0) as file:
            yield file

    older = make(place)
    monkeypatch.setattr(backups, "_private", full)

    with pytest.raises(backups.BackupError, match="there is no room for it in"):
        make(place, now=NOW + timedelta(hours=7))
    assert names(place.folder) == [older.name]
    assert Event.objects.get(kind=backups.FAILED).text.startswith("There is no backup: there is no room")
    assert [row.passed for row in BackupRun.objects.order_by("at")] == [True, False]


def test_one_backup_is_made_at_a_time(place: Place) -> None:
    make(place)
    with (place.data_dir / "run" / "backup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(backups.BackupError, match="another backup is being made"):
            make(place, now=NOW + timedelta(hours=7))


def test_a_backup_that_is_killed_leaves_nothing_that_counts(place: Place) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
        "JULABA_DATA_DIR": str(place.data_dir),
    }

    done = subprocess.run([sys.executable, "-c", KILLED, place.folder], cwd=ROOT, env=environment, timeout=60)

    assert done.returncode == 9
    assert [name for name in names(place.folder) if not name.startswith(backups.PARTIAL)] == []
    assert len(names(place.folder)) == 1
    assert backups.kept(place.folder) == []
    path = make(place)
    assert names(place.folder) == [path.name]  # and the next one tidies up
    assert names(place.data_dir / "run") == ["backup.lock"]


def test_a_copy_is_made_while_another_process_writes_and_holds_only_what_was_committed(
    place: Place, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(place.data_dir / DATABASE, timeout=5)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE trading_bot SET state_reason = 'not committed'")

        copy, rows = database_copy.copy(tmp_path)

        other.rollback()
    with closing(sqlite3.connect(copy)) as copied:
        assert copied.execute("SELECT state_reason FROM trading_bot").fetchone() == ("",)
    assert rows["trading_order"] == 2
