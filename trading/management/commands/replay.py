"""manage.py replay: drive the live tick over stored candles, in a database of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import replay
from trading.adapters.candle_store import CandleStoreError
from trading.core.param_spec import ParamsError
from trading.core.strategies import StrategyError
from trading.core.timeframes import UnknownTimeframe


class Command(BaseCommand):
    help = "Replay stored candles through the live engine with paper money and write what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbols", nargs="+", required=True, metavar="BTC/USDT")
        parser.add_argument("--timeframe", required=True, help="such as 15m")
        parser.add_argument("--from", dest="start", type=_moment, help="first moment to trade, UTC")
        parser.add_argument("--to", dest="end", type=_moment, help="last moment to trade, UTC")
        parser.add_argument("--params", type=Path, metavar="FILE.json", help="parameters that differ from the defaults")
        parser.add_argument("--seed", type=int, help="draw each fill's slippage at random (default: constant)")
        parser.add_argument("--exchange", default="import", help="where the candles are from (default: %(default)s)")
        parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for the result")

    def handle(self, *, json: Path, params: Path | None, **options: Any) -> None:
        if not json.parent.is_dir():
            raise CommandError(
                f"{json.parent} is not a folder; make it or choose another file for --json", returncode=2
            )
        values = _read_params(params) if params else {}
        try:
            report = replay.run(
                symbols=options["symbols"],
                timeframe=options["timeframe"],
                start=options["start"],
                end=options["end"],
                values=values,
                seed=options["seed"],
                exchange=options["exchange"],
            )
        except (CandleStoreError, ParamsError, StrategyError, UnknownTimeframe, replay.NothingToReplay) as error:
            raise CommandError(str(error), returncode=2) from error
        _write(json, report)
        summary = report["summary"]
        self.stdout.write(
            f"{report['setups']} setups, {report['taken']} taken, {summary['closed_trades']} trades closed; "
            f"PnL after costs {summary['pnl']} of {report['initial_balance']} (fees {summary['fees']}), "
            f"profit factor {summary['profit_factor']}, final equity {report['final_equity']}"
        )


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _read_params(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"--params {path} cannot be read as JSON: {error}", returncode=2) from error
    if not isinstance(values, dict):
        raise CommandError(f"--params {path} must hold one JSON object of parameters by name", returncode=2)
    return values


def _write(path: Path, report: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)
