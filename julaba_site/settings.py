"""Django settings by section; every value an operator may set is read through julaba_site.env.

Nothing needs to be set: unset, Julaba trades paper money on its simulated market with SQLite and a Redis
of its own. `.env.example` lists the variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

from julaba_site import embedded, env

BASE_DIR = Path(__file__).resolve().parent.parent
JULABA_DATA_DIR = Path(env.text("JULABA_DATA_DIR", str(BASE_DIR / "var"))).resolve()
PORT = env.whole("PORT", 8000, low=1, high=65535)
CODE_VERSION = "0.1.0"

# --- Security -----------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY") or env.local_secret(JULABA_DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
ALLOWED_ORIGINS = env.words("ALLOWED_ORIGINS", tuple(f"http://{host}:{PORT}" for host in ALLOWED_HOSTS))
"""Scheme, host and port of every page that may open a socket; anything else is refused before it is accepted."""
CSRF_TRUSTED_ORIGINS = [origin for origin in ALLOWED_ORIGINS if origin.startswith("https://")]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.flag("HTTPS", default=False)
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

# --- Application --------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "julaba_site.apps.SiteConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "trading.apps.TradingConfig",
    "mlops.apps.MlopsConfig",
    "notifications.apps.NotificationsConfig",
    "dashboard.apps.DashboardConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "julaba_site.urls"
ASGI_APPLICATION = "julaba_site.asgi.application"
WSGI_APPLICATION = "julaba_site.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboard.vendored.PackageFinder",
]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database -----------------------------------------------------------------------------------------
ATOMIC_REQUESTS = False
SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE: a transaction that reads before it writes would otherwise fail when another one writes between.
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}
DATABASES: dict[str, Any] = {
    "default": dj_database_url.config(
        default=f"sqlite:///{JULABA_DATA_DIR / 'julaba.sqlite3'}", conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
    # A kept SQLite connection saves nothing, and one per thread holds the write-ahead log open.
    DATABASES["default"]["CONN_MAX_AGE"] = 0

# --- Redis, Celery, Channels --------------------------------------------------------------------------
REDIS_URL = env.secret("REDIS_URL") or embedded.redis_url(JULABA_DATA_DIR)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "julaba"},
    }
}
CELERY_BROKER_URL = embedded.broker_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 3}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_QUEUES: dict[str, Any] = {"trading": {}, "work": {}}
CELERY_TASK_ROUTES = {"trading.tasks.tick": {"queue": "trading"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
TICK_SECONDS = 5
SCAN_SECONDS = 300
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # A hint that came too late is worth nothing: each expires before its successor.
    "tick": {"task": "trading.tasks.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS * 0.9}},
    "scan": {"task": "trading.tasks.scan", "schedule": SCAN_SECONDS, "options": {"expires": SCAN_SECONDS * 0.9}},
    "prune": {"task": "trading.tasks.prune", "schedule": 3600, "options": {"expires": 3000}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(JULABA_DATA_DIR / "run" / "beat-schedule")

# --- Wiring: what trading asks for by dotted path -----------------------------------------------------
SIMULATION_SEED = env.whole("SIMULATION_SEED", 7, low=0, high=2**31 - 1)
PAPER_BALANCE = env.whole("PAPER_BALANCE", 10_000, low=10, high=10**12)
MARKET_DATA = "trading.adapters.simulated_market.SimulatedMarket"
BROKER = "trading.adapters.paper_broker.PaperBroker"
STRATEGIES = env.words("STRATEGIES", ("trading.core.strategies.TrendCross", "trading.core.strategies.BandReversion"))
EVENT_LISTENERS = ["dashboard.push.announce"]

# --- Logging ------------------------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # In an outage it logs a traceback a second; dashboard.hub says once that Redis does not answer.
    "loggers": {"channels_redis.pubsub": {"level": "CRITICAL"}},
    "root": {"handlers": ["stderr"], "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))},
}
