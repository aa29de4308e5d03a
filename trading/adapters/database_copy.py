"""Copies of the database as one file, taken while everybody goes on writing, and databases made from them."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import load_backend

SQLITE_FILE, POSTGRES_FILE = "database.sqlite3", "database.dump"
LONGEST_S = 1500
Counts = dict[str, int]
"""Rows of each table."""


class CopyError(Exception):
    """The database could not be copied or made anew; the text says why."""


def copy(folder: Path) -> tuple[Path, Counts]:
    """Copy the database into `folder`, as of one moment; return the file, and how many rows each table in it has."""
    if connection.vendor == "postgresql":
        return _dump_postgres(folder / POSTGRES_FILE)
    return _copy_sqlite(folder / SQLITE_FILE)


def counts(path: Path) -> Counts:
    """Return how many rows each table of an SQLite file has; raises CopyError where its pages do not fit together."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            found = file.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise CopyError(f"its pages do not fit together ({str(found).splitlines()[0]})")
            names = file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            return {name: _count(file, name) for (name,) in names.fetchall()}
    except sqlite3.Error as error:
        raise CopyError(str(error)) from error


def load_postgres(dump: Path, config: dict[str, Any]) -> None:
    """Make the tables of a dump in the empty database that a Django configuration names."""
    command = [_program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run([*command, f"--dbname={config['NAME']}", str(dump)], config)


def postgres_counts(config: dict[str, Any]) -> Counts:
    """Return the rows of each table of a PostgreSQL database; empty where it has none."""
    try:
        with psycopg.connect(**_address(config)) as asked:
            return _postgres_counts(asked)
    except psycopg.Error as error:
        raise CopyError(_first_line(str(error))) from error


def empty_postgres(config: dict[str, Any]) -> None:
    """Remove every table of a scratch database."""
    try:
        with psycopg.connect(**_address(config)) as asked:
            asked.execute("DROP SCHEMA public CASCADE")
            asked.execute("CREATE SCHEMA public")
    except psycopg.Error as error:
        raise CopyError(_first_line(str(error))) from error


@contextmanager
def attached(config: dict[str, Any]) -> Iterator[None]:
    """Point this thread's default connection to another database; `config` is Django's, and what it lacks is as usual."""
    usual = connections[DEFAULT_DB_ALIAS]
    whole = {**connections.settings[DEFAULT_DB_ALIAS], "CONN_MAX_AGE": None, "OPTIONS": {}, **config}
    other = load_backend(whole["ENGINE"]).DatabaseWrapper(whole, DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = other
    try:
        yield
    finally:
        other.close()
        connections[DEFAULT_DB_ALIAS] = usual


def _copy_sqlite(path: Path) -> tuple[Path, Counts]:
    connection.ensure_connection()
    try:
        with closing(sqlite3.connect(path)) as target:
            # All pages in one step, under one read lock: in WAL mode nobody waits for it.
            connection.connection.backup(target)
            # One file: nothing of it may stay behind in a log beside it.
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise CopyError(str(error)) from error
    return path, counts(path)


def _count(file: sqlite3.Connection, table: str) -> int:
    return int(file.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - names of its own tables


def _dump_postgres(path: Path) -> tuple[Path, Counts]:
    config = connection.settings_dict
    try:
        with psycopg.connect(**_address(config)) as asked:
            # The dump sees exactly what was counted.
            asked.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            snapshot = asked.execute("SELECT pg_export_snapshot()").fetchone()
            assert snapshot is not None
            found = _postgres_counts(asked)
            command = [_program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"]
            target = [f"--snapshot={snapshot[0]}", f"--file={path}", f"--dbname={config['NAME']}"]
            _run([*command, *target], config)
    except psycopg.Error as error:
        raise CopyError(_first_line(str(error))) from error
    return path, found


def _postgres_counts(asked: psycopg.Connection) -> Counts:
    names = asked.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    found = {}
    for (name,) in names:
        row = asked.execute(psycopg.sql.SQL("SELECT COUNT(*) FROM {}").format(psycopg.sql.Identifier(name))).fetchone()
        found[name] = int(row[0]) if row else 0
    return found


def _address(config: dict[str, Any]) -> dict[str, Any]:
    given = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return {name: config[key] for name, key in given.items() if config.get(key)} | {"connect_timeout": 10}


def _run(command: list[str], config: dict[str, Any]) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no list of processes shows it."""
    given = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = {**os.environ, **{name: str(config[key]) for name, key in given.items() if config.get(key)}}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise CopyError(f"{Path(command[0]).name} did not end within {LONGEST_S} s") from error
    if done.returncode:
        raise CopyError(f"{Path(command[0]).name} failed: {_first_line(done.stderr.decode(errors='replace'))}")


def _program(name: str) -> str:
    """Return PostgreSQL's program, the newest of Debian's where the PATH has none."""
    if found := shutil.which(name):
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise CopyError(f"there is no {name}: install PostgreSQL's client programs (postgresql-client on Debian)")
    return str(versions[-1])


def _first_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line]
    told = next(
        (line for line in lines if "error" in line.lower() or "fatal" in line.lower()), lines[0] if lines else ""
    )
    return re.sub(r"^pg_\w+: (error: )?", "", told)
