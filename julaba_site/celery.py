"""The Celery application; queues, routes, schedule and limits are in settings."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, worker_before_create_process

from julaba_site import (
    life_sign,
    task_life,  # noqa: F401 - it listens to every task
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")

app = Celery("julaba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_postrun.connect
def _show_life(**_: Any) -> None:
    life_sign.touch()


@worker_before_create_process.connect
def _share_memory(**_: Any) -> None:
    """Keep the collector's marks off what was loaded so far: the processes go on sharing it (half of their memory)."""
    gc.collect()
    gc.freeze()
