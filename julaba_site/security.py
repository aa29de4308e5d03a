"""What the settings of security follow from: whether anybody but this machine reaches the pages, and what a page may load."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.conf import LazySettings

CONTENT: dict[str, list[str]] = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
    "frame-ancestors": ["'none'"],
}
"""A page loads our own files and nothing else, and carries no script of its own."""
SECRETS = (
    *("SECRET_KEY", "TELEGRAM_TOKEN", "TELEGRAM_PATH", "TELEGRAM_SECRET", "GEMINI_API_KEY", "REDIS_URL"),
    *("CREDENTIALS_KEYS", "BACKUP_KEYS", "BACKUP_SCRATCH_URL", "NOTIFY_URLS", "FALLBACK_URLS", "METRICS_TOKEN"),
)
"""Settings whose values may stand nowhere."""


def is_loopback(host: str) -> bool:
    """Return whether a name or address means this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_exposed(*, mode: str, hosts: Iterable[str]) -> bool:
    """Return whether this is more than a demo on somebody's own machine: real money, or a name that others reach."""
    return mode == "live" or not all(is_loopback(host) for host in hosts)


def secrets_of(settings: LazySettings) -> set[str]:
    """Return every secret that the settings hold, addresses with passwords included."""
    found: set[str] = set()
    for name in SECRETS:
        value = getattr(settings, name, None) or ()
        found |= {value} if isinstance(value, str) else {str(each) for each in value}
    password = settings.DATABASES["default"].get("PASSWORD")
    return {value for value in (*found, str(password or "")) if value and not value.startswith("unix://")}
