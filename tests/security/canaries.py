"""A run with secrets that are known: `python -m tests.security.canaries FOLDER` does what people, thieves and faults do with them.

The environment plants most (`planted` makes it); what was answered, sent and asked is left in the folder, beside what the
run itself writes: database, log and backup. test_canaries.py looks for the secrets in all of it.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.gemini import server as gemini_server
from tests.telegram import server as telegram_server

SHOWN_ONCE = "shown.json"
"""What the run drew itself and showed once, where it has to be: a token, and the key of an authenticator."""
DRAWN = ("SECRET_KEY", "TELEGRAM_PATH", "TELEGRAM_SECRET", "METRICS_TOKEN")
TYPED = ("PASSWORD", "GUESS")
"""What no process of ours can know again: only whoever types it does."""
GIVEN = ("EXCHANGE_KEY", "EXCHANGE_SECRET", "EXCHANGE_PASSPHRASE", *TYPED)


def planted() -> dict[str, str]:
    """Return the secrets by name: settings of the product, and what is typed into it."""
    made = {name: f"canary-{secrets.token_hex(24)}" for name in (*DRAWN, *GIVEN)}
    made |= {name: Fernet.generate_key().decode() for name in ("CREDENTIALS_KEYS", "BACKUP_KEY")}
    return made | {"TELEGRAM_TOKEN": telegram_server.TOKEN, "GEMINI_API_KEY": gemini_server.KEY}


def places(folder: Path) -> dict[str, str]:
    """Return where the run writes."""
    return {
        "JULABA_DATA_DIR": str(folder / "data"),
        "LOG_DIR": str(folder / "log"),
        "BACKUP_DIR": str(folder / "backups"),
        "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
        "ALLOWED_HOSTS": "testserver,127.0.0.1",
        "PRIVATE_ADDRESSES": "127.0.0.1",  # the doubles of Telegram and Gemini answer there
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "REQUIRE_TOTP": "0",
        "DATABASE_URL": f"sqlite:///{folder / 'data.sqlite3'}",
    }


def main(folder: Path, known: dict[str, str]) -> None:
    import django

    django.setup()
    from celery.app.task import Task
    from django.conf import settings
    from django.core.management import call_command

    from tests.telegram.launch import bot_api

    # What workers would do is done below, or is none of this.
    Task.apply_async = lambda *args, **named: None  # type: ignore[assignment,method-assign]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.JULABA_DATA_DIR.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    with bot_api() as api, gemini_server.running() as gemini:
        settings.TELEGRAM_ENDPOINT, settings.GEMINI_ENDPOINT = api.url, gemini.url
        settings.GEMINI_SDK, settings.GEMINI_MODEL = "genai", gemini_server.MODEL
        shown = _used(folder, known)
        (folder / "messages.json").write_text(json.dumps([api.sent(), api.hooks()], default=str))
        (folder / "prompts.bin").write_bytes(b"\n".join(call.raw for call in gemini.calls))
        assert api.sent()
        assert gemini.calls
    (folder / SHOWN_ONCE).write_text(json.dumps(shown))
    call_command("backup", stdout=sys.stdout)


def _used(folder: Path, known: dict[str, str]) -> dict[str, str]:
    """Log in and on, fail in every way, tell people and the AI of it; return what was drawn on the way."""
    from django.contrib.auth.models import Group, User
    from django.test import Client
    from django.utils import timezone
    from django_otp.plugins.otp_totp.models import TOTPDevice

    from mlops import chat
    from notifications.models import Contact
    from notifications.services import journal, outbox
    from tests import api_world
    from tests.integration.test_pages_render import PAGES
    from trading import events
    from trading.models import TradingState
    from trading.services import audit, control, credentials

    now = timezone.now()
    olga = User.objects.create_superuser("olga", password=known["PASSWORD"])
    olga.groups.add(Group.objects.get(name="admin"))
    Contact.objects.create(user=olga, telegram_user_id=5, chat_id=5)
    api_world.fill(now)
    journal.relay(now=now)
    given = (known[name] for name in GIVEN[:3])
    kept = credentials.Credentials(*given)
    credentials.store(exchange="binance", environment="sandbox", credentials=kept, by="olga", now=now)

    answers: list[bytes] = []
    browser = Client(raise_request_exception=False)

    def asked(answer: Any) -> Any:
        answers.append(repr(answer.headers).encode() + answer.content)
        return answer

    asked(browser.post("/login/", {"username": "olga", "password": known["GUESS"]}))
    # The form shows a typed name again, to who typed it; it must not be kept.
    browser.post("/login/", {"username": known["GUESS"], "password": known["GUESS"]})
    assert asked(browser.post("/login/", {"username": "olga", "password": known["PASSWORD"]})).status_code == 302
    page = browser.post("/account/tokens/", {"name": "bot", "scope": "admin", "days": "1"}).content.decode()
    token = page[page.index("jlb_") :][:47]
    browser.post("/account/devices/new/", {"begin": "1", "name": "phone"})
    shown = {"TOKEN": token, "TOTP": TOTPDevice.objects.get().key}
    program = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
    every = " ".join((*(value for name, value in known.items() if name not in TYPED), token))
    for path in PAGES:
        asked(browser.get(path))
    for path in ("/api/v1/version", f"/api/v1/nothing?token={token}"):
        asked(program.get(path))
    # What nobody expected: a failure whose words hold everything.
    failure = RuntimeError(f"the venue answered {every}")
    for where in ("dashboard.frame.context", "dashboard.overview.context"):
        asked(_failing(browser, where, failure))
    try:
        raise failure
    except RuntimeError:
        logging.getLogger("ccxt.base.exchange").exception("fetch failed with %s", every)
    logging.getLogger("urllib3").warning("GET https://venue/?signature=%s", every)
    assert credentials.load(exchange="binance", environment="sandbox") == kept
    events.emit("flatten", at=now, text=f"The venue answered {every}", payload={"inner": [every]})
    audit.record("note", actor="olga", at=now, text=every, details={"deep": every})
    control.tighten(TradingState.HALTED, reason=f"no access: {every}", now=now, by="olga")
    journal.relay(now=timezone.now())
    while outbox.deliver(now=timezone.now()):
        pass
    message = chat.ask(f"Why does it say {known['EXCHANGE_SECRET']}?", user=olga, now=timezone.now())
    chat.answer(message.pk, now=timezone.now())
    for path in ("/", "/journal/", "/audit/", "/logs/", "/api/v1/events", "/api/v1/health", "/health", "/metrics"):
        asked(browser.get(path))
    (folder / "answers.bin").write_bytes(b"\n".join(answers))
    return shown


def _failing(browser: Any, where: str, failure: Exception) -> Any:
    """Ask for the overview while something inside fails."""
    from unittest.mock import patch

    with patch(where, side_effect=failure):
        return browser.get("/")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    main(place, json.loads(sys.stdin.read()))
