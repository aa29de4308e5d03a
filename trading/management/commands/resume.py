"""manage.py resume: a person lifts a restriction, and says why."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.models import TradingState
from trading.services import control


class Command(BaseCommand):
    help = "Let trades be entered again (or, with --close-only, lift a halt to exits only)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why; it is kept and shown")
        parser.add_argument("--close-only", action="store_true", help="loosen a halt to exits only")

    def handle(self, *, reason: str, close_only: bool, **options: Any) -> None:
        to = TradingState.CLOSE_ONLY if close_only else TradingState.ACTIVE
        try:
            changed = control.loosen(to, reason=reason, now=timezone.now(), by=getpass.getuser())
        except control.StateRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"trading is {to.label}" if changed else "nothing restricted trading that much")
