"""The log: what a line carries, that files are shared without loss, and what the page finds in them."""

from __future__ import annotations

import json
import logging
import logging.handlers
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings

from dashboard import logs
from julaba_site import kept_log, logging_setup
from tests import factories
from trading import log_ids
from trading.core import redaction

LINES = """\
2026-03-01 12:00:00,100 web     | 2026-03-01 12:00:00,099 WARNING django.request: Not Found: /x [request_id=abc123]
2026-03-01 12:00:01,000 trading | 2026-03-01 12:00:00,999 ERROR trading.services.tick: this tick failed [tick=tick-1 order=jl9]
2026-03-01 12:00:01,001 trading | Traceback (most recent call last):
2026-03-01 12:00:01,002 beat    | [2026-03-01 12:00:01,002: WARNING/MainProcess] beat: Starting...
2026-03-01 12:00:01,003 trading |   File "tick.py", line 1, in run
2026-03-01 12:00:01,004 trading | ValueError: nothing
2026-03-01 12:00:02,000 redis   | 1:M ready to accept connections
2026-03-01 12:00:03,000 julaba  | web ended with exit code 1; starting it again in 1 s
2026-03-01 12:00:04,000 web     | {"event": "paid for token=abcdef", "level": "info", "logger": "a.b", "timestamp": "2026-03-01T12:00:03.5+00:00", "order": "jl9", "exception": "Traceback: x"}
"""


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """Return a data directory with a log of its own."""
    settings.JULABA_DATA_DIR, settings.LOG_DIR = tmp_path, ""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "julaba.log").write_text(LINES)
    return tmp_path


@pytest.fixture
def reader(client: Client, db: None) -> Client:
    user = factories.user("anna", is_staff=False)
    user.groups.add(Group.objects.get(name="admin"))
    client.force_login(user)
    return client


def found(folder: Path, **asked: str) -> list[logs.Entry]:
    return logs.page(logs.files(data_dir=folder, log_dir=""), logs.Asked(**asked))[0]


def test_the_newest_line_comes_first_and_a_traceback_stays_with_its_line(folder: Path) -> None:
    rows = found(folder)

    assert [(row.process, row.level) for row in rows] == [
        ("web", "INFO"), ("julaba", ""), ("redis", ""), ("beat", "WARNING"), ("trading", "ERROR"), ("web", "WARNING"),
    ]  # fmt: skip
    failed = rows[4]
    assert failed.text.splitlines() == [
        "this tick failed",
        "Traceback (most recent call last):",
        '  File "tick.py", line 1, in run',
        "ValueError: nothing",
    ]
    assert failed.ids == {"tick": "tick-1", "order": "jl9"}
    assert failed.at == datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"level": "ERROR"}, ["trading"]),
        ({"level": "WARNING"}, ["beat", "trading", "web"]),
        ({"process": "web"}, ["web", "web"]),
        ({"text": "VALUEERROR"}, ["trading"]),
        ({"text": "django.request"}, ["web"]),
        ({"id": "jl9"}, ["web", "trading"]),
        ({"id": "jl9", "process": "web"}, ["web"]),
        ({"id": "jl"}, []),
    ],
)
def test_filters_leave_what_was_asked_for(folder: Path, asked: dict[str, str], expected: list[str]) -> None:
    assert [row.process for row in found(folder, **asked)] == expected


def test_files_that_were_turned_over_follow_in_order(folder: Path) -> None:
    for number in (1, 2, 10):
        line = f"2026-03-01 11:00:{60 - number:02},000 web     | 2026-03-01 11:00:00,000 INFO a: turned {number}\n"
        (folder / "logs" / f"julaba.log.{number}").write_text(line)

    assert [row.text for row in found(folder, text="turned")] == ["turned 1", "turned 2", "turned 10"]


def test_a_line_longer_than_a_block_is_read_whole(folder: Path) -> None:
    long = "x" * 200_000
    (folder / "logs" / "julaba.log").write_text(
        f"2026-03-01 12:00:00,100 web     | 2026-03-01 12:00:00,099 INFO a: {long}\n"
    )

    assert [row.text for row in found(folder)] == [long]


