"""Django configuration of the dashboard app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They listen to log-ins and log-outs from here on.
        from dashboard import login_audit, sessions, twofactor  # noqa: F401
