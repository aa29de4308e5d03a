"""System checks of the settings that security rests on, each with an id and a sentence on what to do.

Those of `check --deploy` look at what a server needs that others reach; the rest is checked at every start.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from julaba_site import security

MIDDLEWARE = (
    *("dashboard.middleware.RequestContext", "dashboard.middleware.SecurityHeaders", "csp.middleware.CSPMiddleware"),
    *("django.contrib.auth.middleware.LoginRequiredMiddleware", "django_otp.middleware.OTPMiddleware"),
    *("axes.middleware.AxesMiddleware", "dashboard.middleware.Access"),
)
PASSWORD_RULES = {
    *("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator"),
    *("UserAttributeSimilarityValidator", "Bounds"),
}
OUTSIDE = ("dashboard.middleware.SecurityHeaders", "csp.middleware.CSPMiddleware")
"""Around whatever answers files, so that files carry the headers too."""
DAY_S, MEGABYTE = 24 * 3600, 1024 * 1024
FILES = "whitenoise.middleware.WhiteNoiseMiddleware"


@register(Tags.security)
def check_hosts(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if any(host == "*" or host.startswith(".") for host in settings.ALLOWED_HOSTS):
        yield Error("ALLOWED_HOSTS takes more than exact names.", hint="Name each host.", id="julaba.E001")
    if any("*" in origin for origin in settings.ALLOWED_ORIGINS):
        yield Error("ALLOWED_ORIGINS takes more than exact origins.", hint="Name each origin.", id="julaba.E002")


@register(Tags.security)
def check_middleware(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    for name in MIDDLEWARE:
        if name not in settings.MIDDLEWARE:
            yield Error(f"{name} is missing in MIDDLEWARE.", hint="Put it back.", id="julaba.E003")
    places = {name: place for place, name in enumerate(settings.MIDDLEWARE)}
    for name in OUTSIDE:
        if places.get(name, -1) > places.get(FILES, len(places)):
            yield Error(f"{name} stands behind what answers files.", hint="Put it before.", id="julaba.E003")


@register(Tags.security)
def check_content(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """The policy may only be stricter than ours."""
    whole: dict[str, Any] = getattr(settings, "CONTENT_SECURITY_POLICY", None) or {}
    policy = whole.get("DIRECTIVES", {})
    for name, allowed in security.CONTENT.items():
        found = policy.get(name)
        if not found or not set(found) <= {*allowed, "'none'"}:
            yield Error(f"The policy of contents is loose at {name}.", hint="Use ours.", id="julaba.E004")


@register(Tags.security)
def check_log_in(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    backends: list[str] = list(settings.AUTHENTICATION_BACKENDS)
    if not backends or "axes" not in backends[0]:
        yield Error("Nobody who guesses passwords is locked out.", hint="Put axes first.", id="julaba.E005")
    if settings.AXES_HANDLER != "dashboard.lockout.Handler" or not getattr(settings, "AXES_ENABLED", True):
        yield Error("Tries to log in are not counted.", hint="Use dashboard.lockout.Handler.", id="julaba.E005")
    names = {validator["NAME"].rpartition(".")[2] for validator in settings.AUTH_PASSWORD_VALIDATORS}
    if not names >= PASSWORD_RULES:
        yield Error("A rule for passwords is missing.", hint="Put it back.", id="julaba.E006")


@register(Tags.security)
def check_sizes(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    size, fields = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    is_bounded = size and size <= MEGABYTE and fields and fields <= 1000 and settings.MOST_BODY <= MEGABYTE
    if not is_bounded:
        yield Error(
            "Requests may be too large.", hint="Allow 256 KB and 400 fields, bodies of 512 KB.", id="julaba.E007"
        )


@register(Tags.security)
def check_api(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    api: dict[str, Any] = settings.REST_FRAMEWORK
    if not any(str(name).endswith(".IsAuthenticated") for name in api.get("DEFAULT_PERMISSION_CLASSES", ())):
        hint = "Put IsAuthenticated into DEFAULT_PERMISSION_CLASSES."
        yield Error("The API answers strangers wherever a view does not say whom.", hint=hint, id="julaba.E009")
    if any(
        str(name).endswith(".BasicAuthentication")
        for name in api.get("DEFAULT_AUTHENTICATION_CLASSES", [".BasicAuthentication"])
    ):
        yield Error("The API takes passwords with each request.", hint="Use tokens and sessions.", id="julaba.E009")


@register(Tags.security)
def check_proxies(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if settings.USE_X_FORWARDED_HOST or settings.USE_X_FORWARDED_PORT or settings.SECURE_PROXY_SSL_HEADER:
        hint = "Unset it: TRUSTED_PROXIES names whose headers are believed."
        yield Error("Headers that anybody can send are believed.", hint=hint, id="julaba.E008")
    if "*" in settings.TRUSTED_PROXIES:
        hint = "Name the proxy's address."
        yield Error("TRUSTED_PROXIES trusts everybody.", hint=hint, id="julaba.E008")


@register(Tags.security, deploy=True)
def check_production(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """What a server needs that others reach, beyond what Django's own checks ask."""
    if settings.DEBUG:
        yield Error("DEBUG shows what happened inside to everybody.", hint="Unset DEBUG.", id="julaba.E010")
    if not settings.HTTPS or not settings.SESSION_COOKIE_NAME.startswith("__Host-"):
        yield Error("Passwords and sessions travel in the open.", hint="Set HTTPS=1.", id="julaba.E011")
    if not settings.REQUIRE_TOTP:
        yield Error("The administration asks for no second step.", hint="Set REQUIRE_TOTP=1.", id="julaba.E012")
    if settings.SESSION_IDLE_MINUTES > 60 or max(settings.SESSION_HOURS * 3600, settings.SESSION_COOKIE_AGE) > DAY_S:
        hint = "Set SESSION_IDLE_MINUTES to at most 60 and SESSION_HOURS to at most 24."
        yield checks.Warning("Sessions last long.", hint=hint, id="julaba.W013")
    if not all(origin.startswith("https://") for origin in settings.ALLOWED_ORIGINS):
        hint = "Set ALLOWED_ORIGINS to the https addresses of the pages."
        yield Error("Sockets may be opened from pages without https.", hint=hint, id="julaba.E014")
    if not settings.TRUSTED_PROXIES:
        hint = "Set TRUSTED_PROXIES to the proxy's address, such as 127.0.0.1."
        yield checks.Warning(
            "Everybody seems to come from the proxy, and is locked out together.", hint=hint, id="julaba.W015"
        )
    if not str(settings.PASSWORD_HASHERS[0]).endswith("Argon2PasswordHasher"):
        yield Error("Passwords are not hashed by argon2.", hint="Put it first.", id="julaba.E016")


@register(Tags.security, deploy=True)
def check_endpoints(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    for name in ("EXCHANGE_ENDPOINT", "TELEGRAM_ENDPOINT", "GEMINI_ENDPOINT"):
        url = urlsplit(getattr(settings, name, "") or "")
        if url.netloc and (url.scheme != "https" or security.is_loopback(url.hostname or "")):
            hint = "Unset it: it is for tests."
            yield Error(f"{name} leads past the real service.", hint=hint, id="julaba.E019")


@register(Tags.security, deploy=True)
def check_files(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    folder = Path(settings.JULABA_DATA_DIR)
    for path in (folder / "secret_key", folder / "credentials_key", folder / "telegram_secret"):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            hint = f"chmod 600 {path.name} in the data directory."
            yield Error(f"Others can read {path.name}.", hint=hint, id="julaba.E018")
