"""Settings of the test run: the project's own, with everything that is kept in a temporary place.

Nothing here needs Redis or PostgreSQL: the channel layer is in memory and tasks run in the caller.
DATABASE_URL is honoured, so the same tests run on PostgreSQL where one is given.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_DATA_DIR = tempfile.mkdtemp(prefix="julaba-tests-")
atexit.register(shutil.rmtree, _DATA_DIR, ignore_errors=True)
os.environ["JULABA_DATA_DIR"] = _DATA_DIR
os.environ.setdefault("SECRET_KEY", "only-for-tests-0123456789-0123456789-0123456789-0123456789")
for _name in ("REDIS_URL", "PORT", "DEBUG", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "STRATEGIES"):
    os.environ.pop(_name, None)

from julaba_site.settings import *  # noqa: E402, F403

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
