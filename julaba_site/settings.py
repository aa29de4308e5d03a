"""Django settings by section; every value an operator may set is read through julaba_site.env.

Nothing needs to be set: unset, Julaba trades paper money on its simulated market with SQLite and a Redis
of its own. `.env.example` lists the variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from julaba_site import compiled, credentials_key, embedded, env, logging_setup, schedule, security

BASE_DIR = Path(__file__).resolve().parent.parent
JULABA_DATA_DIR = Path(env.text("JULABA_DATA_DIR", str(BASE_DIR / "var"))).resolve()
compiled.keep(code=BASE_DIR / "trading" / "core", data=JULABA_DATA_DIR)
PORT = env.whole("PORT", 8000, low=1, high=65535)
CODE_VERSION = "0.1.0"

# --- Security -----------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY") or env.local_secret(JULABA_DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
ALLOWED_ORIGINS = env.words("ALLOWED_ORIGINS", tuple(f"http://{host}:{PORT}" for host in ALLOWED_HOSTS))
"""Scheme, host and port of every page that may open a socket; anything else is refused before it is accepted."""
ALLOWED_HOSTS = [*dict.fromkeys((*ALLOWED_HOSTS, "127.0.0.1"))]
"""Prometheus and health checks ask this machine by its address, past the proxy."""
CSRF_TRUSTED_ORIGINS = [origin for origin in ALLOWED_ORIGINS if origin.startswith("https://")]
HTTPS = env.flag("HTTPS", default=False)
"""Browsers reach the pages by https alone, through a proxy that TRUSTED_PROXIES names."""
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", ())
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (f"{'__Host-' if HTTPS else ''}{name}" for name in ("sessionid", "csrftoken"))
SESSION_HOURS = env.whole("SESSION_HOURS", 12, low=1, high=168)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|health|metrics)/?$"]
"""Asked on this machine, past the proxy."""
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {"DIRECTIVES": security.CONTENT}
CSRF_FAILURE_VIEW = "dashboard.views.errors.no_csrf"
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
MOST_BODY = 512 * 1024
"""Bytes of any request that are taken in at all; nothing is uploaded here."""
DATA_UPLOAD_MAX_NUMBER_FIELDS, DATA_UPLOAD_MAX_NUMBER_FILES = 400, 5
"""The form of the parameters has some two hundred fields."""
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "dashboard.passwords.Bounds"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER, AXES_LOCKOUT_CALLABLE = "dashboard.lockout.Handler", "dashboard.lockout.response"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = AXES_VERBOSE = AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True
OTP_TOTP_ISSUER = "Julaba"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

CREDENTIALS_KEYS = credentials_key.keys(JULABA_DATA_DIR)
"""What seals the exchange keys, newest first; none in the web process."""

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
    "axes",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "trading.apps.TradingConfig",
    "mlops.apps.MlopsConfig",
    "notifications.apps.NotificationsConfig",
    "dashboard.apps.DashboardConfig",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    # Not the innermost: what is innermost settles how often a request changes threads.
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "dashboard.middleware.RequestContext",
    "dashboard.middleware.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "dashboard.middleware.Access",
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

# --- Mode and venue -----------------------------------------------------------------------------------
TRADING_MODE = env.choice("TRADING_MODE", "PAPER", ("PAPER", "LIVE")).lower()
EXCHANGE = env.text("EXCHANGE", "simulated").lower()
"""Whose prices and, live, whose orders: simulated, or an exchange as ccxt names it."""
EXCHANGE_KIND = env.choice("EXCHANGE_KIND", "SPOT", ("SPOT", "SWAP")).lower()
EXCHANGE_SANDBOX = env.flag("EXCHANGE_SANDBOX", default=False)
EXCHANGE_ENDPOINT = env.text("EXCHANGE_ENDPOINT", "")
LOCAL_PROTECTION = env.text("LOCAL_PROTECTION", "")
LIVE_ON_SQLITE = env.text("LIVE_ON_SQLITE", "")
if not EXCHANGE.isidentifier():
    raise ImproperlyConfigured(f"EXCHANGE={EXCHANGE!r} is no name of an exchange: use one of ccxt's, such as binance")
if TRADING_MODE == "live" and EXCHANGE == "simulated":
    raise ImproperlyConfigured("TRADING_MODE=live needs a real venue: set EXCHANGE, such as EXCHANGE=binance")
if TRADING_MODE == "live" and EXCHANGE_SANDBOX:
    raise ImproperlyConfigured("TRADING_MODE=live is for real money: unset EXCHANGE_SANDBOX, or set TRADING_MODE=paper")

# --- Who must prove more ------------------------------------------------------------------------------
EXPOSED = security.is_exposed(mode=TRADING_MODE, hosts=[*ALLOWED_HOSTS, env.text("JULABA_HOST", "127.0.0.1")])
"""More than a demo on somebody's own machine: others reach the pages, or the money is real."""
REQUIRE_TOTP = env.flag("REQUIRE_TOTP", default=EXPOSED)
"""The administration and going live ask for a code of an authenticator."""
SECOND_PERSON = env.flag("SECOND_PERSON", default=False)
"""What loosens is done once another person has consented; trading/services/consents.py says what that is."""
SESSION_IDLE_MINUTES = env.whole(
    "SESSION_IDLE_MINUTES", 30 if EXPOSED else SESSION_HOURS * 60, low=5, high=SESSION_HOURS * 60
)
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dashboard.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "dashboard.api.schema.Describe",
    "NUM_PROXIES": 0,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Julaba",
    "DESCRIPTION": "Everything that the pages show and do. Decimals are strings, moments are ISO 8601 in UTC.",
    "VERSION": CODE_VERSION,
    "SERVE_PUBLIC": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": ["dashboard.api.documents.complete"],
}

