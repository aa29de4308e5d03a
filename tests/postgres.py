"""A PostgreSQL for tests: the one that DATABASE_URL names, else one of its own that is gone afterwards.

`python -m tests.postgres COMMAND …` runs a command with DATABASE_URL set to an empty database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests import ports

DEBIAN = "/usr/lib/postgresql"
PATIENCE_S = 30.0


class PostgresMissing(Exception):
    """There is neither an address nor a program."""


@contextmanager
def server() -> Iterator[str]:
    """Yield the address of a server's maintenance database; raises PostgresMissing where none can be had."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with own_server() as address:
        yield address


@contextmanager
def own_server(**settings: int) -> Iterator[str]:
    """Yield the address of a server that is gone afterwards, with these settings such as max_connections."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="julaba-postgres-") as folder:
        user = _unprivileged()
        if user:
            shutil.chown(folder, user)
        _run([programs / "initdb", "-D", f"{folder}/db", "-U", "postgres", "-A", "trust", "--no-sync"], user)
        port = ports.free()
        listen = ["-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "log_min_messages=panic"]
        listen += [f"--{name}={value}" for name, value in settings.items()]
        process = subprocess.Popen([programs / "postgres", "-D", f"{folder}/db", *listen], user=user, cwd="/")
        try:
            url = f"postgres://postgres@127.0.0.1:{port}/postgres"
            _wait_for(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is still connected
            process.wait(timeout=PATIENCE_S)


@contextmanager
def database(prefix: str) -> Iterator[str]:
    """Yield the address of an empty database, and drop it afterwards."""
    name = f"{prefix}_{uuid.uuid4().hex[:8]}"
    with server() as address, psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(address)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _programs() -> Path:
    """Return the folder of initdb and postgres, the newest of Debian's where PATH has none."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(Path(DEBIAN).glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise PostgresMissing("there is no PostgreSQL: install it (apt-get install postgresql) or set DATABASE_URL")
    return versions[-1].parent


def _unprivileged() -> str | None:
    """Return the account to run it as, None for this one: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def _run(command: list[str | Path], user: str | None) -> None:
    subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S * 2)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > end or process.poll() is not None:
                raise PostgresMissing("the PostgreSQL that was started does not answer") from error
            time.sleep(0.1)
        else:
            return


def main() -> int:
    with database("julaba_tests") as address:
        return subprocess.call(sys.argv[1:], env={**os.environ, "DATABASE_URL": address})


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PostgresMissing as reason:
        sys.exit(str(reason))
