"""Values as JSON: money as text, moments as ISO text and as milliseconds since 1970."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.core import timeframes

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


def fields(**values: Any) -> dict[str, Json]:
    """Return `values` ready for JSON; each moment `x_at` is accompanied by `x_at_ms`."""
    told: dict[str, Json] = {}
    for name, value in values.items():
        told[name] = plain(value)
        if name == "at" or name.endswith("_at"):
            told[f"{name}_ms"] = timeframes.to_ms(value) if isinstance(value, datetime) else None
    return told


def plain(value: Any) -> Json:
    if isinstance(value, Decimal):
        return decimal(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        # JSON knows no NaN and no infinity.
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def decimal(value: Decimal) -> str:
    """Return a decimal without an exponent and without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
