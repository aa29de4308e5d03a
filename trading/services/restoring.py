"""Reading backups: proving that one is whole, trying it in a scratch database, and making a system from it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import transaction

from trading import events
from trading.adapters import database_copy
from trading.adapters.database_copy import POSTGRES_FILE, SQLITE_FILE
from trading.adapters.sealed_file import MAGIC, CannotOpen, Opener, is_sealed
from trading.models import BackupKind, BackupRun, Bot, Lease, TradingState
from trading.services import backups, control, invariants
from trading.services.backups import FOLDERS, FORMAT, MANIFEST, Manifest, Stored
from trading.services.invariants import Violation

TRIAL_FAILED = "backup_trial_failed"
EVERY = timedelta(hours=24)
EPOCHS_AHEAD = 1_000_000
"""A restored system begins so many epochs later: whoever held the lease after the backup was made is an older one."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_BLOCK = 1 << 20
_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA foreign_keys=ON;"},
}


class RestoreError(Exception):
    """Nothing was restored; the text is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a backup was found to hold."""

    manifest: Manifest
    violations: Sequence[Violation]


Server = Mapping[str, Any]
"""A PostgreSQL database to restore a dump into, as Django's configuration of it."""


def check(path: Path, *, keys: Sequence[str], scratch_in: Path, server: Server | None, now: datetime) -> Result:
    """Restore a backup where nobody sees it, bring it up to date and check every invariant; raises RestoreError.

    `server` is an empty database for a dump of PostgreSQL; without one such a backup is proved whole, and no more.
    """
    scratch_in.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="restore-", dir=scratch_in) as folder, _one_sentence(path):
        manifest = _unpack(path, Path(folder), keys)
        if manifest.database == "" and server is None:
            return Result(manifest=manifest, violations=())
        with _database(Path(folder), manifest, server):
            return Result(manifest=manifest, violations=_examined(now))


def restore(path: Path, *, keys: Sequence[str], into: Path, server: Server | None, now: datetime, by: str) -> Result:
    """Make the data directory `into`, or its database on `server`, from a backup. It starts halted, in a new epoch.

    Raises RestoreError where something lies or runs there already, and where the backup breaks a promise about money.
    """
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _stopped(into), _one_sentence(path), tempfile.TemporaryDirectory(prefix=".restoring-", dir=into) as name:
        folder = Path(name)
        manifest = _unpack(path, folder, keys)
        _refuse_occupied(into, manifest, server)
        with _database(folder, manifest, server):
            found = _examined(now)
            if grave := [violation for violation in found if violation.level == "M"]:
                raise RestoreError(f"{grave[0].id} does not hold in it ({grave[0].found}): take an older backup")
            _mark(path.name, by=by, now=now)
        if manifest.database:
            (folder / SQLITE_FILE).replace(into / manifest.database)
        for kept in FOLDERS:
            if (folder / kept).exists():
                (folder / kept).replace(into / kept)
        _sync(into)
    return Result(manifest=manifest, violations=found)


def is_due(*, now: datetime) -> bool:
    """Return whether the trial of the day is still to be made."""
    return not BackupRun.objects.filter(kind=BackupKind.TRIAL, at__gt=now - EVERY).exists()


def try_newest(place: backups.Place, *, server: Server | None, now: datetime) -> BackupRun | None:
    """Restore the newest backup as a trial and keep what came of it; None where there is no backup yet."""
    newest = next(iter(backups.kept(place.folder)), None)
    if newest is None:
        return None
    begun = time.monotonic()
    try:
        result = check(newest, keys=place.keys, scratch_in=place.data_dir / "run", server=server, now=now)
        broken = [violation.id for violation in result.violations]
        text = f"broken in it: {', '.join(broken)}" if broken else _told(result.manifest, server)
    except RestoreError as error:
        broken, text = ["unreadable"], str(error)
    row = BackupRun.objects.create(
        kind=BackupKind.TRIAL,
        at=now,
        passed=not broken,
        name=newest.name,
        size=newest.stat().st_size,
        seconds=time.monotonic() - begun,
        text=text,
    )
    if broken:
        events.emit(TRIAL_FAILED, at=now, text=f"The backup {newest.name} cannot be relied on: {text}")
    return row


def _told(manifest: Manifest, server: Server | None) -> str:
    if manifest.database == "" and server is None:
        return "whole; set BACKUP_SCRATCH_URL, and it is restored too"
    return f"restored, {sum(manifest.rows.values())} rows, every promise holds"


def _unpack(path: Path, into: Path, keys: Sequence[str]) -> Manifest:
    """Write the files of a backup; every one of them is as its manifest says."""
    found: dict[str, Stored] = {}
    content = b""
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=_opened(raw, path, keys), mode="r|") as tar:
            for entry in tar:
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is None or not _is_ours(entry.name):
                    raise RestoreError(f"{path.name} holds {entry.name[:100]!r}, which no backup of ours does")
                if entry.name == MANIFEST:
                    content = file.read()
                    continue
                found[entry.name] = _written(file, into / entry.name, entry.name)
    except CannotOpen as error:
        raise RestoreError(f"{path.name} cannot be opened: {error}; take another backup, or give its key") from error
    except (tarfile.TarError, EOFError) as error:
        raise RestoreError(f"{path.name} is damaged or cut off ({error}): take another backup") from error
    return _proved(path, content, found)


