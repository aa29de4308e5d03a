"""The log as entries, newest first: from the file that the supervisor keeps, or the files of LOG_DIR."""

from __future__ import annotations

import heapq
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from trading.core import redaction

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MOST_BYTES = 64 * 1024 * 1024
"""So much of each file is looked through for one answer."""
PER_PAGE = 100
MOST_PAGES = 100
MOST_LINES = 200
"""Of one entry: a traceback that is longer is cut."""
_BLOCK = 64 * 1024
_KEPT = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<process>\S+)\s*\| (?P<rest>.*)", re.DOTALL)
_TEXT = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+) (?P<logger>\S+?): (?P<text>.*?)"
    r"(?: \[(?P<ids>\w+=\S+(?: \w+=\S+)*)\])?",
    re.DOTALL,
)
_CELERY = re.compile(r"\[(?P<at>[\d-]+ [\d:]+,\d{3}): (?P<level>[A-Z]+)/(?P<logger>[\w-]+)\] (?P<text>.*)", re.DOTALL)
_UVICORN = re.compile(r"(?P<level>[A-Z]+): {2,}(?P<text>.*)", re.DOTALL)
_PLAIN = ("julaba", "redis")
"""The supervisor itself and Redis: each line stands alone."""
_TOGETHER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log with what belongs to it; `level` is empty where a program wrote the line by itself."""

    at: datetime
    process: str
    text: str
    level: str = ""
    logger: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for; empty asks for everything. `level` is the least one."""

    level: str = ""
    process: str = ""
    text: str = ""
    id: str = ""

    def fits(self, entry: Entry) -> bool:
        if self.level and (entry.level not in LEVELS or LEVELS.index(entry.level) < LEVELS.index(self.level)):
            return False
        if self.process and entry.process != self.process:
            return False
        if self.id and self.id not in entry.ids.values():
            return False
        return self.text.lower() in f"{entry.logger}: {entry.text}".lower()


def files(*, data_dir: Path, log_dir: str) -> list[list[Path]]:
    """Return every series of files, each from the newest to the oldest of its turned-over ones."""
    found = [_series(data_dir / "logs" / "julaba.log")]
    if log_dir:
        found += [_series(path) for path in sorted(Path(log_dir).glob("*.log"))]
    return [series for series in found if series]


def page(series: list[list[Path]], asked: Asked, *, number: int = 1, size: int = PER_PAGE) -> tuple[list[Entry], bool]:
    """Return one page of entries, newest first, and whether others follow."""
    merged = heapq.merge(*(entries(paths) for paths in series), key=lambda entry: entry.at, reverse=True)
    fitting = (entry for entry in merged if asked.fits(entry))
    rows = list(islice(fitting, (number - 1) * size, number * size + 1))
    return rows[:size], len(rows) > size


def newest(*, count: int, level: str) -> list[Entry]:
    """Return the newest entries of at least `level`, for messages: settings.LOG_READER names this."""
    series = files(data_dir=settings.JULABA_DATA_DIR, log_dir=settings.LOG_DIR)
    return page(series, Asked(level=level), size=count)[0]


def entries(paths: list[Path]) -> Iterator[Entry]:
    """Yield the entries of one series, newest first, without secrets. Lines of a traceback join what they belong to."""
    waiting: dict[str, list[Entry]] = defaultdict(list)
    for path, line in _lines(paths):
        entry = read(line, name=path.name.partition(".")[0], at=_changed_at(path))
        for process in [name for name, lines in waiting.items() if lines[0].at - entry.at > _TOGETHER]:
            yield from waiting.pop(process)  # no line of a log that they would belong to
        behind = waiting.pop(entry.process, [])
        if not entry.level and entry.process not in _PLAIN and len(behind) < MOST_LINES:
            waiting[entry.process] = [*behind, entry]
            continue
        mine = [line for line in behind if entry.level and line.at - entry.at <= _TOGETHER]
        yield from behind[: len(behind) - len(mine)]
        yield _joined(entry, mine)
    for left in waiting.values():
        yield from left


def read(line: str, *, name: str, at: datetime) -> Entry:
    """Return what a line says; `name` and `at` are for a line that does not say whose and when it is."""
    kept = _KEPT.fullmatch(line)
    if kept:
        name, at, line = kept["process"], _moment(kept["at"]), kept["rest"]
    if line.startswith("{") and (told := _as_json(line, name, at)) is not None:
        return told
    for pattern in (_TEXT, _CELERY, _UVICORN):
        found = pattern.fullmatch(line)
        if found and found["level"] in LEVELS:
            parts = found.groupdict()
            ids = dict(word.split("=", 1) for word in (parts.get("ids") or "").split())
            moment = _moment(parts["at"]) if parts.get("at") and not kept else at
            return Entry(at=moment, process=name, level=found["level"], logger=parts.get("logger") or "",
                         text=redaction.scrub(found["text"]), ids=ids)  # fmt: skip
    return Entry(at=at, process=name, text=redaction.scrub(line))


def _as_json(line: str, name: str, at: datetime) -> Entry | None:
    try:
        row: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or "event" not in row:
        return None
    rest = {
        key: str(value)
        for key, value in row.items()
        if key not in ("event", "level", "logger", "timestamp", "exception")
    }
    text = "\n".join(str(row[key]) for key in ("event", "exception") if row.get(key))
    with suppress(ValueError):  # the supervisor's own moment is as good
        at = datetime.fromisoformat(str(row.get("timestamp"))).astimezone(UTC)
    level = str(row.get("level", "")).upper()
    return Entry(at=at, process=name, level=level if level in LEVELS else "INFO", logger=str(row.get("logger", "")),
                 text=redaction.scrub(text), ids=rest)  # fmt: skip


def _joined(entry: Entry, lines: list[Entry]) -> Entry:
    """Return the entry with the lines that were written after it, which were read before it."""
    return replace(entry, text="\n".join([entry.text, *(line.text for line in reversed(lines))])) if lines else entry


def _lines(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the lines of the files, the last one first."""
    for path in paths:
        try:
            with path.open("rb") as file:
                for line in _backwards(file):
                    yield path, line.decode(errors="replace")
        except FileNotFoundError:  # it was turned over meanwhile
            continue


def _backwards(file: Any) -> Iterator[bytes]:
    end = file.seek(0, os.SEEK_END)
    least, rest = max(0, end - MOST_BYTES), b""
    while end > least:
        begin = max(least, end - _BLOCK)
        file.seek(begin)
        first, *others = (file.read(end - begin) + rest).split(b"\n")
        yield from (line for line in reversed(others) if line)
        end, rest = begin, first
    if rest:
        yield rest


def _series(path: Path) -> list[Path]:
    turned = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda old: int(re.sub(r"\D", "", old.suffix) or 0))
    return [one for one in (path, *turned) if one.is_file() and one.suffix != ".gz"]


def _changed_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    except FileNotFoundError:
        return datetime.fromtimestamp(0, tz=UTC)


def _moment(text: str) -> datetime:
    """Return a moment as logging writes it: in the machine's own time."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").astimezone(UTC)
