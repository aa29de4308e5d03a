"""From the settings to backups: where they go, which keys seal them, and where one is tried."""

from __future__ import annotations

from typing import Any

import dj_database_url
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from trading.services.backups import Place

SCRATCH_SUFFIX = "_scratch"


def place() -> Place:
    return Place(
        data_dir=settings.JULABA_DATA_DIR,
        folder=settings.BACKUP_DIR,
        keep=settings.BACKUP_KEEP,
        keys=settings.BACKUP_KEYS,
    )


def server() -> dict[str, Any] | None:
    """Return the PostgreSQL database of DATABASE_URL, None where the database is a file."""
    config: dict[str, Any] = settings.DATABASES["default"]
    return dict(config) if config["ENGINE"].endswith("postgresql") else None


def scratch_server() -> dict[str, Any] | None:
    """Return the database in which dumps are tried, None where none is named. Its name says that it may be emptied."""
    if not settings.BACKUP_SCRATCH_URL:
        return None
    config: dict[str, Any] = dict(dj_database_url.parse(settings.BACKUP_SCRATCH_URL))
    if not config["ENGINE"].endswith("postgresql") or not str(config["NAME"]).endswith(SCRATCH_SUFFIX):
        raise ImproperlyConfigured(
            f"BACKUP_SCRATCH_URL is emptied at each trial: name a PostgreSQL database that ends with {SCRATCH_SUFFIX}"
        )
    return config
