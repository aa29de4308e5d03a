"""A log whose disk is full: said once, and lines are kept again as soon as there is room."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from julaba_site import kept_log, logging_setup

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, __file__, 1, text, (), None)


@pytest.mark.parametrize("kind", [kept_log.Turning, kept_log.Watched])
def test_a_full_disk_is_said_once_until_there_is_room(
    kind: type[kept_log.Turning | kept_log.Watched], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = kind(FULL)

    for _ in range(3):
        handler.handle(record("lost"))

    assert capsys.readouterr().err == "the log cannot be kept in a file (No space left on device): make room\n"

    full, handler.stream = handler.stream, (tmp_path / "log").open("w")
    if isinstance(handler, kept_log.Watched):
        handler.dev = handler.ino = -1  # somebody moved it away
        handler.baseFilename = str(tmp_path / "log")
    handler.handle(record("kept"))
    handler.close()
    assert (tmp_path / "log").read_text() == "kept\n"
    assert capsys.readouterr().err == ""
    assert full is not None
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_a_line_that_cannot_be_made_is_told_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    handler = kept_log.Watched(tmp_path / "log")

    handler.handle(logging.LogRecord("test", logging.INFO, __file__, 1, "%d", ("three",), None))

    handler.close()
    assert "Logging error" in capsys.readouterr().err


def test_the_processes_of_single_units_write_such_a_file(tmp_path: Path) -> None:
    made = logging_setup.handlers(log_format="json", folder=str(tmp_path), name="web")

    assert made["file"]["class"] == f"{kept_log.Watched.__module__}.{kept_log.Watched.__name__}"
