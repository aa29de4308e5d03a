"""Backups: database, candles and models in one file, which is there whole or not at all; restoring.py reads them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import logging
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from trading import events
from trading.adapters import database_copy
from trading.adapters.sealed_file import Sealer
from trading.models import BackupKind, BackupRun, Bot, Lease

logger = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "manifest.json"
FOLDERS = ("candles", "models")
"""What of the data directory is kept besides the database. Keys and secrets never are: they belong elsewhere."""
EVERY = timedelta(hours=6)
PARTIAL = ".partial-"
PLAIN, SEALED = ".tar", ".tar.sealed"
FAILED = "backup_failed"
_BLOCK = 1 << 20


class BackupError(Exception):
    """No backup was made; the text is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where from and where to: the data directory, the folder of the backups, and how many of them stay."""

    data_dir: Path
    folder: Path
    keep: int
    keys: Sequence[str] = ()
    """Fernet keys, newest first; without one, backups are not sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One file in a backup."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says about itself; it is its last file, so one that was cut off has none."""

    made_at: str
    code_version: str
    mode: str
    venue: str
    epoch: int
    database: str
    """Name of the file that held the database; empty where it was a server's."""
    rows: Mapping[str, int]
    migrations: Mapping[str, Sequence[str]]
    files: Sequence[Stored]
    format: int = FORMAT


def is_due(*, now: datetime) -> bool:
    """Return whether the newest backup is old enough; before there is an account nothing is worth one."""
    if not Bot.objects.filter(pk=1, is_replaying=False).exists():
        return False
    return not BackupRun.objects.filter(kind=BackupKind.BACKUP, passed=True, at__gt=now - EVERY).exists()


def make(place: Place, *, code_version: str, now: datetime) -> BackupRun:
    """Make a backup and forget the oldest ones. What went wrong is kept, told, and raised as BackupError."""
    begun = time.monotonic()
    try:
        with _alone(place.data_dir), _one_sentence(place.folder):
            path, digest = _make(place, code_version, now)
            _forget(place)
    except BackupError as error:
        _report(str(error), now)
        raise
    row = BackupRun.objects.create(
        kind=BackupKind.BACKUP,
        at=now,
        passed=True,
        name=path.name,
        size=path.stat().st_size,
        digest=digest,
        is_sealed=bool(place.keys),
        seconds=time.monotonic() - begun,
        text=f"{path.name}, {path.stat().st_size} bytes",
    )
    logger.info("backup %s was made", path.name)
    return row


def kept(folder: Path) -> list[Path]:
    """Return the backups of a folder, the newest first."""
    found = [path for path in folder.glob("julaba-*") if path.name.endswith((PLAIN, SEALED))]
    return sorted(found, key=lambda path: path.name.removesuffix(SEALED).removesuffix(PLAIN), reverse=True)


def _report(text: str, now: datetime) -> None:
    logger.error("there is no backup: %s", text)
    try:
        BackupRun.objects.create(kind=BackupKind.BACKUP, at=now, passed=False, text=text)
        events.emit(FAILED, at=now, text=f"There is no backup: {text}")
    except DatabaseError:
        logger.exception("this could not be kept")  # a full disk takes no row either


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Let one process at a time make a backup; the lock of one that was killed is gone with it."""
    path = data_dir / "run" / "backup.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupError("another backup is being made: wait for its end") from error
            yield
    except OSError as error:
        raise BackupError(f"{path} cannot be written ({error.strerror}): correct its rights or make room") from error


@contextmanager
def _one_sentence(folder: Path) -> Iterator[None]:
    try:
        yield
    except database_copy.CopyError as error:
        raise BackupError(f"the database cannot be copied: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupError(f"there is no room for it in {folder}: make room, or set BACKUP_DIR") from error
        raise BackupError(
            f"{folder} cannot be written ({error.strerror or error}): correct it, or BACKUP_DIR"
        ) from error


def _make(place: Place, code_version: str, now: datetime) -> tuple[Path, str]:
    """Write everything under a name that does not count, and give it its own when it is on the disk."""
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in place.folder.glob(f"{PARTIAL}*"):
        left.unlink()  # of one that was killed: nobody else writes here now
    path = place.folder / f"julaba-{now:%Y%m%dT%H%M%S}{SEALED if place.keys else PLAIN}"
    partial = place.folder / f"{PARTIAL}{path.name}"
    with ExitStack() as unfinished:
        unfinished.callback(partial.unlink, missing_ok=True)
        with _scratch(place.data_dir) as scratch, _private(partial) as raw:
            copy, rows = database_copy.copy(scratch)
            manifest = _about(code_version, now, rows)
            hashed = _Hashed(raw)
            sink: Any = Sealer(hashed, key=place.keys[0]) if place.keys else hashed
            _write(sink, place.data_dir, copy, manifest)
            if isinstance(sink, Sealer):
                sink.close()
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(path)
        _sync(place.folder)
        unfinished.pop_all()
    return path, hashed.digest.hexdigest()


def _write(sink: Any, data_dir: Path, copy: Path, manifest: Manifest) -> None:
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        files = [_add(tar, copy, copy.name)]
        for folder in FOLDERS:
            for path in sorted((data_dir / folder).rglob("*")):
                if path.is_file() and not path.is_symlink() and not path.name.endswith((".lock", ".tmp")):
                    files += _added(tar, path, str(path.relative_to(data_dir)))
        content = json.dumps(asdict(replace(manifest, files=files)), indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mtime, entry.mode = len(content), int(copy.stat().st_mtime), 0o600
        tar.addfile(entry, io.BytesIO(content))


def _added(tar: tarfile.TarFile, path: Path, name: str) -> list[Stored]:
    try:
        return [_add(tar, path, name)]
    except FileNotFoundError:  # old candles are forgotten meanwhile
        return []


def _add(tar: tarfile.TarFile, path: Path, name: str) -> Stored:
    """Add a file as it is now; who replaces it meanwhile makes another one of that name."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = file.tell(), int(os.fstat(file.fileno()).st_mtime), 0o600
        file.seek(0)
        tar.addfile(entry, file)
    return Stored(name=name, size=entry.size, sha256=digest.hexdigest())


def _about(code_version: str, now: datetime, rows: Mapping[str, int]) -> Manifest:
    bot, lease = Bot.objects.filter(pk=1).first(), Lease.objects.order_by("-epoch").first()
    is_file = connection.vendor == "sqlite"
    return Manifest(
        made_at=now.isoformat(),
        code_version=code_version,
        mode=bot.mode if bot else "",
        venue=bot.venue if bot else "",
        epoch=lease.epoch if lease else 0,
        database=Path(str(connection.settings_dict["NAME"])).name if is_file else "",
        rows=rows,
        migrations=_migrations(),
        files=(),
    )


def _migrations() -> dict[str, list[str]]:
    applied: dict[str, list[str]] = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        applied.setdefault(app, []).append(name)
    return applied


class _Hashed:
    """Passes on what is written and keeps its digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        return self._file.write(data)


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


@contextmanager
def _scratch(data_dir: Path) -> Iterator[Path]:
    """Yield a folder beside the database for its copy; what a killed backup left there goes first."""
    for left in (data_dir / "run").glob("backup-*"):
        if left.is_dir():
            for file in left.iterdir():
                file.unlink()
            left.rmdir()
    with tempfile.TemporaryDirectory(prefix="backup-", dir=data_dir / "run") as folder:
        yield Path(folder)


def _forget(place: Place) -> None:
    for path in kept(place.folder)[place.keep :]:
        path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
