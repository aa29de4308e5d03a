"""manage.py backup: database, candles and models in one file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import keeping
from trading.services import backups


class Command(BaseCommand):
    help = "Make a backup while everything runs, and forget the oldest ones; exit code 1 where none could be made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, help="folder in place of BACKUP_DIR")

    def handle(self, *, to: Path | None, **options: Any) -> None:
        place = keeping.place()
        if to is not None:
            place = replace(place, folder=to.resolve())
        try:
            row = backups.make(place, code_version=settings.CODE_VERSION, now=timezone.now())
        except backups.BackupError as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(f"{place.folder / row.name}")
        self.stdout.write(f"{row.size} bytes, sha256 {row.digest}, {'sealed' if row.is_sealed else 'not sealed'}")
