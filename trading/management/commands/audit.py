"""manage.py audit: show the newest entries of the audit, or follow the whole chain and say whether it is unbroken."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.models import AuditEntry
from trading.services import audit


class Command(BaseCommand):
    help = "Show who did what, or check that the chain of the audit is unbroken; exit 1 where it is not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--verify", action="store_true", help="follow the chain from its beginning")
        parser.add_argument(
            "--known", metavar="NUMBER:DIGEST", help="with --verify: an entry as somebody wrote it down elsewhere"
        )
        parser.add_argument("--last", type=int, default=20, help="how many entries to show (%(default)s)")

    def handle(self, *, verify: bool, known: str | None, last: int, **options: Any) -> None:
        if known and not verify:
            raise CommandError("--known goes with --verify", returncode=2)
        if verify:
            self._verify(known)
            return
        for entry in reversed(AuditEntry.objects.order_by("-number")[: max(0, last)]):
            when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
            self.stdout.write(f"{entry.number} {when} {entry.actor or '-'} {entry.act} {entry.outcome}: {entry.text}")

    def _verify(self, known: str | None) -> None:
        found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", known or "")
        if known and not found:
            raise CommandError("--known is no NUMBER:DIGEST such as manage.py audit --verify prints", returncode=2)
        verdict = audit.verify(known=(int(found[1]), found[2]) if found else None)
        if verdict.fault:
            raise CommandError(f"the audit is broken: {verdict.fault}", returncode=1)
        self.stdout.write(f"The audit is unbroken. Write this down elsewhere: {verdict.count}:{verdict.digest}")
