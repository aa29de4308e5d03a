"""Strict readers of environment variables; each secret may also come from a file named by NAME_FILE."""

from __future__ import annotations

import os
import re
import secrets
from decimal import Decimal
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str) -> str:
    """Return the variable, or the default where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={value!r} is neither on nor off: use 1 or 0")
    return value in _TRUE


def whole(name: str, default: int, *, low: int, high: int) -> int:
    value = text(name, str(default))
    if not value.isdecimal() or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {low} to {high}")
    return int(value)


def amount(name: str, default: str, *, low: str, high: str) -> Decimal:
    """Return a number with a point, such as 2.50."""
    value = text(name, default)
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", value) or not Decimal(low) <= Decimal(value) <= Decimal(high):
        raise ImproperlyConfigured(f"{name}={value!r} is not a number from {low} to {high}")
    return Decimal(value)


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices, in whichever case it was written."""
    value = text(name, default).upper()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(choices)}")
    return value


def words(name: str, default: tuple[str, ...]) -> list[str]:
    """Return a comma-separated list."""
    value = os.environ.get(name, "")
    return [word.strip() for word in value.split(",") if word.strip()] or list(default)


def secret(name: str) -> str | None:
    """Return the secret from NAME, else from the file that NAME_FILE names, else None."""
    if value := os.environ.get(name, "").strip():
        return value
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {error.strerror}") from error


def local_secret(path: Path) -> str:
    """Return the secret kept in `path`, made at random the first time, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(made := secrets.token_urlsafe(64))
    return made
