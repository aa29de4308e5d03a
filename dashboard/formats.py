"""How numbers and spans read on every screen: money, prices, percent, R, durations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A gain or a loss: a sign and an arrow say it as well as the colour."""

    text: str
    tone: str
    """gain, loss or flat; a CSS class."""


def money(value: Decimal) -> str:
    return f"{value:,.2f}".replace("-", MINUS)


def signed_money(value: Decimal) -> Signed:
    return _signed(f"{value:+,.2f}")


def percent(fraction: float) -> str:
    return f"{fraction:.2%}".replace("-", MINUS)


def signed_percent(fraction: float) -> Signed:
    return _signed(f"{fraction:+.2%}")


def basis_points(fraction: float) -> str:
    """Return what is too small for percent, signed, in hundredths of a percent."""
    text = f"{10_000 * fraction:+.1f}"
    return f"{text.lstrip('+-') if float(text) == 0 else text.replace('-', MINUS)} bp"


def multiple(r: float) -> Signed:
    """Return a result in units of the first risk."""
    return _signed(f"{r:+.2f} R")


def price(value: float | Decimal) -> str:
    """Return a price with five significant digits, and at least two behind the point."""
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        return NOTHING
    places = max(2, 4 - math.floor(math.log10(number)))
    return f"{number:,.{places}f}"


def quantity(value: Decimal) -> str:
    return f"{value.normalize():,f}"


def span(delta: timedelta) -> str:
    """Return a duration in its two largest units."""
    if timedelta() < delta < timedelta(minutes=1):
        return f"{math.ceil(delta.total_seconds())} s"
    minutes = int(delta.total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def words(name: str) -> str:
    """Return an identifier as people write it."""
    return name.replace("_", " ")


def _signed(text: str) -> Signed:
    if not any(digit in text for digit in "123456789"):
        return Signed(text.lstrip("+-"), "flat")
    if text.startswith("-"):
        return Signed(f"▼ {text.replace('-', MINUS)}", "loss")
    return Signed(f"▲ {text}", "gain")
