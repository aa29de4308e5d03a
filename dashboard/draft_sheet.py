"""Changes of parameters as their pages show them: what differs, where both values lie in the range, what the gate found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import BoundField

from dashboard import parameter_sheet
from dashboard.formats import MINUS, NOTHING, words
from dashboard.parameter_sheet import ParameterRow
from trading.core import caution
from trading.core.params import SPECS, Params
from trading.forms import RevisionForm
from trading.models import ParameterDraft
from trading.research.judgement import FIGURES, SUMMED


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One parameter before and after; the places are in percent of its range, where it has one."""

    name: str
    old: str
    new: str
    unit: str
    help: str
    is_risk: bool
    old_place: int | None
    new_place: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One figure of both sides; `passed` is None where no rule of the gate looks at it."""

    name: str
    active: str
    candidate: str
    passed: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRow:
    """One field to edit, beside what is in force."""

    field: BoundField
    row: ParameterRow
    now: str
    """The value in force as the field would send it, so that the page can tell what was edited."""


def changes(told: Sequence[Mapping[str, Any]]) -> list[ChangeRow]:
    """Return rows of `{name, old, new}` as revisions and drafts keep them."""
    return [_change(str(each["name"]), each.get("old"), each.get("new")) for each in told]


def between(old: Params, new: Params) -> list[ChangeRow]:
    return [
        _change(name, spec.to_json(before), spec.to_json(after))
        for name, spec in SPECS.items()
        if (before := getattr(old, name)) != (after := getattr(new, name))
    ]


def fate(old: Params, new: Params) -> str:
    """Return in a sentence what would become of this proposal."""
    if old == new:
        return "Nothing would change: these are the values in force."
    if caution.is_safer(old, new):
        return "This only lowers the risk: it comes into force with the next tick."
    return (
        "This is compared with what is in force on the newest candles first, and comes into force if it is not worse."
    )


def figures(draft: ParameterDraft) -> list[FigureRow]:
    """Return both sides' figures with the verdicts of the rules that look at them; none before the comparison is done."""
    found = draft.comparison
    if not found:
        return []
    verdicts = {each["name"]: each for each in found["findings"]}
    rows = [
        _figure(name, found["active"].get(name), found["candidate"].get(name), verdicts.get(name))
        for name in (*SUMMED, *FIGURES)
    ]
    parts = verdicts.get("parts")
    return [*rows, _figure("parts that keep up", parts["active"], parts["candidate"], parts)] if parts else rows


def form_groups(form: RevisionForm, params: Params) -> list[tuple[str, list[FormRow]]]:
    known = {row.name: row for row in parameter_sheet.rows(params)}
    return [
        (group, [FormRow(field=field, row=known[field.name], now=_as_sent(params, field)) for field in fields])
        for group, fields in form.groups()
    ]


def _as_sent(params: Params, field: BoundField) -> str:
    value = getattr(params, field.name)
    if isinstance(value, bool):
        return "on" if value else ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _change(name: str, old: Any, new: Any) -> ChangeRow:
    spec = SPECS.get(name)
    return ChangeRow(
        name=name,
        old=parameter_sheet.words(old),
        new=parameter_sheet.words(new),
        unit=spec.unit if spec else "",
        help=spec.help if spec else "a parameter that is no more",
        is_risk=bool(spec and spec.risk),
        old_place=parameter_sheet.place_of(name, old),
        new_place=parameter_sheet.place_of(name, new),
    )


def _figure(name: str, active: object, candidate: object, verdict: Mapping[str, Any] | None) -> FigureRow:
    is_fraction = name.endswith("_fraction") or name == "win_rate"
    return FigureRow(
        name=words(name.removesuffix("_fraction")),
        active=_number(active, is_fraction=is_fraction),
        candidate=_number(candidate, is_fraction=is_fraction),
        passed=bool(verdict["passed"]) if verdict else None,
        text=str(verdict["text"]) if verdict else "",
    )


def _number(value: object, *, is_fraction: bool) -> str:
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | str):
        return NOTHING
    if isinstance(value, str):
        value = float(value)
    text = f"{value:.2%}" if is_fraction else f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return text.replace("-", MINUS)