def _proved(path: Path, content: bytes, found: Mapping[str, Stored]) -> Manifest:
    if not content:
        raise RestoreError(f"{path.name} is cut off, its end is missing: take another backup")
    try:
        told = json.loads(content)
        manifest = Manifest(**{**told, "files": tuple(Stored(**file) for file in told["files"])})
    except (ValueError, TypeError, KeyError) as error:
        raise RestoreError(f"{path.name} has no readable {MANIFEST}: take another backup") from error
    if manifest.format != FORMAT:
        raise RestoreError(f"{path.name} has format {manifest.format}, this version reads {FORMAT}: use a newer Julaba")
    for file in manifest.files:
        if found.get(file.name) != file:
            raise RestoreError(f"{file.name} in {path.name} is not as it was written: take another backup")
    if SQLITE_FILE not in found and POSTGRES_FILE not in found:
        raise RestoreError(f"{path.name} holds no database: take another backup")
    return manifest


def _opened(raw: Any, path: Path, keys: Sequence[str]) -> Any:
    head = raw.read(len(MAGIC))
    raw.seek(0)
    if not is_sealed(head):
        return raw
    if not keys:
        raise RestoreError(f"{path.name} is sealed: set BACKUP_KEY to the key it was made with")
    return Opener(raw, keys=keys)


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        return False
    return parts[0] in FOLDERS if len(parts) > 1 else name in (MANIFEST, SQLITE_FILE, POSTGRES_FILE)


def _written(file: Any, path: Path, name: str) -> Stored:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return Stored(name=name, size=size, sha256=digest.hexdigest())


@contextmanager
def _database(folder: Path, manifest: Manifest, server: Server | None) -> Iterator[None]:
    """Make the database of an unpacked backup the one that everything asks, with every row that was counted."""
    with ExitStack() as stack:
        if manifest.database:
            path = folder / SQLITE_FILE
            rows = database_copy.counts(path)
            config: dict[str, Any] = {**_SQLITE, "NAME": str(path)}
        else:
            assert server is not None
            config = dict(server)
            database_copy.load_postgres(folder / POSTGRES_FILE, config)
            rows = database_copy.postgres_counts(config)
        if rows != dict(manifest.rows):
            raise RestoreError("the database in it has other rows than were counted: take another backup")
        stack.enter_context(database_copy.attached(config))
        stack.enter_context(events.silence())
        call_command("migrate", verbosity=0, interactive=False)
        yield


def _examined(now: datetime) -> list[Violation]:
    """Check everything but what time alone breaks: nobody followed these trades since the backup was made."""
    made_at = Bot.objects.filter(pk=1).values_list("last_tick_at", flat=True).first() or now
    return invariants.check(now=made_at, since=LONG_AGO)


def _mark(name: str, *, by: str, now: datetime) -> None:
    reason = f"restored from {name}: compare with the venue, look at what differs, then resume"
    with transaction.atomic():
        for lease in Lease.objects.all():
            Lease.objects.filter(pk=lease.pk).update(
                owner="restored", epoch=lease.epoch + EPOCHS_AHEAD, expires_at=LONG_AGO
            )
        control.tighten(TradingState.HALTED, reason=reason, now=now, by=by)
        events.emit("restored", at=now, text=f"{by} restored {name}", payload={"file": name})


@contextmanager
def _stopped(into: Path) -> Iterator[None]:
    """Hold the lock that a running system holds."""
    path = into / "run" / "up.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RestoreError(f"Julaba runs from {into}: stop it, or name an empty folder with --into") from error
        yield


def _refuse_occupied(into: Path, manifest: Manifest, server: Server | None) -> None:
    if manifest.database == "" and server is None:
        raise RestoreError("it is a backup of PostgreSQL: set DATABASE_URL to an empty PostgreSQL database")
    if manifest.database and server is not None:
        raise RestoreError(
            "it is a backup of SQLite, and DATABASE_URL names a PostgreSQL, which would stay empty: unset it"
        )
    taken = [name for name in (manifest.database, *FOLDERS) if name and (into / name).exists()]
    if taken:
        raise RestoreError(
            f"{into} already holds {', '.join(taken)}: move that away, or name an empty folder with --into"
        )
    if server is not None and manifest.database == "" and database_copy.postgres_counts(dict(server)):
        raise RestoreError("the database that DATABASE_URL names already has tables: name an empty one")


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RestoreError(f"{error.filename} is not there: name a backup") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RestoreError(
                "there is no room to unpack it: make room, or name another folder with --into"
            ) from error
        raise RestoreError(f"{path.name} cannot be restored ({error.strerror or error})") from error
    except (DatabaseError, database_copy.CopyError) as error:
        raise RestoreError(f"the database in {path.name} cannot be used ({error}): take another backup") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
