"""The filters behind a switch and the limit of clusters: the compiled backtest equals the live engine with them on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from tests.engine import OPEN_DOORS
from tests.integration.test_parity import START, simulated, stretch
from trading import backtest, replay
from trading.core import timeframes
from trading.research import parity
from trading.research.backtest import NotModelled
from trading.research.significance import significance
from trading.research.universe import Universe
from trading.validation import field_of

NAMES = ["SOL/USDT", "BTC/USDT", "LINK/USDT"]


@pytest.fixture(autouse=True)
def _scratch_only(django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    with django_db_blocker.unblock():
        yield


def test_backtest_and_replay_agree_with_every_switch_on() -> None:
    values = OPEN_DOORS | {
        "timeframes_filter": True,
        "divergence_filter": True,
        "divergence_bars": 20,
        "max_open_trades": 9,
        "bitcoin_filter": True,
        "bitcoin_correlation": 0.8,
        "bitcoin_rsi_high": 62,
        "bitcoin_rsi_low": 38,
        "bitcoin_crash": 0.006,
        "max_cluster_risk": 0.005,
        "cluster_correlation": 0.0,
    }
    asked = stretch(*[simulated(symbol, seed=30, days=4.95) for symbol in NAMES], values=values)

    tested, replayed = backtest.over(asked, seed=None), replay.over(asked, seed=None)

    found = parity.compare(replayed, tested)
    assert found.differences == []
    assert tested["taken"] > 0
    switched = {"multi_timeframe", "bitcoin_trend", "bitcoin_rsi", "bitcoin_crash", "volume_divergence", "cluster_risk"}
    assert switched <= set(tested["failed_verdicts"])


def test_without_btc_among_the_pairs_its_filters_refuse_everything() -> None:
    report = backtest.over(stretch(simulated("SOL/USDT"), values=OPEN_DOORS | {"bitcoin_filter": True}), seed=None)

    assert report["taken"] == 0
    assert report["failed_verdicts"]["bitcoin_trend"] == report["setups"] > 0


def test_a_limit_of_clusters_lets_pairs_through_that_move_apart() -> None:
    values = OPEN_DOORS | {"max_cluster_risk": 0.01, "max_open_risk": 0.5, "max_open_trades": 9}
    series = [simulated(symbol) for symbol in NAMES]

    together = backtest.over(stretch(*series, values=values | {"cluster_correlation": 0.0}), seed=None)
    apart = backtest.over(stretch(*series, values=values | {"cluster_correlation": 1.0}), seed=None)

    assert apart["taken"] > together["taken"] > 0
    assert together["failed_verdicts"]["cluster_risk"] > apart["failed_verdicts"].get("cluster_risk", 0)


def test_entries_are_limited_to_the_list_that_was_known_at_the_bars_close() -> None:
    asked = stretch(*[simulated(symbol) for symbol in NAMES[:2]], values=OPEN_DOORS)
    middle = START + timedelta(days=5, hours=18)
    universe = Universe(
        moments=np.array([timeframes.to_ms(asked.first), timeframes.to_ms(middle)]),
        lists=[frozenset({"SOL/USDT"}), frozenset({"BTC/USDT"})],
    )

    limited, free = backtest.over(asked, seed=None, universe=universe), backtest.over(asked, seed=None)

    def entered(report: dict[str, Any]) -> list[tuple[str, bool]]:
        span = timedelta(minutes=15)
        return [
            (trade["symbol"], datetime.fromisoformat(trade["signal_bar"]) + span >= middle)
            for trade in report["trades"]
        ]

    assert {("SOL/USDT", False), ("BTC/USDT", True)} == set(entered(limited))
    assert len(set(entered(free))) == 4
    assert limited["setups"] < free["setups"]


def test_before_the_first_list_nothing_is_traded() -> None:
    universe = Universe(moments=np.array([1000, 3000]), lists=[frozenset("A"), frozenset("B")])

    assert universe.holds("A", np.array([999, 1000, 2999, 3000])).tolist() == [False, True, True, False]
    assert universe.holds("C", np.array([999, 1000, 5000])).tolist() == [False, False, False]


def test_random_entries_refuse_what_they_cannot_tell() -> None:
    asked = stretch(simulated("SOL/USDT"), values=OPEN_DOORS | {"max_cluster_risk": 0.02})

    with pytest.raises(NotModelled, match="set max_cluster_risk to 1"):
        significance(field_of(asked), draws=1, seed=1, progress=lambda done, of: None)