# --- Database -----------------------------------------------------------------------------------------
ATOMIC_REQUESTS = False
SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE: a transaction that reads before it writes would otherwise fail when another one writes between.
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}
# An account belongs to one mode and one venue for good, so each has a file of its own.
SQLITE_NAME = "julaba.sqlite3" if EXCHANGE == "simulated" else f"julaba-{TRADING_MODE}-{EXCHANGE}.sqlite3"
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        env.secret("DATABASE_URL") or f"sqlite:///{JULABA_DATA_DIR / SQLITE_NAME}",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
WEB_CONNECTIONS = env.whole("WEB_CONNECTIONS", 8, low=2, high=100)
"""So many requests the web process answers at once, each in a thread with a connection."""
_IS_WEB = env.text("JULABA_ROLE", "").lower() == "web"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
    if not _IS_WEB:
        # Kept, it saves a process with one thread nothing, and holds the write-ahead log open.
        DATABASES["default"]["CONN_MAX_AGE"] = 0
else:
    # A process that is paused in the middle of a transaction must not keep the others from taking over.
    _LIMITS = {"lock_timeout": 5_000, "idle_in_transaction_session_timeout": 2_500, "statement_timeout": 30_000}
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = " ".join(
        f"-c {name}={milliseconds}" for name, milliseconds in _LIMITS.items()
    )
    if _IS_WEB:
        # All of its threads together get so many connections and wait for them, so that however many pages are asked
        # for, the server has one for the tick.
        DATABASES["default"]["CONN_MAX_AGE"] = 0
        DATABASES["default"]["OPTIONS"]["pool"] = {
            "min_size": 1, "max_size": WEB_CONNECTIONS, "timeout": 5, "max_waiting": 200,
        }  # fmt: skip

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
CELERY_TASK_QUEUES = schedule.QUEUES
CELERY_TASK_ROUTES = schedule.ROUTES
CELERY_TASK_ANNOTATIONS = schedule.LIMITS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
TICK_SECONDS = 2
SCAN_SECONDS = env.whole("SCAN_SECONDS", 300, low=60, high=86_400)
"""So often the pairs are scanned."""
CELERY_BEAT_SCHEDULE = schedule.beat(
    tick_s=TICK_SECONDS,
    scan_s=SCAN_SECONDS,
    propose_s=env.whole("GEMINI_SCAN_SECONDS", 60, low=30, high=3600),
)
CELERY_BEAT_SCHEDULE_FILENAME = str(JULABA_DATA_DIR / "run" / "beat-schedule")

