"""manage.py montecarlo: what else could have come of a backtest, by chance alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from trading import validation
from trading.management.studying import MOST, StudyCommand, figure, within
from trading.research import picture
from trading.research.trials import Field

NAMES = {
    "shuffled_trades": "trades in another order",
    "blocks_of_days": "days drawn anew in blocks",
    "noisy_candles": "candles with noise",
}


class Command(StudyCommand):
    help = "Shuffle the trades of a backtest, draw its days anew in blocks, and repeat it on candles with noise."
    draw = staticmethod(picture.scatter)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--draws", type=int, default=2000, help="of trades and days (default: %(default)s)")
        parser.add_argument("--noise-draws", type=int, default=100, help="of candles (default: %(default)s)")
        parser.add_argument(
            "--noise", type=float, default=0.1, help="deviation, of a usual bar's range (default: %(default)s)"
        )
        parser.add_argument("--block", type=int, help="days of a block (default: the cube root of all days)")
        parser.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)")

    def study(self, field: Field, options: dict[str, Any]) -> dict[str, Any]:
        within(options, "draws", 1, MOST)
        within(options, "noise_draws", 0, MOST)
        within(options, "noise", 0.0, 10.0)
        within(options, "confidence", 0.01, 0.999)
        if options["block"] is not None:
            within(options, "block", 1, MOST)
        names = ("draws", "noise_draws", "noise", "block", "confidence", "seed")
        return validation.scatter(field, self.progress, **{name: options[name] for name in names})

    def say(self, report: dict[str, Any]) -> None:
        held = f"{report['confidence']:g} of all"
        self.stdout.write(f"{report['trades']} trades, {report['days']} days")
        for kind, title in NAMES.items():
            self.stdout.write(f"{title:<28}{'as it was':>12}{'median':>12}{held:>26}")
            for name, row in report[kind].items():
                if isinstance(row, dict):
                    between = f"{figure(row['low'], '.4f')} to {figure(row['high'], '.4f')}"
                    self.stdout.write(
                        f"  {name:<26}{figure(row['actual'], '.4f'):>12}{figure(row['median'], '.4f'):>12}{between:>26}"
                    )
