"""The Celery application; queues, routes, schedule and limits are in settings."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")

app = Celery("julaba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
