"""A database of its own for a run that must not touch the account's: SQLite, migrated, thrown away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from trading import events

# Speed over durability: after a crash there is nothing to recover.
_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;",
}


@contextmanager
def database(path: str = ":memory:") -> Iterator[None]:
    """Point this thread's default connection to a fresh database, with the tables of `trading` in it."""
    # What happens in here is nobody else's news.
    with attached(path), events.silence():
        _make_tables()
        yield


_blank: list[bytes] = []
"""The file that the migrations make, once they have run in this process: copying it takes no time."""


def _make_tables() -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    if not _blank:
        call_command("migrate", "trading", verbosity=0, interactive=False)
        _blank.append(connection.connection.serialize())
        return
    with closing(sqlite3.connect(":memory:")) as blank:
        blank.deserialize(_blank[0])
        blank.backup(connection.connection)


@contextmanager
def attached(path: str, options: dict[str, Any] | None = None) -> Iterator[None]:
    """Point this thread's default connection to an SQLite file as it is."""
    usual = connections[DEFAULT_DB_ALIAS]
    config = {**connections.settings[DEFAULT_DB_ALIAS], "ENGINE": "django.db.backends.sqlite3", "NAME": path}
    config |= {"OPTIONS": options or _OPTIONS, "CONN_MAX_AGE": None}
    scratch = DatabaseWrapper(cast("Any", config), DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = scratch
    try:
        yield
    finally:
        scratch.close()
        connections[DEFAULT_DB_ALIAS] = usual
