"""What has to hold before anything is started, each with one sentence for the person who has to put it right."""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.db import Error, connection

from julaba_site import embedded

OPERATOR = "operator"
_CLEAR_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike: the password is read from a screen."""


class StartupError(Exception):
    """One sentence: what is wrong, and what to do about it."""


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the data directory; it goes with the process, however that ends."""
    path = data_dir / "run" / "up.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StartupError(
            f"JULABA_DATA_DIR {data_dir} cannot be written ({error.strerror}): choose another"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise StartupError(
                f"Julaba already runs from {data_dir} (process {file.read().strip() or 'unknown'}): "
                "stop it with Ctrl-C, or start this one with another JULABA_DATA_DIR and PORT"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise StartupError(f"JULABA_HOST {host} is no address of this machine ({error.strerror})") from error
            reason = "is in use" if error.errno == errno.EADDRINUSE else "needs more rights than you have"
            other = 8000 if port < 1024 else port + 1 if port < 65535 else port - 1
            raise StartupError(f"port {port} {reason}: choose another, such as PORT={other} make run") from error


def check_database() -> None:
    try:
        connection.ensure_connection()
    except Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise StartupError(f"the database cannot be reached ({reason}): start it, or correct DATABASE_URL") from error


def check_redis(url: str) -> None:
    """Ask the Redis of REDIS_URL; what it answers is not repeated, since a mistyped address may hold the password."""
    import redis  # ten megabytes that the default set-up does not need

    try:
        redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3).ping()
    except ValueError as error:
        raise StartupError(
            "REDIS_URL is no address such as redis://:PASSWORD@HOST:6379/0: correct or unset it"
        ) from error
    except redis.RedisError as error:
        raise StartupError(
            f"the Redis of REDIS_URL does not answer ({type(error).__name__}): start it, or unset REDIS_URL "
            "and Julaba starts one of its own"
        ) from error


def redis_command(data_dir: Path) -> list[str]:
    """Return how to start a Redis that keeps nothing and listens on a socket that only its owner can reach."""
    binary = embedded.server_binary()
    if binary is None:
        raise StartupError("there is no Redis here: install redis-server, or set REDIS_URL to one that runs")
    path = embedded.socket_path(data_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
    except OSError as error:
        raise StartupError(f"{path.parent} cannot be made private ({error.strerror}): remove it") from error
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data_dir / "run"),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": str(data_dir / "run" / "redis.log"),
        "loglevel": "warning",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def redis_answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:  # not there yet
        return False


def page_answers(host: str, port: int, *, origin: str) -> bool:
    """Return whether a stranger who asks for the first page ends on one that is shown, which is the log-in."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked for by the operator
    page: str | None = "/"
    for _ in range(3):
        asking = http.client.HTTPConnection(host, port, timeout=5)
        try:
            asking.request("GET", page or "/", headers={"Host": urlsplit(origin).netloc})
            answer = asking.getresponse()
        except (OSError, http.client.HTTPException):  # not there yet
            return False
        finally:
            asking.close()
        if answer.status == 200:
            return True
        page = answer.getheader("Location")
    return False


def create_operator() -> str | None:
    """Create the first account, where there is none, and return its password, which is kept nowhere."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = "-".join("".join(secrets.choice(_CLEAR_LETTERS) for _ in range(5)) for _ in range(4))
    users.create_superuser(OPERATOR, password=password)
    return password
