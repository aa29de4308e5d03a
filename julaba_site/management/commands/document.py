"""manage.py document: write the parts of docs/ that are made from the code."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from julaba_site import documents
from trading import events
from trading.adapters import database_copy
from trading.models import Bot


class Command(BaseCommand):
    help = "Write the lists of settings, parameters, addresses, commands and metrics into docs/; --check only compares."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; exit code 1 where a document is behind"
        )

    def handle(self, *, check: bool, **options: Any) -> None:
        # Metrics are asked for on a database of their own, in memory.
        scratch = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
        with database_copy.attached(scratch), events.silence():
            call_command("migrate", verbosity=0, interactive=False)
            Bot.objects.create(pk=1, last_tick_at=timezone.now())
            behind = [
                path for path in {path for path, _ in documents.parts().values()} if self._write(path, check=check)
            ]
        if check and behind:
            raise CommandError(f"{', '.join(sorted(behind))} are behind the code: run manage.py document", returncode=1)
        for path in sorted(behind):
            self.stdout.write(f"{path} was written anew")

    def _write(self, path: str, *, check: bool) -> bool:
        """Return whether a document differed from the code."""
        file = documents.ROOT / path
        before = after = file.read_text(encoding="utf-8")
        for name, (place, make) in documents.parts().items():
            if place == path:
                try:
                    after = documents.put(after, name=name, part=make())
                except documents.NoMarks as missing:
                    raise CommandError(f"{path}: {missing}", returncode=2) from missing
        if after != before and not check:
            file.write_text(after, encoding="utf-8")
        return after != before
