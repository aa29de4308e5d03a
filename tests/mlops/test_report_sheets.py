"""The drawings of the reports: places of bars and dots, and what they say; the regimes that are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard import ml_sheet, reliability
from tests import factories
from trading.models import Scan, ScanRow
from trading.selectors.regimes import regimes

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def source(
    actual: float, low: float | None, high: float | None, *, stopped: int = 3, kind: str = "filter"
) -> dict[str, Any]:
    spread = {"actual": actual, "low": low, "high": high}
    return {
        "kind": kind,
        "tn": 2,
        "fn": 1,
        "total": 12,
        "precision": None,
        "accuracy": 0.5,
        "refused_r": -0.4,
        "value": {"stopped": stopped, "r": spread, "pnl": {"actual": 20 * actual}},
    }


def test_who_earns_comes_first_and_who_costs_last() -> None:
    sources = {
        "adx": source(-5.0, -8.0, -1.0),
        "ai": source(10.0, 4.0, 16.0, kind="adviser"),
        "score": source(0.0, 0.0, 0.0, stopped=0),
        "volume_ratio": source(2.0, -1.0, 5.0),
        "leverage": source(0.0, 0.0, 0.0) | {"tn": 0, "fn": 0},
    }

    ai, volume, score, adx = reliability.bars(sources, frozenset({"ai"}), {"ai": "AI"})

    assert [bar.name for bar in (ai, volume, score, adx)] == ["AI", "volume ratio", "score", "adx"]
    assert [bar.words for bar in (ai, volume, score, adx)] == [
        "earns", "cannot be told yet", "never decided alone", "costs",
    ]  # fmt: skip
    assert [bar.tone for bar in (ai, volume, score, adx)] == ["gain", "flat", "flat", "loss"]
    assert (ai.is_bypassed, volume.is_bypassed) == (True, False)
    # From -8 to 16: zero lies at a third, and a bar begins or ends there.
    assert {bar.zero for bar in (ai, volume, score, adx)} == {33.33}
    assert (ai.x, ai.width, ai.low, ai.high) == (33.33, 41.67, 50.0, 100.0)
    assert (adx.x, adx.width, adx.low) == (12.5, 20.83, 0.0)
    assert ai.interval == "+4.0 to +16.0 R"
    assert adx.interval == "\N{MINUS SIGN}8.0 to \N{MINUS SIGN}1.0 R"
    assert adx.pnl.text == "\N{MINUS SIGN}100.00"


def test_no_interval_and_no_source_are_drawn_as_nothing() -> None:
    (bar,) = reliability.bars({"ai": source(0.0, None, None)}, frozenset(), {})

    assert (bar.low, bar.high, bar.tone, bar.interval) == (None, None, "flat", "\N{EN DASH}")
    assert reliability.bars({}, frozenset(), {}) == []


def test_a_dot_lies_where_what_was_said_and_what_came_meet() -> None:
    big, small = reliability.dots([{"said": 0.25, "won": 0.5, "count": 16}, {"said": 0.9, "won": 1.0, "count": 4}])

    assert (big.x, big.y, big.radius) == (25.0, 50.0, 5.5)
    assert (small.x, small.y, small.radius) == (90.0, 0.0, 3.5)
    assert reliability.path([big, small]) == "25.0,50.0 90.0,0.0"
    assert big.hint == "said 25%, won 50% of 16"


@pytest.mark.parametrize(("samples", "influence", "x", "y"), [(50, 0.0, 16.7, 100.0), (150, 0.1, 50.0, 56.5), (900, 0.2, 100.0, 13.0)])  # fmt: skip
def test_the_ramp_shows_where_a_model_stands(samples: int, influence: float, x: float, y: float) -> None:
    made = reliability.ramp(samples=samples, influence=influence, reason="so")

    assert (made.x, made.y) == (x, y)
    assert made.line == "0.0,100.0 33.3,100.0 66.7,13.0 100.0,13.0"


def test_the_most_important_features_come_first_and_far_ones_are_marked() -> None:
    shares = ml_sheet._importance({"rsi": 0.1, "hour": 0.0, "adx": 0.4})
    drifted = ml_sheet._drifted({"rsi": 0.12, "hour": None, "adx": 0.6, "score": 0.01})

    assert [(each.name, each.text, each.width) for each in shares] == [("adx", "40.0%", 100.0), ("rsi", "10.0%", 25.0)]
    assert [(each.name, each.tone, each.width) for each in drifted] == [
        ("adx", "over", 100.0), ("rsi", "near", 24.0), ("score", "", 2.0),
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_regime_is_the_newest_scans_else_the_newest_setups() -> None:
    for hours, regime in ((5, "trend"), (2, "choppy")):
        factories.signal(NOW - timedelta(hours=hours), symbol="SOL/USDT", regime=regime, refused_by="adx", reason="no")
    factories.signal(NOW, symbol="BTC/USDT", regime="trend", refused_by="adx", reason="no")
    scan = Scan.objects.create(at=NOW - timedelta(hours=1), timeframe="15m", finished_at=NOW)
    ScanRow.objects.create(scan=scan, rank=1, symbol="BTC/USDT", score=50, regime="ranging", parts={})

    found = {each.symbol: (each.regime, each.at) for each in regimes()}

    assert found["BTC/USDT"] == ("ranging", NOW - timedelta(hours=1))
    assert found["SOL/USDT"] == ("choppy", NOW - timedelta(hours=2))
    assert found["ETH/USDT"] == ("", None)
