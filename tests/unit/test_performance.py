"""The account put together from trades and candles, and all its figures in the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tests.unit.core_values import MONDAY, candles, walk
from tests.unit.results_values import BAR, field, trade
from trading.core.params import Params
from trading.research import breakdown, equity, performance, trials
from trading.research.performance import Stretch

PRICES = candles([(100.0 + k, 101.0 + k, 99.0 + k, 100.5 + k, 1.0) for k in range(200)])


def stretch(ticks: int, *, first: int = 1) -> Stretch:
    params = Params.of({"pairs": ["BTC/USDT"]})
    return Stretch(params=params, series={"BTC/USDT": PRICES}, first=MONDAY + first * BAR, last=MONDAY + ticks * BAR)


def test_equity_follows_cash_and_the_price_at_each_tick() -> None:
    trades = [
        trade(opened=2, closed=4, entry=102.5, exit=106.0),
        trade(opened=3, closed=None, entry=103.0, exit=0.0, side="short", symbol="BTC/USDT"),
    ]

    made = equity.curve(trades, {"BTC/USDT": PRICES}, balance=1000.0, first=MONDAY + BAR, last=MONDAY + 5 * BAR)

    # Tick 2: 102 - 102.5 - 1. Tick 3: 103 - 102.5 - 1, and the short's fee. Tick 4: 106 - 102.5 - 2, short 103 - 104 - 1.
    assert made.equity.tolist() == [1000.0, 998.5, 998.5, 999.5, 998.5]
    assert made.held.tolist() == [0, 1, 2, 1, 1]


def test_past_the_last_bar_its_close_is_the_price_and_before_the_first_there_is_none() -> None:
    part = PRICES.slice(3, 5)

    found = equity.prices(part, start_ms=int(PRICES.opened[1]), ticks=6)

    assert found.tolist() == [0.0, 0.0, 103.0, 104.0, 104.5, 104.5]


def test_midnight_ends_the_day_before_it() -> None:
    made = equity.curve([], {"BTC/USDT": PRICES}, balance=5.0, first=MONDAY + 2 * BAR, last=MONDAY + 192 * BAR)
    numbered = np.arange(2.0, 193.0)

    days, ends = equity.daily(made, numbered)

    monday = (MONDAY - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert days.tolist() == [monday - 1, monday, monday + 1]
    assert ends.tolist() == [2.0, 96.0, 192.0]


def test_the_curve_ends_where_the_account_of_the_backtest_does() -> None:
    ground = field(walk(3, 900))
    result = trials.result_of(ground, ground.stretch.params)
    made = equity.curve(
        result.trades, ground.stretch.series, balance=10_000.0, first=ground.stretch.first, last=ground.stretch.last
    )

    assert len(result.trades) > 5
    assert made.equity[-1] == pytest.approx(float(result.equity), abs=1e-7)
    assert made.equity.max() == pytest.approx(float(result.peak_equity), rel=2e-3)


def test_every_figure_of_three_trades_by_hand() -> None:
    trades = [
        trade(opened=2, closed=6, entry=100.0, exit=112.0),  # 10 after fees, 1 R
        trade(opened=10, closed=12, entry=100.0, exit=97.0, side="short"),  # 1
        trade(opened=20, closed=24, entry=100.0, exit=95.0, regime="choppy"),  # -7
    ]

    found = performance.measure(trades, stretch(100), balance=Decimal(1000))

    assert (found["trades"], found["wins"], found["pnl"], found["fees"]) == (3, 2, 4.0, 6.0)
    assert found["profit_factor"] == pytest.approx(11 / 7)
    assert found["expectancy"] == pytest.approx(4 / 3)
    assert found["expectancy_r"] == pytest.approx((1.0 + 0.1 - 0.7) / 3)
    assert found["average_seconds"] == pytest.approx(900 * 10 / 3)
    assert (found["best"], found["worst"], found["wins_in_row"], found["losses_in_row"]) == (10.0, -7.0, 2, 1)
    assert found["exposure_fraction"] == pytest.approx(10 / 99)
    assert found["return_fraction"] == pytest.approx(0.004)
    assert found["buy_and_hold"]["return_fraction"] == pytest.approx(200.0 / 101.0 - 1.0)
    assert found["daily_equity"] == [["2025-03-02", 1000.0], ["2025-03-03", 1004.0], ["2025-03-04", 1004.0]]


def test_trades_are_grouped_by_what_they_share() -> None:
    params = Params.of({"session_one_start": 0, "session_one_end": 1, "session_two_start": 1, "session_two_end": 2})
    trades = [
        trade(opened=2, closed=6, entry=100.0, exit=112.0),
        trade(opened=5, closed=6, entry=100.0, exit=90.0, exit_reason="stop"),
        trade(opened=96 + 12, closed=110, entry=100.0, exit=90.0, regime="choppy", strategy="own"),
    ]

    found = breakdown.groups(trades, params)

    assert {name: {key: row["trades"] for key, row in rows.items()} for name, rows in found.items()} == {
        "hour": {"00": 1, "01": 1, "03": 1},
        "weekday": {"Monday": 2, "Tuesday": 1},
        "session": {"one": 1, "quiet": 1, "two": 1},
        "regime": {"choppy": 1, "trend": 2},
        "symbol": {"BTC/USDT": 3},
        "side": {"long": 3},
        "strategy": {"own": 1, "trend": 2},
        "exit_reason": {"stop": 1, "target": 2},
    }
    assert found["session"]["one"]["pnl"] == 10.0
    assert found["session"]["one"]["profit_factor"] is None


def test_nothing_traded_has_counts_of_none_and_figures_without_value() -> None:
    found = performance.measure([], stretch(100), balance=Decimal(1000))

    assert (found["trades"], found["exposure_fraction"], found["return_fraction"]) == (0, 0.0, 0.0)
    names = ("win_rate", "profit_factor", "expectancy", "expectancy_r", "sqn", "sharpe", "sortino", "omega", "calmar")
    assert {name: found[name] for name in names} == dict.fromkeys(names)
    assert found["by"]["symbol"] == {}


def test_buying_and_holding_splits_the_money_and_waits_for_late_symbols() -> None:
    late = replace(PRICES.slice(50, 200), symbol="ETH/USDT")
    made = equity.curve([], {"BTC/USDT": PRICES}, balance=1.0, first=MONDAY, last=MONDAY + 199 * BAR)

    held = equity.held_alike({"BTC/USDT": PRICES, "ETH/USDT": late}, made)

    assert held[0] == 1.0
    assert held[49] == pytest.approx((149.0 / 100.0 + 1.0) / 2)
    assert held[199] == pytest.approx((299.0 / 100.0 + 299.0 / 150.0) / 2)


def test_the_table_says_a_dash_where_there_is_no_value() -> None:
    lines = performance.table({"metrics": performance.measure([], stretch(100), balance=Decimal(1000))})

    assert lines[0].split() == ["this", "run", "buy", "and", "hold"]
    assert next(line.split() for line in lines if line.startswith("Profit factor")) == ["Profit", "factor", "-"]
    assert next(line for line in lines if line.startswith("Time in the market")).split()[-1] == "0.00%"
    assert performance._span(timedelta(days=1, hours=2).total_seconds()) == "1 d 2 h"
