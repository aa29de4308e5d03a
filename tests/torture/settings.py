"""Settings of torture's processes: the project's own, on the database and the directory that the harness names."""

from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-0123456789-0123456789-0123456789-0123456789")

from julaba_site.settings import *  # noqa: F403

EVENT_LISTENERS = []
LOGGING = {**LOGGING, "root": {"handlers": ["stderr"], "level": "WARNING"}}  # noqa: F405
# Two beats send each hint twice; of three workers that take turns, one holds the lease.
CELERY_BEAT_SCHEDULE = {"tick": {"task": "trading.tasks.tick", "schedule": 0.4, "options": {"expires": 1.0}}}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
