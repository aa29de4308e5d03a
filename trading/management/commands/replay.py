"""manage.py replay: drive the live tick over stored candles, in a database of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import backtest, replay
from trading.adapters.candle_store import CandleStoreError
from trading.core.param_spec import ParamsError
from trading.core.strategies import StrategyError
from trading.core.timeframes import UnknownTimeframe
from trading.management import arguments, result_files
from trading.management.arguments import whole
from trading.management.bar import Bar
from trading.research.backtest import NotModelled
from trading.research.inputs import TooCoarse

MISTAKES = (
    *(CandleStoreError, ParamsError, StrategyError, UnknownTimeframe, replay.NothingToReplay),
    *(backtest.TooFewBars, backtest.NoScans, NotModelled, TooCoarse),
)
"""What a user can put right; anything else is ours."""


class Command(BaseCommand):
    help = "Replay stored candles through the live engine with paper money and write what came of it."
    engine: ClassVar[staticmethod[..., dict[str, Any]]] = staticmethod(replay.run)

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_stretch(parser)
        parser.add_argument("--seed", type=whole(0), help="draw each fill's slippage at random (default: constant)")
        parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for the result")

    def handle(self, *, json: Path, **options: Any) -> None:
        result_files.refuse_no_folder(json=json)
        asked = arguments.stretch(options)
        self.bar = Bar(self.stderr)
        try:
            report = self.engine(**asked, seed=options["seed"], **self.further(options))
        except MISTAKES as error:
            raise CommandError(str(error), returncode=2) from error
        finally:
            self.bar.clear()
        result_files.write(json, report)
        summary = report["summary"]
        self.stdout.write(
            f"{report['setups']} setups, {report['taken']} taken, {summary['closed_trades']} trades closed; "
            f"PnL after costs {summary['pnl']} of {report['initial_balance']} (fees {summary['fees']}), "
            f"profit factor {summary['profit_factor']}, final equity {report['final_equity']}"
        )
        self.say(report)

    def further(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what the engine is asked besides."""
        return {"progress": self.bar}

    def say(self, report: dict[str, Any]) -> None:
        """Print more about a report that has been written."""
