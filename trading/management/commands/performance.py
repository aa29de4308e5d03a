"""manage.py performance: the key figures of the account itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trading.management import result_files
from trading.management.arguments import moment
from trading.management.studying import figure
from trading.services import account_figures


class Command(BaseCommand):
    help = "Print what the account's closed trades and its equity amount to, by revision of the parameters too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=moment, help="only what closed from then on, UTC")
        parser.add_argument("--json", type=Path, metavar="OUT", help="file for all figures")

    def handle(self, *, since: datetime | None, json: Path | None, **options: Any) -> None:
        result_files.refuse_no_folder(json=json)
        found = account_figures.build(since=since)
        if json:
            result_files.write(json, found)
        self.stdout.write(
            f"{found['trades']} trades closed, PnL {found['pnl']}, profit factor {figure(found['profit_factor'])}, "
            f"expectancy {figure(found['expectancy_r'])} R; {found['days']} days: Sharpe {figure(found['sharpe'])}, "
            f"deepest drawdown {figure(found['drawdown_fraction'], '.2%')}"
        )
        for number, row in found["by"].get("revision", {}).items():
            self.stdout.write(
                f"  revision {number}: {row['trades']} trades, PnL {row['pnl']}, "
                f"profit factor {figure(row['profit_factor'])}, {figure(row['expectancy_r'])} R"
            )
