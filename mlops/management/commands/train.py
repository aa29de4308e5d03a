"""manage.py train: backtest, samples, model, judgement, and the champion where the rule says so, in one command.

0: a model that passed. 1: done, and the model was refused. 2: something was asked that cannot be done.
"""

from __future__ import annotations

import getpass
import json as text
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlops.models import ModelKind, ModelStatus, ModelVersion, TrainingRun
from mlops.runs import TrainingRefused
from trading.models import RunStatus
from trading.services import lease

LISTED = 10


class Command(BaseCommand):
    help = (
        "Train the predictor or the regime classifier on what setups of the past came to, and judge it out of sample."
    )
    requires_system_checks = []  # they import every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=ModelKind.values)
        parser.add_argument(
            "--candles",
            choices=("traded", "simulated", "stored"),
            default="traded",
            help="those that are traded on, the simulated market, or imported ones (default: %(default)s)",
        )
        parser.add_argument("--symbols", nargs="+", metavar="BTC/USDT", help="(default: the pairs in force)")
        parser.add_argument("--timeframe", help="such as 15m (default: the one in force)")
        parser.add_argument(
            "--bars", type=int, help="newest bars of each symbol (default: GATE_BARS; stored ones: all)"
        )
        parser.add_argument("--exchange", default="import", help="where stored candles are from (default: %(default)s)")
        parser.add_argument(
            "--setups",
            choices=("every", "taken"),
            default="every",
            help="every setup followed alone, or those that one account would have taken (default: %(default)s)",
        )
        parser.add_argument("--threads", type=int, default=2, help="at most 2 (default: %(default)s)")
        parser.add_argument("--by", default=getpass.getuser(), help="who trains (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="print what came of it as JSON")

    def handle(self, *, kind: str, json: bool, by: str, **options: Any) -> None:
        from mlops import making

        names = ("candles", "symbols", "timeframe", "bars", "exchange", "setups", "threads")
        chosen = {name: options[name] for name in names if options[name] is not None}
        run = self._run(kind, chosen, by)
        if run.status != RunStatus.DONE or run.version is None:
            raise CommandError(run.error or "the training was stopped", returncode=2)
        if json:
            self.stdout.write(text.dumps(making.describe(run.version), indent=1, allow_nan=False))
        else:
            self._say(run.version)
        if run.version.status == ModelStatus.REFUSED:
            raise SystemExit(1)

    def _run(self, kind: str, options: dict[str, Any], by: str) -> TrainingRun:
        """Make a training in this process, and return its row."""
        from mlops import pipeline, runs

        for name in ("bars", "threads"):
            if name in options and options[name] < 1:
                raise CommandError(f"--{name} {options[name]}: give 1 or more", returncode=2)
        try:
            run = runs.queue(kind, options=options, by=by, now=timezone.now())
        except TrainingRefused as error:
            raise CommandError(str(error), returncode=2) from error
        held = runs.claim(owner=lease.process_name(), clock=timezone.now, only=run.pk)
        if held is None:
            raise CommandError("a worker was faster and makes this training: see manage.py models runs", returncode=2)
        try:
            pipeline.perform(held, self._progress)
        finally:
            if self.stderr.isatty():
                self.stderr.write("\r" + " " * 79 + "\r", ending="")
        run.refresh_from_db()
        return run

    def _progress(self, percent: int, said: str) -> None:
        """Show how far it is, where a person looks on."""
        if self.stderr.isatty() and said:
            self.stderr.write(f"\r{percent:3d} % {said[:70]:<72}", ending="")

    def _say(self, version: ModelVersion) -> None:
        self.stdout.write(f"{version}: {version.get_status_display()}, {version.reason}")
        self.stdout.write(f"{version.samples} samples of {version.venue} in {version.timeframe} bars")
        for name, value in version.metrics.items():
            self.stdout.write(f"{name:<20}{text.dumps(value)}")
        for name, share in list(version.importance.items())[:LISTED]:
            self.stdout.write(f"{name.replace('_', ' '):<20}{share:.1%} of what all splits gained")
