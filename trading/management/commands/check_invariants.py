"""manage.py check_invariants: does everything that must hold hold now?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from trading.services import invariants


class Command(BaseCommand):
    help = "Check every invariant of the order path and the books; exit 1 where one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--since", type=float, default=24.0, help="hours of history to look at (24); 0: all of it")

    def handle(self, *, since: float, **options: Any) -> None:
        now = timezone.now()
        start = now - timedelta(hours=since) if since else datetime(2000, 1, 1, tzinfo=now.tzinfo)
        violations = invariants.check(now=now, since=start)
        if options["json"]:
            rows = [asdict(violation) for violation in violations]
            checked = [rule.id for rule in invariants.INVARIANTS]
            self.stdout.write(json.dumps({"at": now.isoformat(), "checked": checked, "violations": rows}, indent=1))
        else:
            for violation in violations:
                self.stdout.write(f"{violation.id} {violation.level} {violation.text}: {violation.found}")
            self.stdout.write(f"invariants={len(invariants.INVARIANTS)} violations={len(violations)}")
        if violations:
            sys.exit(1)