def test_files_of_several_processes_are_merged_by_time(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("2026-03-01 12:00:00,000 INFO a: one\n2026-03-01 12:00:02,000 INFO a: three\n")
    (tmp_path / "trading.log").write_text("2026-03-01 12:00:01,000 INFO a: two\n")

    rows, follows = logs.page(logs.files(data_dir=tmp_path, log_dir=str(tmp_path)), logs.Asked())

    assert [(row.process, row.text) for row in rows] == [("web", "three"), ("trading", "two"), ("web", "one")]
    assert not follows


def test_pages_follow_each_other(folder: Path) -> None:
    files = logs.files(data_dir=folder, log_dir="")

    first, follows = logs.page(files, logs.Asked(), size=4)
    second, ends = logs.page(files, logs.Asked(), number=2, size=4)

    assert [*first, *second] == found(folder)
    assert (follows, ends) == (True, False)


def test_a_secret_that_reached_the_file_is_not_shown(folder: Path) -> None:
    redaction.remember(["canary-0123456789-secret"])
    with (folder / "logs" / "julaba.log").open("a") as file:
        file.write("2026-03-01 12:00:09,000 web     | the key is canary-0123456789-secret\n")

    assert "canary" not in str(found(folder))


def test_the_page_shows_the_log_to_those_who_may(reader: Client, folder: Path) -> None:
    page = reader.get("/logs/?level=ERROR").content.decode()

    assert "this tick failed" in page
    assert "Not Found: /x" not in page
    assert 'href="?id=tick-1"' in page


def test_what_was_logged_is_text_and_never_markup(reader: Client, folder: Path) -> None:
    (folder / "logs" / "julaba.log").write_text("2026-03-01 12:00:00,100 web     | <script>alert(1)</script>\n")

    assert "<script>alert" not in reader.get("/logs/").content.decode()


@pytest.mark.parametrize("path", ["/logs/", "/api/v1/logs"])
def test_nobody_else_sees_it(client: Client, db: None, folder: Path, path: str) -> None:
    assert client.get(path).status_code in (302, 401, 403)
    client.force_login(factories.user("vera", is_staff=False))

    answer = client.get(path)

    assert answer.status_code == 403
    assert b"tick failed" not in answer.content


def test_the_same_is_told_as_json(reader: Client, folder: Path) -> None:
    told = reader.get("/api/v1/logs?id=jl9&limit=1").json()

    assert told["next"] == 2
    assert told["results"][0]["ids"] == {"order": "jl9"}
    assert told["results"][0]["text"].endswith("Traceback: x")


@pytest.mark.parametrize("query", ["level=LOUD", "page=0", "page=x", "limit=501", "nonsense=1"])
def test_a_question_that_cannot_be_answered_names_the_field(reader: Client, folder: Path, query: str) -> None:
    answer = reader.get(f"/api/v1/logs?{query}")

    assert answer.status_code == 422
    assert answer.json()["field"] == query.partition("=")[0]


def test_a_system_that_never_wrote_a_log_shows_an_empty_page(
    reader: Client, tmp_path: Path, settings: Settings
) -> None:
    settings.JULABA_DATA_DIR = tmp_path

    assert "Nothing was logged that passes" in reader.get("/logs/").content.decode()


def record(message: str, *args: Any) -> logging.LogRecord:
    return logging.LogRecord("trading.a", logging.WARNING, __file__, 1, message, args, None)


def test_a_line_of_text_carries_the_ids_of_what_is_worked_on() -> None:
    with log_ids.bound(tick="t-1"), log_ids.bound(order="jl9"):
        line = logging_setup.Text().format(record("sent %s", "it"))
    after = logging_setup.Text().format(record("later"))

    assert line.endswith("WARNING trading.a: sent it [tick=t-1 order=jl9]")
    assert after.endswith("WARNING trading.a: later")


def test_a_message_from_outside_cannot_begin_a_line_of_its_own() -> None:
    line = logging_setup.Text().format(record("path /a\n2026-03-01 ERROR forged: x\x1b[31m"))

    assert "\n" not in line
    assert "\x1b" not in line
    assert "\\n2026-03-01 ERROR forged" in line


@pytest.mark.parametrize("make", [logging_setup.Text, logging_setup.json_formatter])
def test_a_secret_is_hidden_in_every_format(make: Any) -> None:
    redaction.remember(["canary-0123456789-secret"])
    failed = record("cannot open %s", "canary-0123456789-secret")
    failed.exc_info = (ValueError, ValueError("canary-0123456789-secret"), None)

    assert "canary" not in make().format(failed)


def test_a_line_of_json_is_one_object_that_the_page_reads_back() -> None:
    with log_ids.bound(tick="t-1"):
        line = logging_setup.json_formatter().format(record("sent %s\nand more", "it"))

    told = json.loads(line)
    assert "\n" not in line
    assert (told["event"], told["level"], told["logger"], told["tick"]) == (
        "sent it\nand more",
        "warning",
        "trading.a",
        "t-1",
    )
    entry = logs.read(line, name="trading", at=datetime(2000, 1, 1, tzinfo=UTC))
    assert (entry.level, entry.logger, entry.ids) == ("WARNING", "trading.a", {"tick": "t-1"})
    assert entry.at.year > 2000


def test_no_line_is_lost_when_the_file_is_moved_away(tmp_path: Path) -> None:
    made = logging_setup.handlers(log_format="text", folder=str(tmp_path), name="web")
    assert made["file"]["class"] == "julaba_site.kept_log.Watched"
    writers = [kept_log.Watched(made["file"]["filename"]) for _ in range(2)]
    for number in range(10):
        if number == 5:
            (tmp_path / "web.log").rename(tmp_path / "web.log.1")
        for writer in writers:
            writer.emit(record(f"line {number}"))
    for writer in writers:
        writer.close()

    assert len((tmp_path / "web.log.1").read_text().splitlines()) == 10
    assert len((tmp_path / "web.log").read_text().splitlines()) == 10


def test_a_terminal_is_all_there_is_by_default() -> None:
    assert list(logging_setup.handlers(log_format="text", folder="", name="web")) == ["stderr"]
