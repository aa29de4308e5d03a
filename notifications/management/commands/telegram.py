"""manage.py telegram: tell Telegram where to post, look at what it knows, or make it stop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from notifications.adapters import doors
from notifications.adapters.telegram import Telegram
from notifications.commands import load
from notifications.ports import Refused, Unavailable
from notifications.services.registry import COMMANDS


class Command(BaseCommand):
    help = "Set, show or delete the webhook of the bot. Nobody polls: a webhook is the only way in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("set-webhook", "info", "delete"))
        parser.add_argument("--url", default="", help="https address of these pages; unset, TELEGRAM_URL")

    def handle(self, *, what: str, url: str, **options: Any) -> None:
        bot = doors.telegram()
        if bot is None:
            raise CommandError("there is no bot: set TELEGRAM_TOKEN to the token that BotFather gave you")
        try:
            {"set-webhook": self._set, "info": self._info, "delete": self._delete}[what](bot, url)
        except (Unavailable, Refused) as failure:
            raise CommandError(f"Telegram did not do it: {failure}") from None

    def _set(self, bot: Telegram, url: str) -> None:
        base = (url or settings.TELEGRAM_URL).rstrip("/")
        if not base.startswith("https://") and not settings.TELEGRAM_ENDPOINT:
            raise CommandError("Telegram posts by https alone: give --url https://HOST, or set TELEGRAM_URL")
        if not base:
            raise CommandError("where are these pages? Give --url, or set TELEGRAM_URL")
        load()
        menu = [(command.name, command.help) for command in COMMANDS.values()]
        path = reverse("telegram-webhook", args=[settings.TELEGRAM_PATH])
        bot.set_webhook(f"{base}{path}", secret=settings.TELEGRAM_SECRET, commands=menu)
        self.stdout.write(f"Telegram posts to {base}; what waited was dropped")

    def _info(self, bot: Telegram, url: str) -> None:
        known = bot.webhook()
        address = str(known.get("url") or "")
        ours = reverse("telegram-webhook", args=[settings.TELEGRAM_PATH])
        whose = "this site" if address.endswith(ours) else "another one"
        self.stdout.write(f"Telegram posts to {whose}" if address else "Telegram posts nowhere")
        self.stdout.write(f"{known.get('pending_update_count', 0)} updates wait")
        if known.get("last_error_message"):
            at = datetime.fromtimestamp(int(known.get("last_error_date", 0)), tz=UTC)
            self.stdout.write(f"its last failure, {at:%Y-%m-%d %H:%M:%S} UTC: {known['last_error_message']}")

    def _delete(self, bot: Telegram, url: str) -> None:
        bot.delete_webhook()
        self.stdout.write("Telegram posts nowhere any more")
