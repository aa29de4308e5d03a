"""The site's own app: it carries the commands that start and look after the whole system, and the checks of the settings."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "julaba_site"

    def ready(self) -> None:
        from julaba_site import checks, redaction  # noqa: F401  # the checks register themselves

        redaction.begin()
