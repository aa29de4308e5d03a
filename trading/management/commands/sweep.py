"""manage.py sweep: try many parameters on stored candles, and say how much of the best is luck."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from trading import validation
from trading.management.studying import StudyCommand, add_search, figure, plan_of
from trading.research import picture
from trading.research.trials import Field

SHOWN = 10


class Command(StudyCommand):
    help = "Search parameters on stored candles: a grid, at random, or with Optuna."
    draw = staticmethod(picture.sweep)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_search(parser)

    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        return validation.sweep(field, plan_of(options), self.progress)

    def say(self, report: dict[str, Any]) -> None:
        left = f", {report['contradictions']} left out for contradicting themselves" if report["contradictions"] else ""
        self.stdout.write(f"{report['tried']} points tried, {report['scored']} with a score{left}")
        self.stdout.write(f"{report['objective']:>14}{'return':>9}{'drawdown':>10}{'trades':>8}  parameters")
        for row in (*report["best"][:SHOWN], report["usual"]):
            values = json.dumps(row["values"]) if row["values"] else "as they are"
            self.stdout.write(
                f"{figure(row[report['objective']], '.3f'):>14}{figure(row['return_fraction'], '.2%'):>9}"
                f"{figure(row['drawdown_fraction'], '.2%'):>10}{row['trades']:>8}  {values}"
            )
        luck = report["overfitting"] or {}
        self.stdout.write(
            f"deflated Sharpe {figure(report['deflated_sharpe'], '.3f')}, "
            f"probability of overfitting {figure(luck.get('probability'), '.3f')}"
        )
