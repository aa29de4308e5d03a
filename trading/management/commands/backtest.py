"""manage.py backtest: what replay would find, in a thousandth of the time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from trading import backtest
from trading.core.params import Params
from trading.management import result_files
from trading.management.commands import replay
from trading.research import page, performance, picture
from trading.research.picture import Report


class Command(replay.Command):
    help = "Backtest stored candles and write what came of it; arguments and result are those of replay."
    engine = staticmethod(backtest.run)
    requires_system_checks = []  # they import every page, which takes longer than the backtest

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--html", type=Path, metavar="OUT", help="file for a page with curves and figures")
        parser.add_argument("--png", type=Path, metavar="OUT", help="file for a picture of the curves")
        parser.add_argument(
            "--universe",
            choices=("listed", "scans"),
            default="listed",
            help="trade all --symbols, or at each bar those of them that the scans of the time ranked best",
        )
        parser.add_argument("--top", type=int, help="with --universe scans, how many (default: watch_count)")
        parser.add_argument("--csv", type=Path, metavar="OUT", help="file for the trades")

    def handle(self, **options: Any) -> None:
        asked: tuple[tuple[Path | None, Callable[[Report], bytes]], ...] = (
            (options["html"], lambda report: page.html(report).encode()),
            (options["png"], lambda report: picture.png(report, picture.backtest)),
            (options["csv"], lambda report: page.trades(report).encode()),
        )
        self._files = [(path, make) for path, make in asked if path]
        result_files.refuse_no_folder(**{name: options[name] for name in ("html", "png", "csv")})
        super().handle(**options)

    def further(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["universe"] == "listed":
            return {}
        top = Params().watch_count if options["top"] is None else options["top"]
        if top < 1:
            raise CommandError(f"--top {top}: give 1 or more", returncode=2)
        return {"top": top}

    def say(self, report: dict[str, Any]) -> None:
        for line in performance.table(report):
            self.stdout.write(line)
        for path, make in self._files:
            result_files.write_bytes(path, make(report))
