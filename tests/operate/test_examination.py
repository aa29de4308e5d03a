"""The doctor's look at the system: each single fault fails its own check, with what to do, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from pytest_django import Settings

from dashboard import health_more, health_views
from julaba_site import embedded, examination
from notifications.adapters import doors
from notifications.ports import Unavailable
from tests import factories
from trading.adapters import meters
from trading.models import BackupKind, BackupRun

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeRedis:
    policy = "noeviction"

    @classmethod
    @contextmanager
    def from_url(cls, url: str, **options: Any) -> Iterator[FakeRedis]:
        yield cls()

    def config_get(self, name: str) -> dict[str, str]:
        return {name: self.policy}


class FakeBot:
    told: dict[str, Any] = {"url": "https://julaba.example/telegram/webhook/x"}

    def webhook(self) -> dict[str, Any]:
        if not self.told:
            raise Unavailable("no route")
        return self.told


@pytest.fixture(autouse=True)
def _well(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    """Make everything as it has to be."""
    settings.JULABA_DATA_DIR = tmp_path
    settings.REDIS_URL = "redis://elsewhere"
    settings.TELEGRAM_TOKEN, settings.TELEGRAM_URL = "1:a", "https://julaba.example"
    monkeypatch.setattr(examination, "Redis", FakeRedis)
    monkeypatch.setattr(checks, "run_checks", lambda **options: [])
    monkeypatch.setattr(examination, "_differing", lambda path: iter(()))
    monkeypatch.setattr(examination, "_beats_here", lambda: [7])
    monkeypatch.setattr(doors, "telegram", FakeBot)
    monkeypatch.setattr(health_more, "clock", lambda: iter(()))
    monkeypatch.setattr(meters, "read", lambda url: {"julaba_ticks": ticks(ran=100)})
    BackupRun.objects.create(kind=BackupKind.BACKUP, at=NOW - timedelta(hours=3), passed=True, text="a")
    (tmp_path / "secret_key").touch(0o600)


BEATS_HERE = examination._beats_here
"""As it is: the tests of everything else have a beat without one."""


def ticks(**outcomes: float) -> dict[meters.Labels, float]:
    return {(("outcome", name.replace("_", " ")),): count for name, count in outcomes.items()}


def examined() -> dict[str, tuple[bool, str]]:
    return {check.name: (check.passed, check.text) for check in examination.examine(now=NOW)}


def test_a_sound_system_passes() -> None:
    found = examined()

    assert {name for name, (passed, _) in found.items() if not passed} == set()
    assert list(found) == [
        "settings", "secrets", "database_server", "redis", "disk", "machine_clock", "webhook", "backup", "single_beat", "versions",
    ]  # fmt: skip


def grave(**options: Any) -> list[checks.CheckMessage]:
    return [checks.Error("is wrong", id="trading.E001"), checks.Warning("is mild", id="security.W001")]


def readable(settings: Settings) -> None:
    (settings.JULABA_DATA_DIR / "secret_key").chmod(0o644)


def no_keys(settings: Settings) -> None:
    settings.TRADING_MODE, settings.CREDENTIALS_KEYS = "live", []


@pytest.mark.parametrize(
    ("name", "harm", "says"),
    [
        ("settings", lambda m, s: m.setattr(checks, "run_checks", grave), "trading.E001 is wrong"),
        ("secrets", lambda m, s: setattr(s, "DEBUG", True), "DEBUG shows the inside"),
        ("secrets", lambda m, s: readable(s), "chmod 600"),
        ("secrets", lambda m, s: no_keys(s), "CREDENTIALS_KEYS is missing"),
        ("database_server", lambda m, s: m.setattr(health_views, "missing_migrations", lambda: ["a.0002_b"]), "manage.py migrate"),
        ("redis", lambda m, s: m.setattr(FakeRedis, "policy", "allkeys-lru"), "allkeys-lru, which throws locks"),
        ("disk", lambda m, s: m.setattr(examination, "LEAST_DISK", 2**62), "2 GB is the least"),
        ("machine_clock", lambda m, s: m.setattr(health_more, "clock", lambda: iter([("Clock", "bad", "9000 ms from that of Redis", "", None)])), "9000 ms"),
        ("webhook", lambda m, s: setattr(s, "TELEGRAM_URL", ""), "TELEGRAM_URL is missing"),
        ("webhook", lambda m, s: setattr(s, "TELEGRAM_URL", "https://other.example"), "set-webhook"),
        ("webhook", lambda m, s: m.setattr(FakeBot, "told", {}), "no route"),
        ("webhook", lambda m, s: m.setattr(FakeBot, "told", {**FakeBot.told, "last_error_message": "502"}), "cannot reach it (502)"),
        ("backup", lambda m, s: (factories.bot(NOW), BackupRun.objects.all().delete()), "run manage.py backup"),
        ("backup", lambda m, s: BackupRun.objects.update(at=NOW - timedelta(hours=13)), "the last one is of 2026-02-28 23:00"),
        ("backup", lambda m, s: BackupRun.objects.create(kind=BackupKind.TRIAL, at=NOW, passed=False, text="cut off"), "trial restore failed (cut off)"),
        ("single_beat", lambda m, s: m.setattr(examination, "_beats_here", lambda: [7, 8]), "2 of them run here (processes 7, 8)"),
        ("single_beat", lambda m, s: m.setattr(meters, "read", lambda url: {"julaba_ticks": ticks(ran=50, slot_taken=50)}), "another beat runs elsewhere"),
        ("versions", lambda m, s: m.setattr(examination, "_differing", lambda path: iter([("ccxt", "1", "2")])), "ccxt 1 (wanted 2)"),
    ],
)  # fmt: skip
def test_each_fault_fails_its_own_check(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, name: str, harm: Any, says: str
) -> None:
    harm(monkeypatch, settings)

    found = examined()

    assert [failed for failed, (passed, _) in found.items() if not passed] == [name]
    assert says in found[name][1]


def test_a_beat_of_ours_is_seen_however_it_was_started(settings: Settings, tmp_path: Path) -> None:
    ours, others = f"JULABA_DATA_DIR={settings.JULABA_DATA_DIR}", "JULABA_DATA_DIR=/srv/another"
    started = {
        11: ("python", "-m", "julaba_site.beat"),
        12: ("python", "-m", "celery", "-A", "julaba_site", "beat"),
        13: ("python", "-m", "celery", "-A", "julaba_site", "worker"),
        14: ("grep", "julaba_site.beat"),
        15: ("python", "-m", "julaba_site.beat"),
    }
    for number, words in started.items():
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_bytes("\0".join((*words, "")).encode())
        (tmp_path / str(number) / "environ").write_bytes((others if number == 15 else ours).encode())

    assert BEATS_HERE(tmp_path) == [11, 12]


def test_a_system_that_is_stopped_for_going_live_can_be_examined(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(meters, "read", lambda url: pytest.fail("nobody answers"))
    monkeypatch.setattr(examination, "_beats_here", list)
    settings.REDIS_URL = embedded.redis_url(settings.JULABA_DATA_DIR)
    BackupRun.objects.all().delete()

    found = examined()

    assert [name for name, (passed, _) in found.items() if not passed] == []
    assert found["redis"][1].endswith("it is stopped now")
    assert found["backup"][1] == "there is no account yet that one could be made of"


def test_what_cannot_be_looked_at_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**options: Any) -> Any:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(FakeRedis, "config_get", lambda self, name: away())

    assert examined()["redis"] == (False, "it could not be looked at (refused): mend that first")


def test_beats_are_found_by_their_command_and_data_directory(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    settings.JULABA_DATA_DIR = Path("/srv/julaba")
    for number, (words, folder) in enumerate(
        [
            ("python -m celery -q -Ajulaba_site.beat beat -lWARNING", "/srv/julaba"),
            ("python -m celery -A julaba_site worker", "/srv/julaba"),
            ("python -m celery -q -Ajulaba_site.beat beat", "/srv/other"),
            ("vi beat celery.py", "/srv/julaba"),
        ],
        start=10,
    ):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_text(words.replace(" ", "\0"))
        (tmp_path / str(number) / "environ").write_text(f"A=b\0JULABA_DATA_DIR={folder}\0")

    assert examination._beats_here(tmp_path) == [10]


def test_packages_are_compared_with_what_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    (tmp_path / "requirements.txt").write_text(
        "django[argon2, bcrypt]==0.1 \\\n    --hash=sha256:0\nnothing-of-this-name==1\npytest==2 ; python_version < '3'\n# x\n"
    )

    found = list(examination._differing(tmp_path / "requirements.txt"))

    assert [(name, wanted) for name, _, wanted in found] == [("django", "0.1"), ("nothing-of-this-name", "1")]
    assert found[1][1] == "missing"


def test_the_command_tells_it_as_text_and_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    said, told = StringIO(), StringIO()
    BackupRun.objects.update(at=datetime.now(tz=UTC))

    call_command("doctor", stdout=said)
    monkeypatch.setattr(examination, "LEAST_DISK", 2**62)
    with pytest.raises(CommandError, match="Julaba is not fit, disk failed") as failed:
        call_command("doctor", "--json", stdout=told)

    assert said.getvalue().endswith("Julaba is fit for paper.\n")
    assert failed.value.returncode == 1
    rows = json.loads(told.getvalue())
    assert rows["passed"] is False
    assert [row["name"] for row in rows["checks"] if not row["passed"]] == ["disk"]
