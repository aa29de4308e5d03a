"""manage.py walkforward: choose parameters on one stretch of stored candles, trade the next, and move on."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from trading import validation
from trading.management.studying import StudyCommand, add_search, figure, plan_of, within
from trading.research import picture
from trading.research.trials import Field

MOST_DAYS = 36_500


class Command(StudyCommand):
    help = "Walk forward over stored candles: search on --train days, trade the next --test days, move on by those."
    draw = staticmethod(picture.walk)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_search(parser)
        parser.add_argument("--train", type=int, default=30, help="days to search on (default: %(default)s)")
        parser.add_argument("--test", type=int, default=10, help="days to trade after them (default: %(default)s)")
        parser.add_argument("--anchored", action="store_true", help="search on everything before, not on --train days")

    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        within(options, "train", 1, MOST_DAYS)
        within(options, "test", 1, MOST_DAYS)
        return validation.walk(
            field,
            plan_of(options),
            self.progress,
            train=options["train"],
            test=options["test"],
            is_anchored=options["anchored"],
        )

    def say(self, report: dict[str, Any]) -> None:
        name = report["objective"]
        self.stdout.write(f"{'trades from':<18}{name + ' before':>20}{'after':>10}{'as it is':>10}  parameters")
        for row in report["windows"]:
            before, after = row["before"] or {}, row["after"] or {}
            chosen = "none has a score" if row["values"] is None else json.dumps(row["values"])
            self.stdout.write(
                f"{row['split'][:16]:<18}{figure(before.get(name), '.3f'):>20}{figure(after.get(name), '.3f'):>10}"
                f"{figure(row['usual'][name], '.3f'):>10}  {chosen}"
            )
        chosen, usual = report["chosen"], report["usual"]
        self.stdout.write(
            f"{chosen['days']} days after the splits: return {figure(chosen['return_fraction'], '.2%')}, "
            f"Sharpe {figure(chosen['sharpe'])}, drawdown {figure(chosen['drawdown_fraction'], '.2%')}; parameters as they "
            f"are: {figure(usual['return_fraction'], '.2%')}, {figure(usual['sharpe'])}, "
            f"{figure(usual['drawdown_fraction'], '.2%')}"
        )
        self.stdout.write(
            f"walk-forward efficiency {figure(report['efficiency'])}, "
            f"windows with a gain {figure(report['profitable_fraction'], '.0%')}"
        )
