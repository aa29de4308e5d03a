"""manage.py report: the report of the last days as a file, for those who are not asked by message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from notifications.adapters.painter import NotDrawn
from notifications.services import documents


class Command(BaseCommand):
    help = "Write the report of the last days as pdf, html or png: equity, each trade, the hours, AI and ML."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=7, help="today and the days before it; 7")
        parser.add_argument("--format", choices=documents.FORMATS, default="pdf")
        parser.add_argument("--out", type=Path, help="the file; unset, a name of its own in this folder")

    def handle(self, *, days: int, format: str, out: Path | None, **options: Any) -> None:
        if not 1 <= days <= documents.MOST_DAYS:
            raise CommandError(f"--days {days} is not from 1 to {documents.MOST_DAYS}")
        try:
            file = documents.of_days(days, format, now=timezone.now())
        except NotDrawn as why:
            raise CommandError(f"there is no report: {why}") from None
        target = out or Path(file.name)
        try:
            target.write_bytes(file.content)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error}") from None
        self.stdout.write(f"{target}: {len(file.content)} bytes")
