"""manage.py import_legacy: take over what the old bot left as JSON files."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.services import legacy, parameters

SHOWN = 20
"""Most refused rows that are printed of a file."""


class Command(BaseCommand):
    help = (
        "Keep the old bot's trades and AI decisions to be looked at, and say which parameters its settings would set."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where trade_history.json, ai_decisions.json or config.json lie")
        parser.add_argument("--propose", action="store_true", help="propose the parameters that its settings set")

    def handle(self, *, folder: Path, propose: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            reports = legacy.take(folder, now=now)
        except legacy.LegacyError as error:
            raise CommandError(str(error), returncode=2) from error
        for report in reports:
            self.stdout.write(
                f"{report.file}: {report.taken} taken, {report.known} known, {len(report.refused)} refused"
            )
            for line in report.refused[:SHOWN]:
                self.stdout.write(f"  refused {line}")
            if len(report.refused) > SHOWN:
                self.stdout.write(f"  and {len(report.refused) - SHOWN} more")
        values = {name: value for report in reports for name, value in report.settings.items()}
        for name, value in values.items():
            self.stdout.write(f"  {name} = {value}")
        if propose and values:
            made = parameters.propose(
                values=values,
                reason="from the old bot's settings",
                author=None,
                by=getpass.getuser(),
                expected_number=parameters.current(now=now).number,
                now=now,
            )
            self.stdout.write(made.text)
        elif values:
            self.stdout.write(
                "Nothing of the settings was put in force: --propose does it, as a draft that is compared first."
            )
