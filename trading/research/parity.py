"""Whether two engines made the same of the same past: parameters drawn at random, and reports compared trade by trade."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from trading.core import indicators
from trading.core.param_spec import ParamsError, Spec
from trading.core.params import ADVICE, SELECTION, SPECS, Params

FIXED = ("timeframe", "pairs", "entry_order", *ADVICE, *SELECTION)
"""What a draw leaves alone: the caller says it, or a backtest does not model it."""
OPEN_DOORS = ("score_min_", "adx_min_", "volume_min", "confluence_min", "cost_multiple")

CAUSES = {
    "signal_bar": "one engine found or took a setup that the other did not: compare the refusals",
    "strategy": "the strategies answered differently for the bar",
    "regime": "the indicators differed for the bar",
    "side": "the strategies answered differently for the bar",
    "entry_time": "the order was filled at another tick",
    "entry_price": "slippage or the price grid",
    "quantity": "the size: equity, risk factors or limits at the entry",
    "risk_fraction": "the size: equity, risk factors or limits at the entry",
    "stop": "the distance of the stop, or the price grid",
    "targets": "the exit levels, or the price grid",
    "exits": "the position machine: which level a bar reached, or in which order",
    "closed_time": "the position machine: which level a bar reached, or in which order",
    "exit_reason": "the position machine: which level a bar reached, or in which order",
    "fees": "the rounding of money",
    "pnl": "the rounding of money",
}
"""Where to look, by the first field of a trade that differs."""
TOTALS = ("setups", "setups_by_strategy", "taken", "refusals", "failed_verdicts", "summary")
BALANCES = ("initial_balance", "final_balance", "final_equity", "peak_equity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many trades were compared, and each difference as a sentence."""

    compared: int
    differences: Sequence[str]


def compare(replayed: Mapping[str, Any], tested: Mapping[str, Any]) -> Comparison:
    """Compare the reports of replay and backtest; a trade that differs is one difference, as is a total."""
    pairs = list(zip_longest(replayed["trades"], tested["trades"]))
    found = [text for number, pair in enumerate(pairs, 1) if (text := _trade(number, *pair))]
    found += [
        f"{name}: replay {replayed[name]}, backtest {tested[name]}"
        for name in (*TOTALS, *BALANCES)
        if replayed[name] != tested[name]
    ]
    return Comparison(compared=len(pairs), differences=found)


def draws(seed: int, runs: int, *, timeframe: str, pairs: Sequence[str], bars: int) -> Iterator[Params]:
    """Yield valid parameters at random, run after run; run n of a seed is always the same.

    Half of the runs have their filters wide open, since parameters that never trade prove little. Indicators never
    need more than half of `bars`.
    """
    for run in range(runs):
        yield draw(np.random.default_rng([seed, run]), timeframe=timeframe, pairs=pairs, bars=bars)


def draw(rng: np.random.Generator, *, timeframe: str, pairs: Sequence[str], bars: int) -> Params:
    """Return valid parameters within their ranges: each its default, something near it, or anything."""
    is_open = rng.random() < 0.5
    fixed = {"timeframe": timeframe, "pairs": list(pairs)}
    values: dict[str, Any] = {name: _value(spec, rng) for name, spec in SPECS.items() if name not in FIXED}
    if is_open:
        values |= {name: 0 for name in values if name.startswith(OPEN_DOORS)}
        values |= {"trend_entries": True, "reversion_entries": True, "slippage": min(values["slippage"], 0.002)}
    while True:
        try:
            params = Params.of({**values, **fixed})
        except ParamsError as error:
            _forget(values, error)
            continue
        if 2 * indicators.warmup_bars(params) <= bars:
            return params
        values = {name: value for name, value in values.items() if SPECS[name].unit != "bars" or name == "time_stop"}
        bars = max(bars, 2 * indicators.warmup_bars(Params()))


def changed(params: Params) -> dict[str, Any]:
    """Return the values that differ from the defaults, as --params takes them."""
    usual = Params().as_json()
    return {name: value for name, value in params.as_json().items() if value != usual[name] and name not in FIXED}


def _trade(number: int, replayed: Mapping[str, Any] | None, tested: Mapping[str, Any] | None) -> str:
    if replayed is None or tested is None:
        one, name = (tested, "backtest") if replayed is None else (replayed, "replay")
        assert one is not None
        return f"trade {number}: only {name} has {one['side']} {one['symbol']} at {one['signal_bar']}: {CAUSES['signal_bar']}"
    fields = [name for name in ("symbol", *CAUSES, *replayed) if replayed[name] != tested[name]]
    if not fields:
        return ""
    name = fields[0]
    cause = CAUSES["signal_bar" if name == "symbol" else name]
    where = f"trade {number} ({replayed['side']} {replayed['symbol']} at {replayed['signal_bar']})"
    return f"{where}: {name} is {replayed[name]} in replay, {tested[name]} in backtest; likely {cause}"


def _value(spec: Spec, rng: np.random.Generator) -> Any:
    kind = rng.random()
    if kind < 0.4:
        return spec.default
    if spec.kind is bool:
        return bool(rng.random() < 0.5)
    if spec.choices:
        return str(rng.choice(spec.choices))
    assert spec.low is not None
    assert spec.high is not None
    low, high = spec.low, spec.high
    if kind < 0.85 and spec.default > 0:
        low, high = max(low, spec.default / 3), min(high, spec.default * 3)
    drawn = rng.uniform(low, high) if low <= 0 else math.exp(rng.uniform(math.log(low), math.log(high)))
    if spec.kind is int:
        return min(int(spec.high), max(int(spec.low), round(drawn)))
    # Short values, as people write them, make ties; long ones do not.
    return min(spec.high, max(spec.low, float(f"{drawn:.{rng.integers(1, 5)}g}")))


def _forget(values: dict[str, Any], error: ParamsError) -> None:
    """Give every parameter that a contradiction names its default back; where none is left, its whole group."""
    for name, problem in error.problems.items():
        named = {name, *re.findall(r"[a-z_0-9]+", problem)} & values.keys()
        for each in named or {each for each in values if SPECS[each].group == SPECS[name].group}:
            del values[each]
