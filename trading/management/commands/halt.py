"""manage.py halt: nothing is entered any more, from this moment on."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.models import Bot, TradingState
from trading.services import control


class Command(BaseCommand):
    help = "Stop entering trades at once; exits and stops go on. --close-only says the same in milder words."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="halted by hand", help="why; it is kept and shown")
        parser.add_argument("--close-only", action="store_true", help="restrict to exits instead of halting")

    def handle(self, *, reason: str, close_only: bool, **options: Any) -> None:
        if not Bot.objects.filter(pk=1).exists():
            raise CommandError("there is no account yet, so nothing trades: start Julaba first")
        to = TradingState.CLOSE_ONLY if close_only else TradingState.HALTED
        changed = control.tighten(to, reason=reason, now=timezone.now(), by=getpass.getuser())
        self.stdout.write(f"trading is {to.label}" if changed else "trading was as strict already")
