"""What the doctor looks at besides the venue: settings, secrets, database, Redis, disk, clock, messages, backups, versions."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import Error as DatabaseError
from django.db import connection
from django.utils.module_loading import import_string
from redis import Redis
from redis.exceptions import RedisError

from dashboard import health_more, health_views
from julaba_site import embedded, env
from notifications.ports import Refused, Unavailable
from trading import selectors
from trading.adapters import meters
from trading.services.doctor import Check

LEAST_DISK = 2 * 1024**3
BACKUP_AGE = timedelta(hours=12)
LEAST_TICKS, MOST_TAKEN = 50, 0.3
"""Of so many ticks, so many may find their slot taken; two beats send each slot twice, so it is half of them."""
POLICY = "noeviction"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TELEGRAM = "notifications.adapters.doors.telegram"
FIRST_TABLE = "trading_bot"


def examine(*, now: datetime) -> Iterator[Check]:
    """Yield every check, each with one sentence; one that cannot be made has failed."""
    for name, look in _LOOKS:
        try:
            text = look(now)
        except _Ill as ill:
            yield Check(name, False, str(ill))
        except DatabaseError as error:
            yield Check(name, False, f"the database did not answer ({_first_line(error)}): start it, or correct it")
        except (RedisError, OSError) as error:
            yield Check(name, False, f"it could not be looked at ({_first_line(error)}): mend that first")
        else:
            yield Check(name, True, text)


class _Ill(Exception):
    """What is wrong, and what to do about it."""


def _settings(now: datetime) -> str:
    # What only a browser of this machine can reach needs no https.
    is_open = settings.SESSION_COOKIE_SECURE or env.text("JULABA_HOST", "127.0.0.1") not in _LOOPBACK
    found = checks.run_checks(include_deployment_checks=is_open, databases=["default"])
    grave = [f"{one.id} {one.msg}" for one in found if one.is_serious()]
    if grave:
        raise _Ill(f"{grave[0]} ({len(grave)} in all): manage.py check --deploy lists them with what to do")
    mild = sorted({str(one.id) for one in found})
    return f"Warning: {', '.join(mild)}, see manage.py check --deploy" if mild else "every check of the settings passes"


def _secrets(now: datetime) -> str:
    if settings.DEBUG:
        raise _Ill("DEBUG shows the inside to everybody: unset it")
    open_to_others = [path for path in _secret_files() if path.stat().st_mode & 0o077]
    if open_to_others:
        raise _Ill(f"{open_to_others[0]} can be read by others: chmod 600 {open_to_others[0]}")
    missing = [] if settings.CREDENTIALS_KEYS else ["CREDENTIALS_KEYS"]
    if missing and settings.TRADING_MODE == "live":
        raise _Ill(f"{', '.join(missing)} is missing: set it, or its _FILE")
    sealed = "sealed" if settings.BACKUP_KEYS else "not sealed, set BACKUP_KEY"
    return f"none is a default and none can be read by others; backups are {sealed}"


def _secret_files() -> list[Path]:
    names = ("secret_key", "telegram_path", "telegram_secret", "keys/credentials")
    return [path for name in names if (path := settings.JULABA_DATA_DIR / name).exists()]


def _database(now: datetime) -> str:
    if FIRST_TABLE not in connection.introspection.table_names():
        raise _Ill("it is empty: run manage.py migrate")
    if missing := health_views.missing_migrations():
        raise _Ill(f"{len(missing)} migrations are missing, the first is {missing[0]}: run manage.py migrate")
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] == "off":
                raise _Ill("synchronous_commit is off, a power cut would lose permits: turn it on")
        return f"{connection.vendor} answers and is up to date"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(1)")
        if (said := str(cursor.fetchone()[0])) != "ok":
            raise _Ill(f"the file is damaged ({said.splitlines()[0]}): restore a backup")
    return "SQLite is sound and up to date"


def _rests() -> bool:
    """Return whether Julaba itself would start Redis, and is not running now: it is stopped for going live."""
    path = embedded.socket_path(settings.JULABA_DATA_DIR)
    return bool(embedded.redis_url(settings.JULABA_DATA_DIR) == settings.REDIS_URL) and not path.exists()


def _redis(now: datetime) -> str:
    if _rests():
        return "Julaba starts one of its own, which throws nothing away; it is stopped now"
    with Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3) as client:
        told: dict[str, str] = client.config_get("maxmemory-policy")
        policy = {str(key): str(value) for key, value in told.items()}.get("maxmemory-policy", "")
    if policy != POLICY:
        raise _Ill(f"its maxmemory-policy is {policy or 'unknown'}, which throws locks and tasks away: set {POLICY}")
    return f"answers, and throws nothing away ({POLICY})"


def _disk(now: datetime) -> str:
    for folder in (settings.JULABA_DATA_DIR, settings.BACKUP_DIR):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if (free := shutil.disk_usage(there).free) < LEAST_DISK:
            raise _Ill(f"{folder} has {free / 1024**3:.1f} GB left, 2 GB is the least: make room")
    return f"{shutil.disk_usage(settings.JULABA_DATA_DIR).free / 1024**3:.0f} GB are free"


def _clock(now: datetime) -> str:
    """Compare with Redis and, where it is a server, with the database: they may run elsewhere."""
    offsets = [text for name, state, text, *_ in health_more.clock() if state != "ok"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            before = datetime.now(tz=UTC)
            cursor.execute("SELECT clock_timestamp()")
            offset = abs(cursor.fetchone()[0] - before)
        if offset > timedelta(milliseconds=500):
            offsets.append(f"{offset / timedelta(milliseconds=1):.0f} ms from that of the database")
    if offsets:
        raise _Ill(f"our clock is {offsets[0]}: let every machine follow a time server (NTP)")
    if _rests():
        return "Julaba is stopped, and nothing else here has a clock" if connection.vendor == "sqlite" else "agrees"
    return "agrees with that of Redis" + (" and of the database" if connection.vendor == "postgresql" else "")


def _webhook(now: datetime) -> str:
    if not settings.TELEGRAM_TOKEN:
        return "there is no TELEGRAM_TOKEN, so nothing is sent to Telegram"
    if not settings.TELEGRAM_URL:
        raise _Ill("TELEGRAM_URL is missing: set the https address under which Telegram reaches these pages")
    bot: Any = import_string(_TELEGRAM)()
    try:
        info = bot.webhook()
    except (Refused, Unavailable) as error:
        raise _Ill(f"Telegram did not say ({error}): look at TELEGRAM_TOKEN and the network") from error
    if not str(info.get("url", "")).startswith(settings.TELEGRAM_URL.rstrip("/")):
        raise _Ill("Telegram posts elsewhere: run manage.py telegram set-webhook")
    if last := info.get("last_error_message"):
        raise _Ill(f"Telegram cannot reach it ({last}): look at the proxy and the certificate")
    return "Telegram posts to TELEGRAM_URL"


def _backup(now: datetime) -> str:
    keeping = selectors.keeping()
    if keeping.backup_at is None and selectors.bot() is None:
        return "there is no account yet that one could be made of"
    if keeping.backup_at is None:
        raise _Ill("there is none yet: run manage.py backup")
    if now - keeping.backup_at > BACKUP_AGE:
        raise _Ill(f"the last one is of {keeping.backup_at:%Y-%m-%d %H:%M} UTC: the journal says why")
    if keeping.trial is not None and not keeping.trial.passed:
        raise _Ill(f"the last trial restore failed ({keeping.trial.text}): make another backup and try it")
    tried = f"tried {keeping.trial.at:%Y-%m-%d %H:%M} UTC" if keeping.trial else "not tried yet"
    return f"the last one is of {keeping.backup_at:%Y-%m-%d %H:%M} UTC, {tried}"


def _beat(now: datetime) -> str:
    here = _beats_here()
    if len(here) > 1:
        raise _Ill(f"{len(here)} of them run here (processes {', '.join(map(str, here))}): stop all but one")
    if _rests():
        return "Julaba is stopped, so there is none"
    ticks = {dict(labels).get("outcome", ""): count for labels, count in _ticks().items()}
    total = sum(ticks.values())
    if total >= LEAST_TICKS and ticks.get("slot taken", 0.0) / total > MOST_TAKEN:
        raise _Ill(
            "many ticks find their slot taken, so another beat runs elsewhere: stop it; no slot runs twice meanwhile"
        )
    return "one runs here" if here else "none runs here now, and no other is seen"


def _ticks() -> dict[meters.Labels, float]:
    return meters.read(settings.REDIS_URL).get("julaba_ticks", {})


def _beats_here(processes: Path = Path("/proc")) -> list[int]:
    """Return the numbers of the beats that this user runs from our data directory."""
    ours, found = str(settings.JULABA_DATA_DIR), []
    for entry in processes.glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended, or is somebody else's
        # As we start it, and as somebody may by hand.
        by_hand = "beat" in words and "celery" in words and any("julaba_site" in word for word in words)
        if by_hand or words[1:3] == ["-m", "julaba_site.beat"]:
            named = next((v.partition("=")[2] for v in variables if v.startswith("JULABA_DATA_DIR=")), "")
            if str(Path(named or settings.BASE_DIR / "var").resolve()) == ours:
                found.append(int(entry.name))
    return sorted(found)


def _versions(now: datetime) -> str:
    wrong = [
        f"{name} {is_} (wanted {wanted})" for name, is_, wanted in _differing(settings.BASE_DIR / "requirements.txt")
    ]
    if wrong:
        raise _Ill(f"{len(wrong)} packages differ from requirements.txt, such as {wrong[0]}: install it anew")
    return f"Julaba {settings.CODE_VERSION}, Python {sys.version.split()[0]}, every package as in requirements.txt"


def _differing(requirements: Path) -> Iterator[tuple[str, str, str]]:
    if not requirements.exists():
        return
    for line in requirements.read_text(encoding="utf-8").splitlines():
        found = re.match(r"([A-Za-z0-9_.-]+(?:\[[^\]]*\])?)==([^\s;]+)\s*(;)?", line)
        if found and not found[3]:
            name = found[1].partition("[")[0]
            try:
                installed = metadata.version(name)
            except metadata.PackageNotFoundError:
                installed = "missing"
            if installed != found[2]:
                yield name, installed, found[2]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


_LOOKS: tuple[tuple[str, Callable[[datetime], str]], ...] = (
    ("settings", _settings),
    ("secrets", _secrets),
    ("database_server", _database),
    ("redis", _redis),
    ("disk", _disk),
    ("machine_clock", _clock),
    ("webhook", _webhook),
    ("backup", _backup),
    ("single_beat", _beat),
    ("versions", _versions),
)
