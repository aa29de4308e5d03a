"""Settings of torture's processes: the project's own, on the database and the directory that the harness names."""

from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-0123456789-0123456789-0123456789-0123456789")

from julaba_site.settings import *  # noqa: F403

EVENT_LISTENERS = []
LOGGING = {**LOGGING, "root": {"handlers": ["stderr"], "level": "WARNING"}}  # noqa: F405
