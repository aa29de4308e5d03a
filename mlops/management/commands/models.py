"""manage.py models: list the models and trainings, promote, retire and roll back, each with who and why."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlops import registry, runs
from mlops.models import ModelKind, ModelVersion, TrainingRun

SHOWN = 20


class Command(BaseCommand):
    help = "List models and trainings; promote, retire and roll back models."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help=f"the last {SHOWN} models")
        acts.add_parser("runs", help=f"the last {SHOWN} trainings")
        show = acts.add_parser("show", help="a model and its figures, as JSON")
        show.add_argument("kind", choices=ModelKind.values)
        show.add_argument("number", type=int)
        for act, text in (("promote", "make a model the champion"), ("retire", "take a model out")):
            one = acts.add_parser(act, help=text)
            one.add_argument("kind", choices=ModelKind.values)
            one.add_argument("number", type=int)
            _who_and_why(one)
        back = acts.add_parser("roll-back", help="make the champion before this one the champion again")
        back.add_argument("kind", choices=ModelKind.values)
        _who_and_why(back)
        cancel = acts.add_parser("cancel", help="stop a training at its next step")
        cancel.add_argument("run", type=int)
        cancel.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act.replace('-', '_')}")(options)
        except (registry.ModelRefused, runs.TrainingRefused) as error:
            raise CommandError(str(error), returncode=2) from error

    def _list(self, options: dict[str, Any]) -> None:
        for version in ModelVersion.objects.order_by("-pk")[:SHOWN]:
            self.stdout.write(
                f"{version}: {version.status}, {version.samples} samples of {version.venue}, "
                f"AUC {_figure(version, 'auc')}, Brier {_figure(version, 'brier')} against "
                f"{_figure(version, 'brier_base')}, influence {version.influence:.2f}, {version.reason}"
            )

    def _runs(self, options: dict[str, Any]) -> None:
        for run in TrainingRun.objects.select_related("version").order_by("-pk")[:SHOWN]:
            what = f", {run.version}" if run.version else ""
            error = f", {run.error}" if run.error else ""
            self.stdout.write(
                f"{run.pk}: {run.kind} by {run.requested_by_name}, {run.status} {run.progress} %{what}{error}"
            )

    def _show(self, options: dict[str, Any]) -> None:
        from mlops import making

        found = making.describe(_version(options["kind"], options["number"]))
        self.stdout.write(json.dumps(found, indent=1, allow_nan=False))

    def _promote(self, options: dict[str, Any]) -> None:
        version = _version(options["kind"], options["number"])
        registry.promote(version, by=options["by"], reason=options["reason"], now=timezone.now())
        self.stdout.write(f"{version} is the champion.")

    def _retire(self, options: dict[str, Any]) -> None:
        version = _version(options["kind"], options["number"])
        registry.retire(version, by=options["by"], reason=options["reason"], now=timezone.now())
        self.stdout.write(f"{version} is retired.")

    def _roll_back(self, options: dict[str, Any]) -> None:
        version = registry.roll_back(options["kind"], by=options["by"], reason=options["reason"], now=timezone.now())
        self.stdout.write(f"{version} is the champion again.")

    def _cancel(self, options: dict[str, Any]) -> None:
        runs.cancel(options["run"], by=options["by"], now=timezone.now())
        self.stdout.write(f"Training {options['run']} is canceled.")


def _who_and_why(parser: CommandParser) -> None:
    parser.add_argument("--reason", required=True, help="why, for the record")
    parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")


def _version(kind: str, number: int) -> ModelVersion:
    found = ModelVersion.objects.filter(kind=kind, number=number).first()
    if found is None:
        raise registry.ModelRefused(f"there is no {kind} {number}: models list shows the last ones")
    return found


def _figure(version: ModelVersion, name: str) -> str:
    value = version.metrics.get(name)
    return "-" if value is None else f"{value:.4f}"
