"""Values as JSON: money as text, moments as ISO text and as milliseconds since 1970."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.core import timeframes

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


def fields(**values: Any) -> dict[str, Json]:
    """Return `values` ready for JSON; each moment `x_at` is accompanied by `x_at_ms`."""
    told: dict[str, Json] = {}
    for name, value in values.items():
        told[name] = value if type(value) in _AS_THEY_ARE else plain(value)
        if name.endswith("_at") or name == "at":
            told[f"{name}_ms"] = timeframes.to_ms(value) if isinstance(value, datetime) else None
    return told


def plain(value: Any) -> Json:
    told = _BY_TYPE.get(type(value))
    if told is not None:
        return told(value)
    # A type of Django's or of ours that is one of these, such as a choice.
    for kind, by_kind in _BY_TYPE.items():
        if isinstance(value, kind):
            return by_kind(value)
    return str(value)


def decimal(value: Decimal) -> str:
    """Return a decimal without an exponent and without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _as_it_is(value: Any) -> Json:
    return value  # type: ignore[no-any-return]


def _dict(value: dict[Any, Any]) -> Json:
    return {str(name): plain(inner) for name, inner in value.items()}


def _list(value: list[Any] | tuple[Any, ...]) -> Json:
    return [plain(inner) for inner in value]


def _moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _float(value: float) -> float | None:
    # JSON knows no NaN and no infinity.
    return value if math.isfinite(value) else None


_AS_THEY_ARE = frozenset({type(None), bool, int, str})
_BY_TYPE: dict[type, Callable[[Any], Json]] = {
    **dict.fromkeys((type(None), bool, int, str), _as_it_is),
    Decimal: decimal,
    float: _float,
    datetime: _moment,
    date: date.isoformat,
    timedelta: timedelta.total_seconds,
    dict: _dict,
    list: _list,
    tuple: _list,
}
"""Looked up by type, for a list of fifty rows tells two thousand values; the order is that in which others are tried."""
