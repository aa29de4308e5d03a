"""The site's own app: it carries the commands that start and look after the whole system, and the checks of the settings."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "julaba_site"

    def ready(self) -> None:
        # The checks register themselves, and tasks find their application. Programs without Django need neither.
        from julaba_site import celery, checks, redaction  # noqa: F401

        redaction.begin()
