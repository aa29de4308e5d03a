"""The rules of the gate, and runs side by side: pure functions of reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trading.research import fingerprint, judgement, simulate
from trading.research.judgement import Margins

MARGINS = Margins(profit_factor=0.05, sharpe=0.1, drawdown=0.01, parts=0.01, min_trades=10)
USUAL = {
    "closed_trades": 40,
    "profit_factor": 1.5,
    "sharpe": 1.0,
    "drawdown_fraction": 0.10,
    "parts": [0.01, 0, -0.01, 0.02],
}


def report(equity: list[float], **changes: Any) -> dict[str, Any]:
    """Return what judgement reads of a report."""
    figures = {**dict.fromkeys(judgement.FIGURES, 0.5), **changes}
    summed = dict.fromkeys(judgement.SUMMED, 12)
    days = [[f"2026-03-{day:02}", value] for day, value in enumerate(equity, 1)]
    return {
        "summary": summed,
        "metrics": {**figures, "daily_equity": days},
        "parameters": {"stop_atr": 2.0, "kelly": True},
    }


def judged(**candidate: Any) -> list[str]:
    """Return the names of the rules that the candidate breaks."""
    return [f.name for f in judgement.judge(USUAL, {**USUAL, **candidate}, MARGINS) if not f.passed]


@pytest.mark.parametrize(
    ("_case", "candidate", "broken"),
    [
        ("equal", {}, []),
        ("better", {"profit_factor": 2.0, "sharpe": 2.0, "drawdown_fraction": 0.05}, []),
        ("worse within the margins", {"profit_factor": 1.45, "sharpe": 0.9, "drawdown_fraction": 0.1099}, []),
        ("less profit", {"profit_factor": 1.44}, ["profit_factor"]),
        ("less Sharpe", {"sharpe": 0.89}, ["sharpe"]),
        ("deeper drawdown", {"drawdown_fraction": 0.12}, ["drawdown_fraction"]),
        ("no loss at all", {"profit_factor": None}, []),
        ("no ratio", {"sharpe": None}, ["sharpe"]),
        ("few trades", {"closed_trades": 9}, ["closed_trades"]),
        ("no trade", {"closed_trades": 0, "profit_factor": None}, ["closed_trades", "profit_factor"]),
        ("keeps up in half of the time", {"parts": [-0.5, -0.5, -0.01, 0.02]}, []),
        ("keeps up in a quarter", {"parts": [-0.5, -0.5, -0.5, 0.9]}, ["parts"]),
        ("all of it", {"profit_factor": 1, "sharpe": 0.0, "drawdown_fraction": 0.3}, ["profit_factor", "sharpe", "drawdown_fraction"]),
    ],
)  # fmt: skip
def test_each_rule_has_its_margin(_case: str, candidate: dict[str, Any], broken: list[str]) -> None:
    assert judged(**candidate) == broken


def test_nothing_beats_what_never_lost_but_the_like() -> None:
    perfect = {**USUAL, "profit_factor": None}

    findings = judgement.judge(perfect, USUAL, MARGINS)

    assert judgement.verdict(findings) == "profit factor is 1.50, that in force has without a loss"
    assert judgement.verdict(judgement.judge(perfect, perfect, MARGINS)) == ""


def test_the_sentence_names_every_rule_that_was_broken() -> None:
    findings = judgement.judge(USUAL, {**USUAL, "sharpe": 0.5, "drawdown_fraction": 0.25}, MARGINS)

    assert judgement.verdict(findings) == (
        "Sharpe ratio is 0.50, that in force has 1.00; drawdown is 25.00% of the peak, that in force has 10.00%"
    )


def test_figures_cut_the_time_into_four_parts() -> None:
    made = judgement.figures(report([100, 110, 110, 121, 108.9]))

    assert made["parts"] == pytest.approx([0.1, 0.0, 0.1, -0.1])
    assert (made["sharpe"], made["closed_trades"]) == (0.5, 12)


def test_a_single_day_is_one_part() -> None:
    assert judgement.figures(report([100, 90]))["parts"] == pytest.approx([-0.1])
    assert judgement.figures(report([100]))["parts"] == []


def test_side_by_side_shows_what_differs_and_every_figure() -> None:
    one, other = report([100, 101], sharpe=1.0), report([100, 99], sharpe=-1.0)
    other["parameters"] = {"stop_atr": 3.0, "kelly": True}

    made = judgement.side_by_side([("a", one), ("b", other)])

    assert made["runs"] == ["a", "b"]
    assert made["parameters"] == {"stop_atr": [2.0, 3.0]}
    assert made["figures"]["sharpe"] == [1.0, -1.0]
    assert list(made["figures"]) == [*judgement.SUMMED, *judgement.FIGURES]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_two_to_four_runs_are_compared(count: int) -> None:
    with pytest.raises(ValueError, match="2 to 4 runs can be compared"):
        judgement.side_by_side([(str(each), report([100])) for each in range(count)])


def test_the_fingerprint_changes_with_any_bar_and_not_with_the_order() -> None:
    start, stop = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    series = {
        s: simulate.candles(seed=1, symbol=s, timeframe="1h", start=start, stop=stop) for s in ("BTC/USDT", "ETH/USDT")
    }
    other = simulate.candles(seed=2, symbol="ETH/USDT", timeframe="1h", start=start, stop=stop)

    made = fingerprint.of(series)

    assert len(made) == 64
    assert fingerprint.of(dict(reversed(series.items()))) == made
    assert fingerprint.of({**series, "ETH/USDT": other}) != made
    assert fingerprint.of({**series, "ETH/USDT": series["ETH/USDT"].slice(0, 23)}) != made