# --- Wiring: what trading asks for by dotted path -----------------------------------------------------
SIMULATION_SEED = env.whole("SIMULATION_SEED", 7, low=0, high=2**31 - 1)
PAPER_BALANCE = env.whole("PAPER_BALANCE", 10_000, low=10, high=10**12)
MARKET_DATA = "trading.adapters." + (
    "simulated_market.SimulatedMarket" if EXCHANGE == "simulated" else "ccxt_market.CcxtMarket"
)
CANDLE_KEEP_DAYS = env.whole("CANDLE_KEEP_DAYS", 1100, low=0, high=36_500)
"""So long the venue's own candles are kept, in whole months; 0 keeps them for ever."""
BROKER = "trading.adapters." + ("ccxt_broker.CcxtBroker" if TRADING_MODE == "live" else "paper_broker.PaperBroker")
STRATEGIES = env.words("STRATEGIES", ("trading.core.strategies.TrendCross", "trading.core.strategies.BandReversion"))
HEAVY_PLACES = env.whole("HEAVY_PLACES", 1, low=1, high=256)
"""So many runs of research and trainings one machine does at once."""
GATE_BARS = env.whole("GATE_BARS", 20_000, low=1_000, high=1_000_000)
"""So many of the newest bars of each symbol new parameters are compared on with those in force."""
GATE_TRADES = env.whole("GATE_TRADES", 10, low=1, high=10_000)
"""Fewer closed trades on either side prove nothing."""
GATE_PROFIT_FACTOR_HUNDREDTHS = env.whole("GATE_PROFIT_FACTOR_HUNDREDTHS", 5, low=0, high=1_000)
GATE_SHARPE_HUNDREDTHS = env.whole("GATE_SHARPE_HUNDREDTHS", 10, low=0, high=1_000)
GATE_DRAWDOWN_PERCENT = env.whole("GATE_DRAWDOWN_PERCENT", 1, low=0, high=100)
"""How much worse than those in force new parameters may be."""
TRAIN_HOURS = env.whole("TRAIN_HOURS", 24, low=1, high=8_760)
"""So many hours after its last training a model is trained again,"""
TRAIN_SAMPLES = env.whole("TRAIN_SAMPLES", 200, low=10, high=100_000)
"""or when so many trades and refused setups have ended since."""
BYPASS_DECISIONS = env.whole("BYPASS_DECISIONS", 100, low=20, high=5_000)
"""So many of its newest decisions an adviser is judged on; it counts for nothing while they did harm."""
EXAMINATION = "julaba_site.examination.examine"
"""What manage.py doctor looks at besides the venue."""
LIFE_SIGN = "julaba_site.life_sign.show"
"""What the stream calls while its loop turns."""
EVENT_LISTENERS = [
    "dashboard.push.announce",
    "notifications.listener.hear",
    "mlops.listener.hear",
    "trading.urging.hear",
]
ADVISERS = env.words(
    "ADVISERS",
    ("mlops.predictor.Predictor", "mlops.regime_classifier.RegimeClassifier", "mlops.adviser.choose"),
)
"""Who is asked about setups that passed everything else, in order; each by a path that makes one."""
DEMO_ADVISERS = ["mlops.predictor.Predictor", "mlops.regime_classifier.RegimeClassifier", "mlops.rules.Rules"]
"""Who is asked while the simulated past is replayed: only such as answer at once."""
ADVICE_BYPASS = "mlops.bypass.bypassed"
"""Returns the advisers whose opinion counts for nothing at present."""

# --- Backups ------------------------------------------------------------------------------------------
BACKUP_DIR = Path(env.text("BACKUP_DIR", str(JULABA_DATA_DIR / "backups"))).resolve()
BACKUP_KEEP = env.whole("BACKUP_KEEP", 30, low=1, high=10_000)
BACKUP_KEYS = credentials_key.parsed("BACKUP_KEY", env.secret("BACKUP_KEY") or "")
"""What seals backups, newest first; none: they are not sealed."""
BACKUP_SCRATCH_URL = env.secret("BACKUP_SCRATCH_URL") or ""

