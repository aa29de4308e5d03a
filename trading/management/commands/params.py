"""manage.py params: show, check, propose, compare, put in force and roll back parameters, as the pages do."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.models import DraftStatus, ParameterDraft, ParameterRevision
from trading.research.judgement import FIGURES, SUMMED
from trading.services import backtesting, gate, lease, parameters

MISTAKES = (
    *(ParamsError, parameters.RevisionConflict, parameters.NothingToRollBack),
    *(gate.GateRefused, backtesting.RunRefused),
)


class Command(BaseCommand):
    help = "Show, check, propose, compare, put in force and roll back parameters."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        show = acts.add_parser("show", help="the parameters in force, the last revisions and the open drafts")
        show.add_argument("names", nargs="*", help="only these parameters")
        for act, text in (
            ("validate", "check values; nothing is written"),
            ("set", "propose values: what only lowers the risk is in force at once, the rest is compared first"),
        ):
            changes = acts.add_parser(act, help=text)
            changes.add_argument("values", nargs="+", metavar="NAME VALUE", help="as many pairs as you like")
            if act == "set":
                _who(changes)
        compare = acts.add_parser(
            "compare", help="show a draft beside what was in force; made now if no worker has begun"
        )
        compare.add_argument("draft", type=int)
        activate = acts.add_parser("activate", help="put a draft in force whatever the gate found")
        activate.add_argument("draft", type=int)
        _who(activate)
        discard = acts.add_parser("discard", help="give a draft up")
        discard.add_argument("draft", type=int)
        discard.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")
        back = acts.add_parser("rollback", help="put an earlier revision's values in force again")
        back.add_argument("revision", type=int)
        _who(back)

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except MISTAKES as error:
            raise CommandError(str(error), returncode=2) from error

    def _show(self, options: dict[str, Any]) -> None:
        revision = parameters.current(now=timezone.now())
        values = parameters.params_of(revision).as_json()
        if unknown := [name for name in options["names"] if name not in SPECS]:
            raise CommandError(f"{unknown[0]} is no parameter: params show lists them", returncode=2)
        for name in options["names"] or SPECS:
            self.stdout.write(f"{name} = {json.dumps(values[name])}")
        if options["names"]:
            return
        self.stdout.write("")
        for row in ParameterRevision.objects.order_by("-number")[:5]:
            self.stdout.write(f"revision {row.number} by {row.author_name}, {row.get_gate_display()}: {row.reason}")
        for draft in ParameterDraft.objects.filter(status__in=gate.OPEN).order_by("pk"):
            self.stdout.write(f"draft {draft.pk} by {draft.author_name}, {_state(draft)}")

    def _validate(self, options: dict[str, Any]) -> None:
        before = parameters.params_of(parameters.current(now=timezone.now())).as_json()
        Params.of({**before, **_values(options["values"])})
        self.stdout.write("These values are possible together with those in force.")

    def _set(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        made = parameters.propose(
            values=_values(options["values"]),
            reason=options["reason"],
            author=None,
            expected_number=parameters.current(now=now).number,
            now=now,
            by=options["by"],
        )
        self.stdout.write(made.text)

    def _compare(self, options: dict[str, Any]) -> None:
        from trading import runs  # it loads the compiled engine

        draft = self._draft(options["draft"])
        if draft.status == DraftStatus.WAITING and draft.run:
            held = backtesting.claim(owner=lease.process_name(), clock=timezone.now, only=draft.run.pk)
            if held:
                runs.perform(held)
            gate.settle(margins=runs.margins(), now=timezone.now())
            draft.refresh_from_db()
        for change in draft.changes:
            self.stdout.write(f"{change['name']}: {json.dumps(change['old'])} -> {json.dumps(change['new'])}")
        if draft.comparison:
            self.stdout.write(f"{'':<20}{'in force':>14}{'proposed':>14}")
            for name in (*SUMMED, *FIGURES):
                sides = (draft.comparison[side].get(name) for side in ("active", "candidate"))
                self.stdout.write(f"{name:<20}" + "".join(f"{_figure(value):>14}" for value in sides))
        self.stdout.write(f"draft {draft.pk}: {_state(draft)}")
        if draft.status == DraftStatus.HELD:
            raise CommandError(f"draft {draft.pk} is held back", returncode=1)

    def _activate(self, options: dict[str, Any]) -> None:
        made = gate.overrule(
            options["draft"], reason=options["reason"], author=None, by=options["by"], now=timezone.now()
        )
        self.stdout.write(f"Revision {made.number} is in force from the next tick on; the gate was overruled.")

    def _discard(self, options: dict[str, Any]) -> None:
        gate.discard(options["draft"], by=options["by"], now=timezone.now())
        self.stdout.write(f"Draft {options['draft']} was discarded.")

    def _rollback(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        made = parameters.roll_back(
            number=options["revision"],
            reason=options["reason"],
            author=None,
            expected_number=parameters.current(now=now).number,
            now=now,
            by=options["by"],
        )
        self.stdout.write(
            f"Revision {made.number} is in force from the next tick on, with the values of {options['revision']}."
        )

    def _draft(self, pk: int) -> ParameterDraft:
        draft = ParameterDraft.objects.select_related("run").filter(pk=pk).first()
        if draft is None:
            raise gate.GateRefused(f"there is no draft {pk}: params show lists those that are open")
        return draft


def _who(parser: Any) -> None:
    parser.add_argument("--reason", required=True, help="why, for the history")
    parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")


def _values(words: list[str]) -> dict[str, Any]:
    """Return NAME VALUE pairs in the parameters' own types; what is no JSON is text, or symbols by comma."""
    if len(words) % 2:
        raise CommandError("give names and values in pairs, such as: stop_atr 2.5", returncode=2)
    made: dict[str, Any] = {}
    for name, written in zip(words[::2], words[1::2], strict=True):
        try:
            made[name] = json.loads(written)
        except ValueError:
            made[name] = written
        if name in SPECS and SPECS[name].kind is tuple and isinstance(made[name], str):
            made[name] = written.replace(",", " ").split()
    return made


def _state(draft: ParameterDraft) -> str:
    return f"{draft.get_status_display()}{': ' if draft.finding else ''}{draft.finding}"


def _figure(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
