"""manage.py runs: ask for backtests that run beside trading; list, show, compare and cancel them."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.core import study_plan
from trading.core.param_spec import ParamsError
from trading.core.params import Params
from trading.core.study_plan import PlanError
from trading.management import arguments
from trading.management.arguments import whole
from trading.models import BacktestRun, RunKind
from trading.research import judgement
from trading.services import backtesting

SHOWN = 20


class Command(BaseCommand):
    help = "Ask for backtests that run beside trading; list, show, compare and cancel them."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        start = acts.add_parser("start", help="ask for a backtest or a study; the research workers make it together")
        start.add_argument(
            "--kind", choices=("backtest", *study_plan.KINDS), default="backtest", help="(default: %(default)s)"
        )
        arguments.add_stretch(start)
        start.add_argument("--seed", type=whole(0), help="draw each fill's slippage at random (default: constant)")
        start.add_argument("--note", default="", help="what you want to find out")
        start.add_argument("--by", default=getpass.getuser(), help="who asks (default: %(default)s)")
        _add_plan(start)
        acts.add_parser("list", help=f"the last {SHOWN} runs")
        for act, text in (("show", "a run, its log and its figures"), ("cancel", "stop a run at its next step")):
            one = acts.add_parser(act, help=text)
            one.add_argument("run", type=int)
            if act == "cancel":
                one.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")
            else:
                one.add_argument("--json", action="store_true", help="print the whole result as JSON")
        compare = acts.add_parser("compare", help="up to four runs side by side")
        compare.add_argument("runs", type=int, nargs="+")
        compare.add_argument("--json", action="store_true", help="print it as JSON")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except PlanError as error:
            raise CommandError(f"--{error.field.replace('_', '-')}: {error}", returncode=2) from error
        except (backtesting.RunRefused, ParamsError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _start(self, options: dict[str, Any]) -> None:
        asked = arguments.stretch(options)
        params = Params.of({**asked["values"], "timeframe": asked["timeframe"], "pairs": asked["symbols"]})
        kind = RunKind(options["kind"])
        run = backtesting.queue(
            params=params,
            exchange=asked["exchange"],
            start=asked["start"],
            end=asked["end"],
            seed=options["seed"],
            note=options["note"],
            author=None,
            by=options["by"],
            now=timezone.now(),
            kind=kind,
            plan=None if kind == RunKind.BACKTEST else study_plan.checked(kind, options),
        )
        self.stdout.write(f"Run {run.pk} waits for the research worker: runs show {run.pk}")

    def _list(self, options: dict[str, Any]) -> None:
        for run in BacktestRun.objects.defer("result", "log").order_by("-pk")[:SHOWN]:
            self.stdout.write(_line(run))

    def _show(self, options: dict[str, Any]) -> None:
        run = _run(options["run"])
        if options["json"]:
            self.stdout.write(json.dumps(run.result, indent=1, allow_nan=False))
            return
        self.stdout.write(_line(run))
        for line in run.log:
            self.stdout.write(f"  {line['at']} {line['text']}")
        if run.data_hash:
            self.stdout.write(f"candles {run.data_hash}, Julaba {run.code_version}")
        if run.result and run.kind == RunKind.BACKTEST:
            for name, value in judgement.figures(run.result).items():
                self.stdout.write(f"{name:<20}{json.dumps(value)}")

    def _cancel(self, options: dict[str, Any]) -> None:
        backtesting.cancel(options["run"], by=options["by"], now=timezone.now())
        self.stdout.write(f"Run {options['run']} is canceled.")

    def _compare(self, options: dict[str, Any]) -> None:
        found = backtesting.compare([_run(pk) for pk in options["runs"]])
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=1, allow_nan=False))
            return
        self.stdout.write(f"{'':<28}" + "".join(f"{name:>18}" for name in found["runs"]))
        for part in ("parameters", "figures"):
            for name, values in found[part].items():
                self.stdout.write(f"{name:<28}" + "".join(f"{json.dumps(value):>18}" for value in values))
        if not found["same_candles"]:
            self.stdout.write("These runs were made on different candles.")


def _add_plan(parser: CommandParser) -> None:
    """Take what a study may be asked; the plan itself says what is missing or out of range."""
    study = parser.add_argument_group("of a study, with --kind")
    study.add_argument("--vary", nargs="+", metavar="NAME=VALUES", help="sweep, walk: such as stop_atr=1,2,3")
    study.add_argument("--method", choices=study_plan.METHODS, help="sweep, walk: how points are chosen")
    study.add_argument("--objective", choices=study_plan.OBJECTIVES, help="sweep, walk: what makes a point good")
    study.add_argument("--anchored", dest="is_anchored", action="store_true", help="walk: search on everything before")
    for number in (*study_plan.SEARCH, *study_plan.WALK, *study_plan.MONTECARLO):
        kinds = ", ".join(kind for kind, numbers in study_plan.NUMBERS.items() if number in numbers)
        study.add_argument(
            f"--{number.name.replace('_', '-')}",
            metavar="N",
            help=f"{kinds}: {number.help} (default: {number.default})",
        )


def _run(pk: int) -> BacktestRun:
    run = BacktestRun.objects.filter(pk=pk).first()
    if run is None:
        raise backtesting.RunRefused(f"there is no run {pk}: runs list shows the last ones")
    return run


def _line(run: BacktestRun) -> str:
    what = f"{len(run.symbols)} symbols {run.timeframe}"
    extra = "".join(f", {text}" for text in (run.note, run.error) if text)
    return f"{run.pk}: {run.kind} of {what} by {run.requested_by_name}, {run.status} {run.progress} %{extra}"
