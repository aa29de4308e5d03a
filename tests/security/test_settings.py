"""The settings that security rests on: the example of production passes every check, and each that is loosened is found by its id."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from pytest_django import Settings

from julaba_site import env, security, startup
from julaba_site import settings as product

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "production.env.example"
ASKED = (
    *("HTTPS", "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "EXPOSED"),
    *("REQUIRE_TOTP", "SESSION_IDLE_MINUTES", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "TRUSTED_PROXIES", "DEBUG"),
    *("ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "ALLOWED_HOSTS"),
)


def example() -> dict[str, str]:
    lines = (line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def manage(tmp_path: Path, values: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **values, "JULABA_DATA_DIR": str(tmp_path), "BACKUP_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)


def ids(messages: list[checks.CheckMessage]) -> set[str]:
    return {str(message.id) for message in messages}


def test_the_example_of_production_passes_every_check(tmp_path: Path) -> None:
    told = "import json; from django.conf import settings; from django.core.management import call_command; "
    told += "call_command('check', deploy=True, fail_level='WARNING'); "
    told += f"print(json.dumps({{name: getattr(settings, name) for name in {ASKED!r}}}))"

    done = manage(tmp_path, example(), "shell", "-v0", "-c", told)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "HTTPS": True,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "EXPOSED": True,
        "REQUIRE_TOTP": True,
        "SESSION_IDLE_MINUTES": 30,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_SSL_REDIRECT": True,
        "TRUSTED_PROXIES": ["127.0.0.1"],
        "DEBUG": False,
        "ALLOWED_ORIGINS": ["https://julaba.example"],
        "CSRF_TRUSTED_ORIGINS": ["https://julaba.example"],
        # Prometheus and the health checks of containers ask for the machine itself, not for its name.
        "ALLOWED_HOSTS": ["julaba.example", "127.0.0.1"],
    }


def test_where_others_reach_the_pages_a_second_step_needs_no_setting(tmp_path: Path) -> None:
    values = {name: value for name, value in example().items() if name != "REQUIRE_TOTP"}

    done = manage(tmp_path, values, "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr


def test_the_example_names_only_what_can_be_set_and_holds_no_secret() -> None:
    known = set(re.findall(r"^#?([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert set(example()) <= known
    for name, value in example().items():
        if any(word in name for word in ("KEY", "TOKEN", "SECRET", "PATH")) and value:
            assert "dummy" in value or set(value) == {"A", "="}, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", example()["SECRET_KEY"]),
        ("CREDENTIALS_KEYS", [example()["CREDENTIALS_KEYS"]]),
        ("TELEGRAM_SECRET", example()["TELEGRAM_SECRET"]),
    ],
)
def test_nothing_starts_with_a_dummy(name: str, value: Any, settings: Settings) -> None:
    startup.check_secrets()
    setattr(settings, name, value)

    with pytest.raises(startup.StartupError, match=f"{name} is the dummy of an example"):
        startup.check_secrets()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("ALLOWED_HOSTS", ["*"], "julaba.E001"),
        ("ALLOWED_HOSTS", [".example.com"], "julaba.E001"),
        ("ALLOWED_ORIGINS", ["https://*.example.com"], "julaba.E002"),
        *(
            ("MIDDLEWARE", [each for each in product.MIDDLEWARE if each != name], "julaba.E003")
            for name in (
                "dashboard.middleware.RequestContext",
                "dashboard.middleware.SecurityHeaders",
                "csp.middleware.CSPMiddleware",
                "django.contrib.auth.middleware.LoginRequiredMiddleware",
                "django_otp.middleware.OTPMiddleware",
                "axes.middleware.AxesMiddleware",
                "dashboard.middleware.Access",
            )
        ),
        ("MIDDLEWARE", [*product.MIDDLEWARE[::-1]], "julaba.E003"),
        ("CONTENT_SECURITY_POLICY", None, "julaba.E004"),
        (
            "CONTENT_SECURITY_POLICY",
            {"DIRECTIVES": {**security.CONTENT, "script-src": ["'self'", "'unsafe-inline'"]}},
            "julaba.E004",
        ),
        ("CONTENT_SECURITY_POLICY", {"DIRECTIVES": {**security.CONTENT, "frame-ancestors": ["*"]}}, "julaba.E004"),
        ("AUTHENTICATION_BACKENDS", ["django.contrib.auth.backends.ModelBackend"], "julaba.E005"),
        ("AXES_HANDLER", "axes.handlers.dummy.AxesDummyHandler", "julaba.E005"),
        ("AXES_ENABLED", False, "julaba.E005"),
        *(
            (
                "AUTH_PASSWORD_VALIDATORS",
                [each for each in product.AUTH_PASSWORD_VALIDATORS if each != rule],
                "julaba.E006",
            )
            for rule in product.AUTH_PASSWORD_VALIDATORS
        ),
        ("DATA_UPLOAD_MAX_MEMORY_SIZE", None, "julaba.E007"),
        ("DATA_UPLOAD_MAX_NUMBER_FIELDS", 100_000, "julaba.E007"),
        ("MOST_BODY", 512 * 1024 * 1024, "julaba.E007"),
        ("USE_X_FORWARDED_HOST", True, "julaba.E008"),
        ("REST_FRAMEWORK", {**product.REST_FRAMEWORK, "DEFAULT_PERMISSION_CLASSES": []}, "julaba.E009"),
        (
            "REST_FRAMEWORK",
            {name: value for name, value in product.REST_FRAMEWORK.items() if "AUTHENTICATION" not in name},
            "julaba.E009",
        ),
        ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"), "julaba.E008"),
        ("TRUSTED_PROXIES", ["*"], "julaba.E008"),
    ],
)
def test_each_loosened_setting_is_found_at_every_start(name: str, value: Any, found: str, settings: Settings) -> None:
    assert not any(each.startswith("julaba.") for each in ids(checks.run_checks(tags=[checks.Tags.security])))

    setattr(settings, name, value)

    assert found in ids(checks.run_checks(tags=[checks.Tags.security]))


GOOD = {
    "HTTPS": True,
    "SESSION_COOKIE_NAME": "__Host-sessionid",
    "REQUIRE_TOTP": True,
    "SESSION_IDLE_MINUTES": 30,
    "ALLOWED_ORIGINS": ["https://julaba.example"],
    "TRUSTED_PROXIES": ["127.0.0.1"],
    "PASSWORD_HASHERS": product.PASSWORD_HASHERS,
}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DEBUG", True, "julaba.E010"),
        ("HTTPS", False, "julaba.E011"),
        ("SESSION_COOKIE_NAME", "sessionid", "julaba.E011"),
        ("REQUIRE_TOTP", False, "julaba.E012"),
        ("SESSION_IDLE_MINUTES", 600, "julaba.W013"),
        ("SESSION_HOURS", 48, "julaba.W013"),
        ("SESSION_COOKIE_AGE", 10**9, "julaba.W013"),
        ("ALLOWED_ORIGINS", ["http://julaba.example"], "julaba.E014"),
        ("TRUSTED_PROXIES", [], "julaba.W015"),
        ("PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"], "julaba.E016"),
        ("EXCHANGE_ENDPOINT", "http://127.0.0.1:1", "julaba.E019"),
        ("TELEGRAM_ENDPOINT", "http://api.example", "julaba.E019"),
        ("SECURE_HSTS_SECONDS", 0, "security.W004"),
        ("SECURE_SSL_REDIRECT", False, "security.W008"),
    ],
)
def test_each_loosened_setting_of_production_is_found_before_it_is_deployed(
    name: str, value: Any, found: str, settings: Settings
) -> None:
    for good, meant in GOOD.items():
        setattr(settings, good, meant)
    settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 31_536_000, True
    assert found not in ids(checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=True))

    setattr(settings, name, value)

    assert found in ids(checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=True))


def test_a_secret_that_others_can_read_is_found(tmp_path: Path, settings: Settings) -> None:
    settings.JULABA_DATA_DIR = tmp_path
    env.local_secret(tmp_path / "secret_key")
    assert "julaba.E018" not in ids(checks.run_checks(include_deployment_checks=True))

    (tmp_path / "secret_key").chmod(0o644)

    assert "julaba.E018" in ids(checks.run_checks(include_deployment_checks=True))


def test_the_default_set_up_has_nothing_to_complain_about_and_asks_for_nothing() -> None:
    call_command("check")

    assert (product.EXPOSED, product.REQUIRE_TOTP, product.HTTPS, product.DEBUG) == (False, False, False, False)
    assert product.SESSION_IDLE_MINUTES == product.SESSION_HOURS * 60
