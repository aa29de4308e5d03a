"""What every test run shares: cases that are drawn are the same in each run, and a slow machine fails none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module

import pytest
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="module")
def roles_put_back(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the groups of the roles again after tests whose end empties every table, what migrations wrote included."""
    yield
    from django.apps import apps

    with django_db_blocker.unblock():
        import_module("dashboard.migrations.0002_roles").make(apps, None)


@pytest.fixture
def connection_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let channels leave the test's own connection open, as Django's test client does: in it lies the test's transaction."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
