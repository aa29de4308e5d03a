"""A data directory with a real, traded account in a database file of its own, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from tests.engine import enter_at, ports_over, run_rows, series, set_params
from trading import events
from trading.adapters import database_copy
from trading.services.backups import Place

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUIET = (100.0, 100.5, 99.5, 100.0)
DATABASE = "julaba.sqlite3"


def attached(path: Path) -> dict[str, object]:
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;"}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return a database in which one trade is open, with its stop at the paper venue."""
    path = tmp_path_factory.mktemp("traded") / DATABASE
    with django_db_blocker.unblock(), database_copy.attached(attached(path)), events.silence():
        call_command("migrate", verbosity=0, interactive=False)
        set_params()
        run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1, 0)
    return path


@pytest.fixture
def home(tmp_path: Path, traded: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """Yield a data directory whose database is the one that everything asks."""
    folder = tmp_path / "data"
    (folder / "candles" / "simulated").mkdir(parents=True)
    (folder / "candles" / "simulated" / "2026-03.parquet").write_bytes(b"bars" * 1000)
    (folder / "models").mkdir()
    (folder / "models" / "one.skops").write_bytes(b"model")
    (folder / "secret_key").write_text("canary-secret-key-0123456789")
    shutil.copy(traded, folder / DATABASE)
    with django_db_blocker.unblock(), database_copy.attached(attached(folder / DATABASE)), events.silence():
        yield folder


@pytest.fixture
def place(home: Path, tmp_path: Path) -> Place:
    return Place(data_dir=home, folder=tmp_path / "backups", keep=30)
