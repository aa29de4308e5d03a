"""The outside as the settings name it. Vendors are imported on first use: the web process needs none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from notifications.ports import File

if TYPE_CHECKING:
    from notifications.adapters.telegram import Telegram


def telegram() -> Telegram | None:
    """Return the bot; None where no token is set."""
    if not settings.TELEGRAM_TOKEN:
        return None
    from notifications.adapters.telegram import Telegram

    return Telegram(settings.TELEGRAM_TOKEN, endpoint=settings.TELEGRAM_ENDPOINT)


def apprise(url: str, *, title: str, text: str, file: File | None = None) -> None:
    """Send words, and a file where the service takes any, to one Apprise address; raises notifications.ports.Unavailable and Refused."""
    from notifications.adapters import apprise_door

    apprise_door.send(url, title=title, text=text, file=file)
