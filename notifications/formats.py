"""How numbers and spans read in a message."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

NOTHING = "-"


def money(value: Decimal) -> str:
    return f"{value:,.2f}"


def signed(value: Decimal) -> str:
    return f"{value:+,.2f}"


def percent(fraction: float) -> str:
    return f"{fraction:.2%}"


def signed_percent(fraction: float) -> str:
    return f"{fraction:+.2%}"


def multiple(r: float | None) -> str:
    """Return a result in units of the first risk."""
    return NOTHING if r is None else f"{r:+.2f} R"


def price(value: float | Decimal) -> str:
    """Return a price with five significant digits, and at least two behind the point."""
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        return NOTHING
    return f"{number:,.{max(2, 4 - math.floor(math.log10(number)))}f}"


def quantity(value: Decimal) -> str:
    return f"{value.normalize():,f}"


def span(delta: timedelta) -> str:
    """Return a duration in its two largest units."""
    seconds = max(0, int(delta.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def moment(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M}" if at else NOTHING


def words(name: str) -> str:
    """Return an identifier as people write it."""
    return name.replace("_", " ")
