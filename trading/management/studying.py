"""What the commands that study backtests share: arguments, one line of progress, the result's file, exit codes.

0: done. 1: done, and what was looked for was found. 2: something was asked that cannot be done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import replay, validation
from trading.management import arguments, result_files
from trading.management.arguments import whole
from trading.management.bar import Bar
from trading.management.commands.replay import MISTAKES
from trading.research import picture
from trading.research.lookahead import TooShort
from trading.research.search import METHODS, Plan, SearchError, axis
from trading.research.trials import OBJECTIVES, Field

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 1_000_000
"""Of anything that is counted: draws, points, cuts."""


class StudyCommand(BaseCommand, ABC):
    """A study of stored candles: `study` makes the report, `say` prints it."""

    requires_system_checks = []  # they import every page
    draw: ClassVar[staticmethod[[picture.Report], Figure] | None] = None
    """What makes a picture of the report; a study without one has no --png."""

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_stretch(parser)
        parser.add_argument("--seed", type=whole(0), default=1, help="of everything random (default: %(default)s)")
        parser.add_argument("--json", type=Path, metavar="OUT", help="file for the result")
        if self.draw:
            parser.add_argument("--png", type=Path, metavar="OUT", help="file for a picture of it")

    def handle(self, *, json: Path | None, png: Path | None = None, **options: Any) -> None:
        result_files.refuse_no_folder(json=json, png=png)
        given = arguments.stretch(options)
        self.progress = Bar(self.stderr)
        try:
            asked = replay.stretch(**given)
            report = self.study(validation.field_of(asked), options)
        except (*MISTAKES, SearchError, TooShort) as error:
            raise CommandError(str(error), returncode=2) from error
        finally:
            self.progress.clear()
        report = {"symbols": list(asked.series), "timeframe": asked.params.timeframe} | report
        if json:
            result_files.write(json, report)
        if png and self.draw:
            result_files.write_bytes(png, picture.png(report, self.draw))
        self.say(report)

    @abstractmethod
    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        """Return what was found, ready for JSON."""

    @abstractmethod
    def say(self, report: dict[str, Any]) -> None:
        """Write what was found for people."""


def add_search(parser: CommandParser) -> None:
    parser.add_argument(
        "--vary",
        nargs="+",
        required=True,
        metavar="NAME=VALUES",
        help="stop_atr=1,2,3 or stop_atr=1:4:0.5; with --method random or optuna also stop_atr=1:4, or stop_atr alone "
        "for all of its range",
    )
    parser.add_argument("--method", choices=METHODS, default="grid", help="(default: %(default)s)")
    parser.add_argument("--points", type=int, default=50, help="points to try, but for a grid (default: %(default)s)")
    parser.add_argument("--objective", choices=OBJECTIVES, default="sharpe", help="(default: %(default)s)")
    parser.add_argument(
        "--min-trades", type=int, default=10, help="fewer closed trades have no score (default: %(default)s)"
    )


def plan_of(options: dict[str, Any]) -> Plan:
    """Return the search that was asked for; raises SearchError."""
    within(options, "points", 1, MOST)
    within(options, "min_trades", 0, MOST)
    return Plan(
        axes=[axis(text) for text in options["vary"]],
        method=options["method"],
        points=options["points"],
        seed=options["seed"],
        objective=options["objective"],
        min_trades=options["min_trades"],
    )


def within(options: dict[str, Any], name: str, low: float, high: float) -> None:
    """Raise SearchError for a number outside what makes sense."""
    value = options[name]
    if not low <= value <= high:
        raise SearchError(f"--{name.replace('_', '-')} {value}: give {low:g} to {high:g}")


def figure(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)
