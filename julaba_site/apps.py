"""The site's own app: it carries the commands that start and look after the whole system, and the checks of the settings."""

from typing import Any

from django.apps import AppConfig, apps
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""Of settings.DATABASES, for processes that trade or show; a migration may take longer, and must not stop half-way."""


class SiteConfig(AppConfig):
    name = "julaba_site"

    def ready(self) -> None:
        # The checks register themselves, and tasks find their application. Programs without Django need neither.
        from julaba_site import celery, checks, redaction, web_role  # noqa: F401

        redaction.begin()
        pre_migrate.connect(_lift_limits)
        post_migrate.connect(_set_limits)
        # Once, when every table is there; it is not sent for an app without models, such as this one.
        post_migrate.connect(web_role.grant, sender=apps.get_app_config("dashboard"))


def _lift_limits(using: str, **_: Any) -> None:
    _each_limit(using, "SET {} = 0")


def _set_limits(using: str, **_: Any) -> None:
    _each_limit(using, "RESET {}")


def _each_limit(using: str, words: str) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            for name in LIMITS:
                cursor.execute(words.format(name))
