"""How a parameter describes itself and how a set of values is checked against its descriptions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_SYMBOL = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{2,10}")


class ParamsError(ValueError):
    """Parameters that were refused; `problems` maps each name to one clear sentence part."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The description of one parameter. `kind` is int, float, bool, str or tuple."""

    kind: type
    default: Any
    group: str
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    risk: bool = False
    """A change of it changes how much money can be lost."""

    @property
    def range_text(self) -> str:
        if self.choices:
            return ", ".join(self.choices)
        return "" if self.low is None else f"{self.low:g} to {self.high:g}"

    def clean(self, value: Any) -> Any:
        """Return `value` in the parameter's type, or raise ValueError with what is wrong with it."""
        if self.kind is bool:
            return _boolean(value)
        if self.kind is tuple:
            return _names(value, self.choices) if self.choices else _symbols(value)
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{value!r} is not one of {self.range_text}")
            return value
        return self._within(_number(value, self.kind))

    def _within(self, value: float) -> float:
        assert self.low is not None
        assert self.high is not None
        if not self.low <= value <= self.high:
            raise ValueError(f"{value:g} is outside {self.range_text}")
        return value

    def to_json(self, value: Any) -> Any:
        return list(value) if self.kind is tuple else value


def whole(default: int, low: int, high: int, unit: str, group: str, help: str, *, risk: bool = False) -> Any:
    return _field(Spec(kind=int, default=default, low=low, high=high, unit=unit, group=group, help=help, risk=risk))


def number(default: float, low: float, high: float, unit: str, group: str, help: str, *, risk: bool = False) -> Any:
    return _field(
        Spec(kind=float, default=float(default), low=low, high=high, unit=unit, group=group, help=help, risk=risk)
    )


def switch(default: bool, group: str, help: str, *, risk: bool = False) -> Any:
    return _field(Spec(kind=bool, default=default, group=group, help=help, risk=risk))


def choice(default: str, choices: tuple[str, ...], group: str, help: str) -> Any:
    return _field(Spec(kind=str, default=default, choices=choices, group=group, help=help))


def symbols(default: tuple[str, ...], group: str, help: str) -> Any:
    return _field(Spec(kind=tuple, default=default, group=group, help=help))


def names(default: tuple[str, ...], choices: tuple[str, ...], group: str, help: str) -> Any:
    """Return a parameter that is any number of its choices, in an order that means something."""
    return _field(Spec(kind=tuple, default=default, choices=choices, group=group, help=help))


def specs_of(params: type) -> dict[str, Spec]:
    """Return the descriptions of a parameter class by name, in the order they are written."""
    return {f.name: f.metadata["spec"] for f in fields(params)}


def clean(specs: Mapping[str, Spec], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` in their types, or raise ParamsError naming every unknown or impossible one."""
    problems = {str(name): "unknown parameter" for name in values if name not in specs}
    cleaned: dict[str, Any] = {}
    for name, value in values.items():
        if name not in specs:
            continue
        try:
            cleaned[name] = specs[name].clean(value)
        except ValueError as error:
            problems[name] = str(error)
    refuse_if(problems)
    return cleaned


def refuse_if(problems: Mapping[str, str]) -> None:
    if problems:
        raise ParamsError(problems)


def _field(spec: Spec) -> Any:
    return field(default=spec.default, metadata={"spec": spec})


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _number(value: Any, kind: type) -> float:
    # bool is an int in Python, and a parameter of True is a mistake, not 1.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        finite = False
    if not finite:
        raise ValueError(f"{value!r} is not a finite number")
    if kind is int and value != int(value):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value) if kind is int else float(value)


def _symbols(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise ValueError(f"{value!r} is not a list of symbols")
    names = tuple(value)
    if not names:
        raise ValueError("at least one symbol is needed")
    bad = [name for name in names if not isinstance(name, str) or not _SYMBOL.fullmatch(name)]
    if bad:
        raise ValueError(f"{bad[0]!r} is not a symbol such as BTC/USDT")
    if len(set(names)) != len(names):
        raise ValueError("a symbol is listed twice")
    return names


def _names(value: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise ValueError(f"{value!r} is not a list of names")
    chosen = tuple(name.lower() if isinstance(name, str) else name for name in value)
    if bad := [name for name in chosen if name not in choices]:
        raise ValueError(f"{bad[0]!r} is not one of {', '.join(choices)}")
    if len(set(chosen)) != len(chosen):
        raise ValueError("a name is listed twice")
    return chosen
