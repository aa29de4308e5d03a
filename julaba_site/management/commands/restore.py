"""manage.py restore: prove that a backup is whole, or make a system from it, which starts halted."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import keeping
from trading.adapters import database_copy
from trading.services import restoring


class Command(BaseCommand):
    help = "Restore a backup into an empty data directory, halted; --check only tries it. Exit code 1 where it cannot."
    # The database that DATABASE_URL names may be empty still.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file that manage.py backup has made")
        parser.add_argument(
            "--check", action="store_true", help="restore it where nobody sees it, and check everything"
        )
        parser.add_argument("--into", type=Path, help="data directory in place of JULABA_DATA_DIR")

    def handle(self, *, file: Path, check: bool, into: Path | None, **options: Any) -> None:
        try:
            if check:
                self._check(file)
            else:
                self._restore(file, (into or settings.JULABA_DATA_DIR).resolve())
        except restoring.RestoreError as error:
            raise CommandError(str(error), returncode=1) from error

    def _check(self, file: Path) -> None:
        server = keeping.scratch_server()
        if server is not None:
            database_copy.empty_postgres(server)
        scratch_in = settings.JULABA_DATA_DIR / "run"
        result = restoring.check(
            file, keys=settings.BACKUP_KEYS, scratch_in=scratch_in, server=server, now=timezone.now()
        )
        for violation in result.violations:
            self.stdout.write(f"{violation.id} {violation.level} {violation.text}: {violation.found}")
        if result.violations:
            raise CommandError(f"{file.name} breaks what must hold: take another backup", returncode=1)
        manifest = result.manifest
        self.stdout.write(f"{file.name} is whole: {manifest.mode} on {manifest.venue}, made {manifest.made_at}")
        if manifest.database or server is not None:
            self.stdout.write(f"restored for a trial: {sum(manifest.rows.values())} rows, every invariant holds")
        else:
            self.stdout.write("not restored: set BACKUP_SCRATCH_URL to an empty PostgreSQL database for that")

    def _restore(self, file: Path, into: Path) -> None:
        result = restoring.restore(
            file,
            keys=settings.BACKUP_KEYS,
            into=into,
            server=keeping.server(),
            now=timezone.now(),
            by=getpass.getuser(),
        )
        manifest = result.manifest
        self.stdout.write(f"{into} holds {manifest.mode} on {manifest.venue} as of {manifest.made_at}, halted.")
        named = str(settings.DATABASES["default"]["NAME"])
        if manifest.database and into == settings.JULABA_DATA_DIR.resolve() and Path(named).name != manifest.database:
            self.stdout.write(
                f"These settings name {Path(named).name}, and what was restored is {manifest.database}: "
                f"set TRADING_MODE={manifest.mode} and EXCHANGE={manifest.venue}, or it begins anew."
            )
        self.stdout.write(
            "Give it the CREDENTIALS_KEYS of the old system, start it, look at Reconciliation, then resume."
        )
