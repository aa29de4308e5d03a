"""The form that edits parameters: one typed field for each, with its range and help, and the reason why."""

from __future__ import annotations

from typing import Any

from django import forms

from trading.core.param_spec import ParamsError, Spec
from trading.core.params import SPECS, Params


class RevisionForm(forms.Form):
    """Fields are made from the parameters' own descriptions; `expected_number` tells which revision was edited."""

    expected_number = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 80}),
        help_text="Why do you change this? It stays in the history for good.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, spec in SPECS.items():
            self.fields[name] = _field(name, spec)

    def clean(self) -> dict[str, Any]:
        cleaned = dict(super().clean() or {})
        values = {name: cleaned[name] for name in SPECS if name in cleaned}
        if len(values) == len(SPECS):
            try:
                Params.of(values)
            except ParamsError as error:
                for name, problem in error.problems.items():
                    self.add_error(name, problem)
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the parameters as the form has them, by name."""
        return {name: self.cleaned_data[name] for name in SPECS}

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return (group, its fields) in the order of the parameters."""
        made: dict[str, list[forms.BoundField]] = {}
        for name, spec in SPECS.items():
            made.setdefault(spec.group, []).append(self[name])
        return list(made.items())


class SymbolsField(forms.CharField):
    """Symbols separated by commas, spaces or line ends."""

    widget = forms.Textarea(attrs={"rows": 2, "cols": 80})

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


def _field(name: str, spec: Spec) -> forms.Field:
    label = name.replace("_", " ")
    about = f"{spec.help} ({spec.range_text} {spec.unit})" if spec.low is not None else spec.help
    common: dict[str, Any] = {"label": label, "help_text": about}
    if spec.kind is bool:
        return forms.BooleanField(required=False, **common)
    if spec.kind is tuple:
        return SymbolsField(required=not spec.choices, **common)
    if spec.choices:
        return forms.ChoiceField(choices=[(c, c) for c in spec.choices], **common)
    assert spec.low is not None
    assert spec.high is not None
    if spec.kind is int:
        return forms.IntegerField(min_value=int(spec.low), max_value=int(spec.high), **common)
    return forms.FloatField(min_value=spec.low, max_value=spec.high, **common)
