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
os.environ["PRIVATE_ADDRESSES"] = "127.0.0.1"  # the doubles of Telegram and of webhooks answer there
os.environ.setdefault("SECRET_KEY", "only-for-tests-0123456789-0123456789-0123456789-0123456789")
for _name in (
    "TRADING_MODE",
    "CREDENTIALS_KEYS",
    "CREDENTIALS_KEYS_FILE",
    "JULABA_ROLE",
    "LOCAL_PROTECTION",
    "LIVE_ON_SQLITE",
    "EXCHANGE",
    "EXCHANGE_KIND",
    "EXCHANGE_SANDBOX",
    "EXCHANGE_ENDPOINT",
    "REDIS_URL",
    "PORT",
    "DEBUG",
    "ALLOWED_HOSTS",
    "ALLOWED_ORIGINS",
    "STRATEGIES",
    "ADVISERS",
    "TELEGRAM_TOKEN",
    "TELEGRAM_PATH",
    "TELEGRAM_SECRET",
    "TELEGRAM_URL",
    "TELEGRAM_ENDPOINT",
    "NOTIFY_URLS",
    "FALLBACK_URLS",
    "HTTPS",
    "JULABA_HOST",
    "TRUSTED_PROXIES",
    "REQUIRE_TOTP",
    "SECOND_PERSON",
    "SESSION_HOURS",
    "SESSION_IDLE_MINUTES",
    "GEMINI_API_KEY",
    "GEMINI_API_KEY_FILE",
    "GEMINI_SDK",
    "GEMINI_MODEL",
    "GEMINI_ENDPOINT",
):
    os.environ.pop(_name, None)

from julaba_site.settings import *  # noqa: E402, F403
from julaba_site.settings import DATABASES  # noqa: E402

if "options" in DATABASES["default"].get("OPTIONS", {}):
    # A test stands in one transaction from its begin to its end, however long it compiles, trains or waits in between.
    DATABASES["default"]["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=0"

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Its tick would run in the caller, who halts.
EVENT_LISTENERS = [path for path in EVENT_LISTENERS if path != "trading.urging.hear"]  # noqa: F405
