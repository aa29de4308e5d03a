"""What has to hold before anything is started, each with one sentence for the person who has to put it right."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.checks import Tags
from django.core.checks.registry import registry
from django.db import Error, connection

from julaba_site import embedded, env, security

OPERATOR = "operator"
_CLEAR_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike: the password is read from a screen."""


class StartupError(Exception):
    """One sentence: what is wrong, and what to do about it."""


def take_lock(data_dir: Path) -> None:
    """Take the lock of the data directory for as long as this process lives, whatever program it turns into."""
    path = data_dir / "run" / "up.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(lock, True)  # the supervisor in turn passes nothing on to its children
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartupError(
            f"Julaba already runs from {data_dir} (process {path.read_text().strip() or 'unknown'}): "
            "stop it with Ctrl-C, or start this one with another JULABA_DATA_DIR and PORT"
        ) from error
    except OSError as error:
        raise StartupError(
            f"JULABA_DATA_DIR {data_dir} cannot be written ({error.strerror}): choose another"
        ) from error
    path.write_text(f"{os.getpid()}\n")


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
    if connection.vendor == "sqlite":
        _check_file()


def _check_file() -> None:
    """Refuse a file whose pages do not fit together: orders would be read from it that never were."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA quick_check(1)")
            found = str(cursor.fetchone()[0])
    except Error as error:
        found = str(error)
    if found != "ok":
        reason = found.replace("\n", " ")
        name = connection.settings_dict["NAME"]
        raise StartupError(f"the database {name} is damaged ({reason}): restore a copy, or move it away to start anew")


def check_secrets() -> None:
    """Refuse what stands in deploy/production.env.example in place of secrets: everybody can read it there."""
    for name in security.SECRETS:
        value = getattr(settings, name, None) or ()
        values = [value] if isinstance(value, str) else [str(each) for each in value]
        if any("dummy" in each or each.startswith("AAAAAAAAAAAAAAAA") for each in values):
            raise StartupError(f"{name} is the dummy of an example: put in a value of your own")


def check_settings() -> None:
    """Refuse what a system check calls an error; those of pages and administration, which load both, are left out."""
    for check in registry.get_checks():
        if {Tags.admin, Tags.urls}.isdisjoint(getattr(check, "tags", ())):
            for found in check(app_configs=None, databases=None):
                if found.is_serious() and not found.is_silenced():
                    raise StartupError(f"{found.msg} {found.hint or ''} ({found.id})")


def check_strategies() -> None:
    if env.words("STRATEGIES", ()):
        from trading.core import strategies  # seconds that those who keep the default need not wait

        try:
            strategies.load(settings.STRATEGIES)
        except strategies.StrategyError as error:
            raise StartupError(str(error)) from error


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


def create_operator() -> str | None:
    """Create the first account, where there is none, and return its password, which is kept nowhere."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = "-".join("".join(secrets.choice(_CLEAR_LETTERS) for _ in range(5)) for _ in range(4))
    users.create_superuser(OPERATOR, password=password).groups.add(*Group.objects.filter(name="admin"))
    return password


def origin(host: str) -> str:
    """Return what a browser calls these pages: the first allowed origin that is no pattern."""
    patterns = ("*", "//.")
    names = (name for name in settings.ALLOWED_ORIGINS if not any(pattern in name for pattern in patterns))
    return next(names, f"http://{host}:{settings.PORT}")
