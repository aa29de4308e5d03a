"""The parameters as rows: value, default, range, and what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dashboard import told
from dashboard.told import Json
from trading.core.param_spec import Spec
from trading.core.params import SPECS, Params


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRow:
    """One parameter; `place` is where its value lies in its range, in percent, where it has one."""

    name: str
    group: str
    value: str
    default: str
    unit: str
    range: str
    help: str
    is_changed: bool
    is_risk: bool
    place: int | None


def rows(params: Params) -> list[ParameterRow]:
    return [_row(name, getattr(params, name)) for name in SPECS]


def matching(rows: Sequence[ParameterRow], asked: str, *, only_changed: bool) -> list[ParameterRow]:
    """Return the rows whose name or help has every word of `asked`."""
    parts = asked.lower().replace("_", " ").split()

    def fits(row: ParameterRow) -> bool:
        text = f"{row.name} {row.name.replace('_', ' ')} {row.help} {row.group}".lower()
        return all(part in text for part in parts) and (row.is_changed or not only_changed)

    return [row for row in rows if fits(row)]


def grouped(rows: Sequence[ParameterRow]) -> list[tuple[str, list[ParameterRow]]]:
    return [(name, list(members)) for name, members in groupby(rows, key=lambda row: row.group)]


def as_json(params: Params) -> list[dict[str, Json]]:
    return [
        told.fields(
            name=name,
            group=spec.group,
            value=spec.to_json(getattr(params, name)),
            default=spec.to_json(spec.default),
            low=spec.low,
            high=spec.high,
            choices=list(spec.choices),
            unit=spec.unit,
            help=spec.help,
            is_risk=spec.risk,
            is_changed=getattr(params, name) != spec.default,
        )
        for name, spec in SPECS.items()
    ]


def words(value: Any) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    if value is None:
        return "none"
    return _figure(value) if isinstance(value, int | float) else str(value)


def place_of(name: str, value: Any) -> int | None:
    """Return where a value lies in its parameter's range, in percent."""
    spec = SPECS.get(name)
    if spec is None or spec.low is None or spec.high is None or spec.high <= spec.low:
        return None
    return round(100 * (value - spec.low) / (spec.high - spec.low)) if isinstance(value, int | float) else None


def _figure(value: float) -> str:
    """Return large numbers with commas and small ones with what digits they have: never an exponent."""
    return f"{value:,.0f}" if abs(value) >= 10_000 and value == int(value) else f"{value:.10g}"


def _range(spec: Spec) -> str:
    return spec.range_text if spec.low is None or spec.high is None else f"{_figure(spec.low)} to {_figure(spec.high)}"


def _row(name: str, value: Any) -> ParameterRow:
    spec = SPECS[name]
    is_list = isinstance(value, tuple)
    return ParameterRow(
        name=name,
        group=spec.group,
        value=f"{len(value)} in all" if is_list else words(value),
        default=f"{len(spec.default)} in all" if is_list else words(spec.default),
        unit=spec.unit,
        range=_range(spec),
        help=f"{spec.help} Now: {words(value)}." if is_list else spec.help,
        is_changed=value != spec.default,
        is_risk=spec.risk,
        place=place_of(name, value),
    )
