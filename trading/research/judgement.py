"""Whether one set of parameters is worse than another by their backtests, and runs side by side; pure functions of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

MOST_COMPARED = 4
PARTS = 4
"""Equal parts of the stretch, in time order, that are judged each for itself, as a walk forward does."""
FIGURES = (
    *("return_fraction", "profit_factor", "sharpe", "sortino", "calmar", "drawdown_fraction"),
    *("expectancy_r", "exposure_fraction"),
)
"""Of a report's metrics, those that are set side by side."""
TITLES = {"profit_factor": "profit factor", "sharpe": "Sharpe ratio"}
SUMMED = ("closed_trades", "win_rate", "pnl", "fees")
"""Of its summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How much worse still passes: in the unit of each figure; `parts` is of the return in a part of the stretch."""

    profit_factor: float
    sharpe: float
    drawdown: float
    parts: float
    min_trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's verdict on the candidate; `text` is a part of a sentence."""

    name: str
    active: float | None
    candidate: float | None
    passed: bool
    text: str


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a report that are compared, by name; `parts` are returns of equal parts of the time."""
    made = {name: report["summary"].get(name) for name in SUMMED}
    made |= {name: report["metrics"].get(name) for name in FIGURES}
    return {**made, "parts": _parts([float(value) for _, value in report["metrics"]["daily_equity"]])}


def judge(active: Mapping[str, Any], candidate: Mapping[str, Any], margins: Margins) -> list[Finding]:
    """Return what each rule says of the candidate's figures beside the active ones; it passes when all do.

    Few trades prove nothing: where either side closed fewer than `min_trades`, the first finding says so and fails.
    """
    few = min(active["closed_trades"], candidate["closed_trades"])
    return [
        Finding(
            name="closed_trades",
            active=active["closed_trades"],
            candidate=candidate["closed_trades"],
            passed=few >= margins.min_trades,
            text=f"the fewer trades of both are {few}, and {margins.min_trades} are needed to judge",
        ),
        _at_least("profit_factor", _profit_factor(active), _profit_factor(candidate), margins.profit_factor),
        _at_least("sharpe", active["sharpe"] or 0.0, candidate["sharpe"] or 0.0, margins.sharpe),
        _drawdown(active["drawdown_fraction"] or 0.0, candidate["drawdown_fraction"] or 0.0, margins.drawdown),
        _in_parts(active["parts"], candidate["parts"], margins.parts),
    ]


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def verdict(findings: Sequence[Finding]) -> str:
    """Return what did not pass, as one sentence; empty where everything did."""
    return "; ".join(finding.text for finding in findings if not finding.passed)


def side_by_side(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the parameters that differ, and the figures, of up to four reports by name, each as a row of values.

    Raises ValueError where fewer than two or more than four are given.
    """
    if not 2 <= len(runs) <= MOST_COMPARED:
        raise ValueError(f"2 to {MOST_COMPARED} runs can be compared, not {len(runs)}")
    reports = [report for _, report in runs]
    made = [figures(report) for report in reports]
    names = list(dict.fromkeys(name for report in reports for name in report["parameters"]))
    rows = {name: [report["parameters"].get(name) for report in reports] for name in names}
    return {
        "runs": [name for name, _ in runs],
        "parameters": {name: values for name, values in rows.items() if any(value != values[0] for value in values)},
        "figures": {name: [each[name] for each in made] for name in (*SUMMED, *FIGURES)},
    }


def _profit_factor(made: Mapping[str, Any]) -> float | None:
    """Return it; None where nothing was lost, which nothing beats; zero where there was no trade."""
    found: float | None = made["profit_factor"]
    return found if made["closed_trades"] else 0.0


def _at_least(name: str, active: float | None, candidate: float | None, margin: float) -> Finding:
    passed = candidate is None or (active is not None and candidate >= active - margin)
    shown, beside = (f"{value:.2f}" if value is not None else "without a loss" for value in (candidate, active))
    text = f"{TITLES[name]} is {shown}, that in force has {beside}"
    return Finding(name=name, active=active, candidate=candidate, passed=passed, text=text)


def _drawdown(active: float, candidate: float, margin: float) -> Finding:
    return Finding(
        name="drawdown_fraction",
        active=active,
        candidate=candidate,
        passed=candidate <= active + margin,
        text=f"drawdown is {candidate:.2%} of the peak, that in force has {active:.2%}",
    )


def _in_parts(active: Sequence[float], candidate: Sequence[float], margin: float) -> Finding:
    held = [new >= old - margin for old, new in zip(active, candidate, strict=False)]
    return Finding(
        name="parts",
        active=float(len(held)),
        candidate=float(sum(held)),
        passed=2 * sum(held) >= len(held),
        text=f"it keeps up in {sum(held)} of {len(held)} parts of the time",
    )


def _parts(equity: Sequence[float]) -> list[float]:
    bounds = [round(part * (len(equity) - 1) / PARTS) for part in range(PARTS + 1)]
    return [
        equity[end] / equity[begin] - 1.0 if equity[begin] > 0 else 0.0
        for begin, end in pairwise(bounds)
        if end > begin
    ]
