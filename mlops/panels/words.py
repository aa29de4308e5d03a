"""A panel as numbers and as sentences, and the few ways in which numbers are said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mlops.gemini.prompts import Value

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel at one moment: `says` explains it in sentences, `data` are the numbers that Gemini may know.

    The data hold shares and prices and no amount of the account's money: an explanation needs none.
    """

    title: str
    says: Sequence[str]
    data: Mapping[str, Value]


Snapshot = Callable[[datetime], Panel]


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else MINUS if amount < 0 else ''}{abs(amount):,.2f}"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"


def signed_percent(fraction: float) -> str:
    return f"{'+' if fraction > 0 else MINUS if fraction < 0 else ''}{100 * abs(fraction):.2f}%"


def multiple(r: float) -> str:
    return f"{'+' if r > 0 else MINUS if r < 0 else ''}{abs(r):.2f} R"


def count(number: int, one: str, many: str = "") -> str:
    """Return the number with its noun: 1 trade, 2 trades."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def spaced(name: str) -> str:
    return name.replace("_", " ")


def listed(words: Sequence[str]) -> str:
    """Return a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1] if words else "")))


def span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return f"{max(0, int(length.total_seconds()))} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"
