"""The composition root: settings, wiring of processes, and nothing that others import."""

from julaba_site.celery import app as celery_app

__all__ = ["celery_app"]
