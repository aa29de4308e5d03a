"""Pictures of reports: what is drawn is what the report says."""

from __future__ import annotations

from typing import Any

import pytest

from trading.research import picture

HEAD = {"symbols": ["SOL/USDT"], "timeframe": "15m"}


def axes_of(drawn: Any) -> list[Any]:
    return list(drawn.axes)


def bars(axes: Any) -> list[tuple[float, float]]:
    return [(patch.get_width(), patch.get_height()) for patch in axes.patches]


def test_a_backtest_shows_its_equity_and_how_far_it_fell() -> None:
    rows = [["2026-03-02", 1000.0], ["2026-03-03", 1100.0], ["2026-03-04", 990.0]]

    upper, lower = axes_of(picture.backtest({**HEAD, "metrics": {"daily_equity": rows}}))

    assert list(upper.lines[0].get_ydata()) == [1000.0, 1100.0, 990.0]
    low = min(point[1] for path in lower.collections[0].get_paths() for point in path.vertices)
    assert low == pytest.approx(-10.0)


def test_a_sweep_shows_the_best_first_and_the_parameters_as_they_are() -> None:
    best = [{"values": {"stop_atr": 2}, "sharpe": 1.5}, {"values": {"stop_atr": 1}, "sharpe": 0.5}]

    (axes,) = axes_of(picture.sweep({**HEAD, "objective": "sharpe", "best": best, "usual": {"sharpe": -0.25}}))

    assert [width for width, _ in bars(axes)] == [1.5, 0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["stop_atr: 2", "stop_atr: 1"]
    assert list(axes.lines[0].get_xdata()) == [-0.25, -0.25]


def test_a_walk_shows_each_window_twice_and_leaves_out_what_has_no_score() -> None:
    windows = [
        {"split": "2026-03-10T00:00:00+00:00", "after": {"sharpe": 1.0}, "usual": {"sharpe": 2.0}},
        {"split": "2026-03-14T00:00:00+00:00", "after": None, "usual": {"sharpe": -1.0}},
    ]

    (axes,) = axes_of(picture.walk({**HEAD, "objective": "sharpe", "windows": windows}))

    assert [height for _, height in bars(axes)] == [1.0, pytest.approx(float("nan"), nan_ok=True), 2.0, -1.0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2026-03-10", "2026-03-14"]


def test_chance_is_shown_as_an_interval_with_what_was_and_without_what_is_unknown() -> None:
    row = {"low": -0.2, "median": 0.0, "high": 0.3, "actual": 0.1, "draws": 5}
    report = {
        **HEAD,
        "confidence": 0.95,
        "shuffled_trades": {"drawdown_fraction": {**row, "actual": None}},
        "blocks_of_days": {"length": 3, "return_fraction": row},
        "noisy_candles": {"noise": 0.1, "return_fraction": row},
    }

    (axes,) = axes_of(picture.scatter(report))

    assert [list(line.get_xdata()) for line in axes.lines] == [[-0.2, 0.3], [0.0], [0.1]] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["blocks of days", "noisy candles"]


def test_the_same_report_gives_the_same_bytes() -> None:
    report = {**HEAD, "metrics": {"daily_equity": [["2026-03-02", 1.0], ["2026-03-03", 2.0]]}}

    first, second = (picture.png(report, picture.backtest) for _ in range(2))

    assert first == second
    assert first.startswith(b"\x89PNG")