# --- Messages -----------------------------------------------------------------------------------------
TELEGRAM_TOKEN = env.secret("TELEGRAM_TOKEN") or ""
"""Of the bot; without one there is no webhook and nothing is sent to Telegram."""
TELEGRAM_PATH = env.secret("TELEGRAM_PATH") or (
    env.local_secret(JULABA_DATA_DIR / "telegram_path") if TELEGRAM_TOKEN else ""
)
TELEGRAM_SECRET = env.secret("TELEGRAM_SECRET") or (
    env.local_secret(JULABA_DATA_DIR / "telegram_secret") if TELEGRAM_TOKEN else ""
)
TELEGRAM_URL = env.text("TELEGRAM_URL", "")
TELEGRAM_ENDPOINT = env.text("TELEGRAM_ENDPOINT", "")
NOTIFY_URLS = (env.secret("NOTIFY_URLS") or "").split()
FALLBACK_URLS = (env.secret("FALLBACK_URLS") or "").split()
PRIVATE_ADDRESSES = env.words("PRIVATE_ADDRESSES", ())
"""Hosts of this machine or its network that messages may be sent to; no others are reached."""

# --- Gemini -------------------------------------------------------------------------------------------
GEMINI_API_KEY = env.secret("GEMINI_API_KEY") or ""
"""Without one the rules answer, and nothing is sent anywhere."""
ADVICE_SWITCH = "mlops.gemini.switching.approves" if GEMINI_API_KEY else ""
"""Who is asked before one watched pair replaces another; nobody where this is empty."""
GEMINI_SDK = env.choice("GEMINI_SDK", "GENERATIVEAI", ("GENERATIVEAI", "GENAI")).lower()
GEMINI_MODEL = env.text("GEMINI_MODEL", "gemini-3.5-flash-lite")
GEMINI_ENDPOINT = env.text("GEMINI_ENDPOINT", "")
GEMINI_TOKENS_PER_DAY = env.whole("GEMINI_TOKENS_PER_DAY", 2_000_000, low=0, high=10**12)
GEMINI_USD_PER_DAY = env.amount("GEMINI_USD_PER_DAY", "1.00", low="0", high="100000")
GEMINI_USD_PER_MILLION_IN = env.amount("GEMINI_USD_PER_MILLION_IN", "0.30", low="0", high="10000")
GEMINI_USD_PER_MILLION_OUT = env.amount("GEMINI_USD_PER_MILLION_OUT", "2.50", low="0", high="10000")
GEMINI_COMMENTARY_MINUTES = env.whole("GEMINI_COMMENTARY_MINUTES", 60, low=0, high=1440)
"""So often the market is commented on; 0: only when somebody asks."""
ASSISTANT = "mlops.assistant.Assistant"
"""Who answers questions in words, for the messages; see notifications.ports.Assistant."""
ANSWER_LISTENER = "notifications.services.answers.hear"
"""Told of an answer that came later, with where it was asked."""
ADDER = "dashboard.results.Adder"
"""Who adds up all closed trades, for messages and explanations as for the pages; see trading.selectors.Adder."""
LOG_READER = "dashboard.logs.newest"
"""Who reads the log, for the messages; see notifications.ports.LogReader."""
REPORTER = "mlops.reporter.Reporter"
"""Who tells of scorecards and models, for the messages; see notifications.ports.Reporter."""

# --- Metrics ------------------------------------------------------------------------------------------
METRICS_TOKEN = env.secret("METRICS_TOKEN") or ""
"""Opens /metrics and the reasons of /health; without one, /metrics answers this very machine alone."""
PROMETHEUS_EXPORT_MIGRATIONS = False

# --- Logging ------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", "TEXT", ("TEXT", "JSON")).lower()
LOG_DIR = env.text("LOG_DIR", "")
"""Where each kind of process writes a file of its own besides; for systems without `manage.py up`, whose log holds all."""
LOGGING = logging_setup.config(
    level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    log_format=LOG_FORMAT,
    folder=LOG_DIR,
    name=env.text("LOG_NAME", "julaba"),
)
