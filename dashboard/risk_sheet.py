"""Limits as headroom bars: what is used, what is allowed, and what happens there."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import formats, told
from dashboard.told import Json
from trading.selectors import Limit

LABELS = {
    "open_trades": "Open trades",
    "open_risk": "Open risk",
    "leverage": "Notional of all positions",
    "daily_loss": "Loss of the day",
    "weekly_loss": "Loss of the week",
    "drawdown": "Drawdown from the peak",
    "losses_in_row": "Losses in a row",
    "cool_down": "Cool-down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One limit; `used` is in percent, `words` says the state without colour."""

    label: str
    value: str
    limit: str
    used: int
    effect: str
    is_reached: bool
    words: str


def bar(limit: Limit) -> Bar:
    used = round(100 * min(max(limit.value / limit.limit, 0.0), 1.0)) if limit.limit > 0 else 100 * limit.is_reached
    running = "runs" if limit.is_reached else "none"
    return Bar(
        label=LABELS[limit.name],
        value=_amount(limit.value, limit.unit),
        limit=_amount(limit.limit, limit.unit),
        used=used,
        effect=limit.effect,
        is_reached=limit.is_reached,
        words=running if limit.name == "cool_down" else "reached" if limit.is_reached else f"{100 - used}% left",
    )


def as_json(limit: Limit) -> dict[str, Json]:
    return told.fields(
        name=limit.name,
        value=limit.value,
        limit=limit.limit,
        unit=limit.unit,
        headroom=max(0.0, limit.limit - limit.value) if limit.name != "cool_down" else None,
        is_reached=limit.is_reached,
        effect=limit.effect,
    )


def _amount(value: float, unit: str) -> str:
    if unit == "fraction":
        return formats.percent(value)
    if unit == "times":
        return f"{value:.2f} {formats.TIMES} equity"
    return f"{value:.0f} min" if unit == "minutes" else f"{value:.0f}"
