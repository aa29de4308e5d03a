"""manage.py replay: drive the live tick over stored candles, in a database of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import backtest, replay
from trading.adapters.candle_store import CandleStoreError
from trading.core.param_spec import ParamsError
from trading.core.strategies import StrategyError
from trading.core.timeframes import UnknownTimeframe
from trading.research.backtest import NotModelled
from trading.research.inputs import TooCoarse

MISTAKES = (
    *(CandleStoreError, ParamsError, StrategyError, UnknownTimeframe, replay.NothingToReplay),
    *(backtest.TooFewBars, backtest.NoScans, NotModelled, TooCoarse),
)
"""What a user can put right; anything else is ours."""


class Command(BaseCommand):
    help = "Replay stored candles through the live engine with paper money and write what came of it."
    engine = staticmethod(replay.run)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbols", nargs="+", required=True, metavar="BTC/USDT")
        parser.add_argument("--timeframe", required=True, help="such as 15m")
        parser.add_argument("--from", dest="start", type=moment, help="first moment to trade, UTC")
        parser.add_argument("--to", dest="end", type=moment, help="last moment to trade, UTC")
        parser.add_argument("--params", type=Path, metavar="FILE.json", help="parameters that differ from the defaults")
        parser.add_argument("--seed", type=int, help="draw each fill's slippage at random (default: constant)")
        parser.add_argument("--exchange", default="import", help="where the candles are from (default: %(default)s)")
        parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for the result")

    def handle(self, *, json: Path, params: Path | None, **options: Any) -> None:
        if not json.parent.is_dir():
            raise CommandError(
                f"{json.parent} is not a folder; make it or choose another file for --json", returncode=2
            )
        values = read_params(params) if params else {}
        try:
            report = self.engine(
                symbols=options["symbols"],
                timeframe=options["timeframe"],
                start=options["start"],
                end=options["end"],
                values=values,
                seed=options["seed"],
                exchange=options["exchange"],
                **self.further(options),
            )
        except MISTAKES as error:
            raise CommandError(str(error), returncode=2) from error
        write(json, report)
        summary = report["summary"]
        self.stdout.write(
            f"{report['setups']} setups, {report['taken']} taken, {summary['closed_trades']} trades closed; "
            f"PnL after costs {summary['pnl']} of {report['initial_balance']} (fees {summary['fees']}), "
            f"profit factor {summary['profit_factor']}, final equity {report['final_equity']}"
        )
        self.say(report)

    def further(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what the engine is asked besides."""
        return {}

    def say(self, report: dict[str, Any]) -> None:
        """Print more about a report that has been written."""


def moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def read_params(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"--params {path} cannot be read as JSON: {error}", returncode=2) from error
    if not isinstance(values, dict):
        raise CommandError(f"--params {path} must hold one JSON object of parameters by name", returncode=2)
    return values


def write(path: Path, report: dict[str, Any]) -> None:
    write_text(path, json.dumps(report, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; raises CommandError where it cannot be written, as on a full disk."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        cause = error.strerror or error
        raise CommandError(
            f"{path} cannot be written ({cause}): make room or choose another file", returncode=2
        ) from error
