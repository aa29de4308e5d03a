"""What a study of a backtest may be asked, checked before anybody computes: plain values with their ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.core.params import SPECS

METHODS = ("grid", "random", "optuna")
OBJECTIVES = ("sharpe", "sortino", "calmar", "omega", "profit_factor", "expectancy_r", "sqn", "return_fraction")
KINDS = ("sweep", "walk", "montecarlo")
MOST_AXES = 4
NOT_SOUGHT = ("timeframe", "pairs", "entry_order")


class PlanError(ValueError):
    """A study that cannot be made: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of a plan, with its default and its range."""

    name: str
    default: float
    low: float
    high: float
    help: str
    is_whole: bool = True


SEARCH = (
    Number(name="points", default=50, low=2, high=2000, help="points to try, but for a grid"),
    Number(name="min_trades", default=10, low=0, high=10_000, help="fewer closed trades have no score"),
)
WALK = (
    Number(name="train", default=20, low=1, high=1000, help="days to search on"),
    Number(name="test", default=5, low=1, high=365, help="days to trade after them"),
)
MONTECARLO = (
    Number(name="draws", default=1000, low=10, high=100_000, help="of trades and days"),
    Number(name="noise_draws", default=20, low=0, high=1000, help="of candles with noise"),
    Number(name="noise", default=0.1, low=0, high=10, help="of a usual bar's range", is_whole=False),
    Number(name="confidence", default=0.95, low=0.5, high=0.999, help="of the intervals", is_whole=False),
)
NUMBERS: Mapping[str, tuple[Number, ...]] = {"sweep": SEARCH, "walk": (*SEARCH, *WALK), "montecarlo": MONTECARLO}


def checked(kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of a study with its defaults; empty values count as not given. Raises PlanError."""
    plan: dict[str, Any] = {number.name: _number(number, asked.get(number.name)) for number in NUMBERS[kind]}
    if kind == "montecarlo":
        return plan
    plan["method"] = _choice("method", asked.get("method"), METHODS)
    plan["objective"] = _choice("objective", asked.get("objective"), OBJECTIVES)
    plan["vary"] = _axes(asked.get("vary"))
    if kind == "walk":
        plan["is_anchored"] = str(asked.get("is_anchored", "")).lower() in ("1", "true", "on", "yes")
    return plan


def _number(number: Number, value: Any) -> float:
    if value is None or value == "":
        return int(number.default) if number.is_whole else number.default
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not number.low <= found <= number.high or (number.is_whole and not found.is_integer()):
        kind = "a whole number" if number.is_whole else "a number"
        raise PlanError(number.name, f"{str(value)[:20]!r} is not {kind} from {number.low:g} to {number.high:g}")
    return int(found) if number.is_whole else found


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value in (None, ""):
        return choices[0]
    if value not in choices:
        raise PlanError(name, f"{str(value)[:20]!r} is none of {', '.join(choices)}")
    return str(value)


def _axes(value: Any) -> list[str]:
    """Return the parameters to vary; what each says is read by the search itself."""
    parts = [str(part) for part in value] if isinstance(value, list | tuple) else str(value or "").split()
    if not 1 <= len(parts) <= MOST_AXES:
        raise PlanError(
            "vary", f"name 1 to {MOST_AXES} parameters with their values, as in stop_atr=1:4:0.5 target_one_r=1.5,2"
        )
    for part in parts:
        name = part.partition("=")[0]
        if name not in SPECS or name in NOT_SOUGHT:
            raise PlanError("vary", f"{name[:40]!r} is no parameter that can be searched: see the parameters page")
    return parts
