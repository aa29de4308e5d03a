"""manage.py significance: whether the entries do better than entries at random."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from trading import validation
from trading.management.studying import MOST, StudyCommand, figure, within
from trading.research.trials import Field


class Command(StudyCommand):
    help = "Compare a backtest's entries with as many at random moments; exits, sizes and costs are the same."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--draws", type=int, default=1000, help="random backtests (default: %(default)s)")

    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        within(options, "draws", 1, MOST)
        return validation.edge(field, self.progress, draws=options["draws"], seed=options["seed"])

    def say(self, report: dict[str, Any]) -> None:
        if report["p"] is None:
            self.stdout.write("nothing was traded: there is nothing to compare")
            return
        self.stdout.write(
            f"{report['trades']} trades, {figure(report['actual'], '.3f')} R each; random entries: "
            f"median {figure(report['median'], '.3f')} R, 95 % below {figure(report['high'], '.3f')} R; "
            f"p={report['p']:.4f}"
        )
