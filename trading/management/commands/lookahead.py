"""manage.py lookahead: catch indicators, filters and strategies that see the future or depend on where candles begin."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from trading import validation
from trading.management.studying import MOST, StudyCommand, within
from trading.research.trials import Field

WORDS = {
    "peeks": "changes when later bars arrive",
    "starts": "depends on where the candles begin",
    "varies": "says something else when asked again",
}


class Command(StudyCommand):
    help = "Look for values that peek or need more warm-up than they get, in everything that STRATEGIES names and uses."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--cuts", type=int, default=50, help="bars that are tried as the last (default: %(default)s)"
        )

    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        within(options, "cuts", 1, MOST)
        return validation.peeks(field, self.progress, cuts=options["cuts"], seed=options["seed"])

    def say(self, report: dict[str, Any]) -> None:
        for symbol, found in report["series"].items():
            signals = ", ".join(f"{count} of {name}" for name, count in found["signals"].items())
            self.stdout.write(
                f"{symbol}: {len(found['columns'])} columns at {found['cuts']} bars; entries: {signals}; "
                f"a tick loads {found['history']} bars"
            )
            if not found["late_starts"]:
                self.stdout.write(f"  too few bars to prove the warm-up: give more than {found['history']}")
            for row in found["findings"]:
                self.stdout.write(
                    f"  {row['column']} {WORDS[row['fault']]}: {row['times']} times, first at {row['opened']}"
                )
            for name, moved in found["deviation"].items():
                if shares := [f"{bars} bars {share:.2g}" for bars, share in moved.items() if share > 0]:
                    self.stdout.write(f"  {name}, off by at most: {', '.join(shares)}")
        self.stdout.write(f"faults={report['faults']}")
        if report["faults"]:
            raise CommandError("values were found that a live tick would not see: correct them", returncode=1)
