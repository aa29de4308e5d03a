"""System checks of what an operator may set, each with an id and a sentence on what to do."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


@register()
def check_telegram(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.TELEGRAM_TOKEN:
        return []
    found: list[CheckMessage] = []
    if not _TOKEN.fullmatch(settings.TELEGRAM_TOKEN):
        found.append(
            Error("TELEGRAM_TOKEN is no token of a bot.", hint="Copy it from BotFather.", id="notifications.E001")
        )
    for name in ("TELEGRAM_PATH", "TELEGRAM_SECRET"):
        if not _SECRET.fullmatch(getattr(settings, name)):
            found.append(
                Error(
                    f"{name} can be guessed or holds signs that Telegram refuses.",
                    hint="Unset it, and one is made at random; or use 32 to 256 of A-Z, a-z, 0-9, _ and -.",
                    id="notifications.E002",
                )
            )
    return found


@register()
def check_addresses(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Name the setting and the place of what is no address, and not the address: it may hold a password."""
    return [
        Error(
            f"Address {number} of {name} is none.",
            hint="Write addresses as Apprise does, such as ntfys://host/topic, with spaces between them.",
            id="notifications.E003",
        )
        for name in ("NOTIFY_URLS", "FALLBACK_URLS")
        for number, url in enumerate(getattr(settings, name), 1)
        if not _ADDRESS.fullmatch(url)
    ]


@register()
def check_url(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    url = settings.TELEGRAM_URL
    if not url or url.startswith("https://") or settings.TELEGRAM_ENDPOINT:
        return []
    hint = "Set it to the https address under which Telegram reaches these pages."
    return [Error("TELEGRAM_URL does not begin with https://.", hint=hint, id="notifications.E004")]
