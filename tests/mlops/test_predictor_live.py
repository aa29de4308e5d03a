"""In a live tick: the features on the advice row are those of training, and what became of the trade is a sample."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mlops import features, gathering
from mlops.models import Sample
from mlops.predictor import Predictor
from mlops.regime_classifier import RegimeClassifier
from tests.engine import SYMBOL, WARM, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.ports import MarketData, MarketDataUnavailable
from trading.core.types import Side
from trading.models import Advice, Scan, ScanRow, Signal, SignalStatus, Trade, TradeStatus
from trading.selectors.books import books_between
from trading.services import parameters

pytestmark = pytest.mark.django_db
ROWS = [
    (100.0, 100.5, 99.8, 100.2),
    (100.2, 112.0, 100.1, 111.0),
    (111.0, 112.0, 110.0, 111.5),
    (111.5, 112.0, 90.0, 91.0),
]


def test_a_tick_keeps_the_features_of_training_and_the_closed_trade_becomes_a_sample() -> None:
    candles = series(ROWS)
    set_params(ai_mode="off")
    ports = replace(ports_over(candles, enter_at(-1)), advisers=(Predictor(), RegimeClassifier()))

    run_tick(ports, close_of(-1))

    signal = Signal.objects.get()
    assert signal.status == SignalStatus.TAKEN
    assert {each.source for each in Advice.objects.all()} == {"predictor", "regime_model"}
    kept = features.from_json(Advice.objects.get(source="predictor").features or {})
    _, params = parameters.in_force(now=close_of(-1))
    sides = np.array([Side(signal.side).sign], dtype=np.int8)
    trained = features.at(
        candles, analyse(candles, params), bars=np.array([WARM - 1]), sides=sides, params=params, leader=candles
    )[0]
    assert kept is not None
    np.testing.assert_allclose(kept, trained, rtol=1e-9)

    run_rows(ports, 0, 1, 2, 3)
    trade = Trade.objects.get(status=TradeStatus.CLOSED)
    assert gathering.gather(venue="test", mode="paper", now=close_of(3), read=lambda *_: None) == 1
    made = Sample.objects.get()
    assert (made.symbol, made.bar_at, made.won) == (SYMBOL, signal.bar_at, trade.pnl > 0)
    np.testing.assert_array_equal(np.frombuffer(bytes(made.features)), kept)


class WithoutBitcoin:
    """A source that has no bars of BTC's just now."""

    def __init__(self, market: MarketData) -> None:
        self._market = market

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        if symbol == SYMBOL:
            raise MarketDataUnavailable("no answer")
        return self._market.candles(symbol, timeframe, now=now, limit=limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)


def told(at: datetime, **values: float) -> None:
    """Record what a venue told of the pair."""
    made = Scan.objects.create(at=at, timeframe="15m", finished_at=at)
    ScanRow.objects.create(
        scan=made, symbol=SYMBOL, score=1.0, regime="trend", parts={}, book={**values, "source": "a"}
    )


def test_a_tick_knows_what_was_recorded_before_the_bars_close_and_asks_once() -> None:
    candles, minute, closed = series(ROWS), timedelta(minutes=1), close_of(-1)
    set_params(ai_mode="off")
    ports = replace(ports_over(candles, enter_at(-1)), advisers=(Predictor(), RegimeClassifier()))
    told(closed - timedelta(days=1) - 30 * minute, open_interest=200.0)
    told(closed - 50 * minute, funding_rate=1e-4, open_interest=250.0)
    told(closed - 4 * minute, imbalance=0.5)
    told(closed - timedelta(seconds=3), imbalance=-0.9, funding_rate=9.0)  # a tick could not be sure to see it
    told(closed + minute, imbalance=-0.8)

    with CaptureQueriesContext(connection) as queries:
        run_tick(ports, closed)
    with CaptureQueriesContext(connection) as idle:
        run_tick(ports, closed + 5 * minute)

    signal = Signal.objects.get()
    kept = features.from_json(Advice.objects.get(source="predictor").features or {})
    places = features.columns_of(("order_book_imbalance", "funding_rate", "open_interest_change"))
    assert kept is not None
    np.testing.assert_array_equal(kept[places], [0.5, 1e-4, 0.25])
    _, params = parameters.in_force(now=closed)
    trained = features.at(
        candles,
        analyse(candles, params),
        bars=np.arange(WARM),
        sides=np.full(WARM, Side(signal.side).sign, dtype=np.int8),
        params=params,
        leader=candles,
        book=books_between(SYMBOL, candles.opened_at(0), candles.closed_at(WARM - 1)),
    )[-1]
    np.testing.assert_array_equal(kept[places], trained[places])
    [loaded] = gathering.computed([ended(signal)], lambda *_: candles.slice(0, WARM)).values()
    np.testing.assert_array_equal(kept[places], loaded[places])
    assert [sum("trading_scanrow" in each["sql"] for each in found) for found in (queries, idle)] == [1, 0]


def ended(signal: Signal) -> gathering.Ended:
    return gathering.Ended(
        signal=signal.pk, symbol=signal.symbol, timeframe=signal.timeframe, bar_at=signal.bar_at, side=Side(signal.side),
        revision=signal.revision_id, ended_at=close_of(3), won=True, r=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("is_there", [True, False])
def test_a_pair_is_asked_about_beside_bitcoin_and_waits_for_none(is_there: bool) -> None:
    pair, leader = series(ROWS, symbol="ETH/USDT"), series(ROWS[:3])
    leader.close[:] += np.linspace(0.0, 0.4, len(leader)) ** 2
    set_params(ai_mode="off", pairs=["ETH/USDT"])
    ports = replace(ports_over({"ETH/USDT": pair, SYMBOL: leader}, enter_at(-1)), advisers=(Predictor(),))
    if not is_there:
        ports = replace(ports, market_data=WithoutBitcoin(ports.market_data))

    run_tick(ports, close_of(-1))

    assert Signal.objects.get().status == SignalStatus.TAKEN
    kept = features.from_json(Advice.objects.get().features or {})
    _, params = parameters.in_force(now=close_of(-1))
    sides, bars = np.array([1], dtype=np.int8), np.array([WARM - 1])
    trained = features.at(
        pair, analyse(pair, params), bars=bars, sides=sides, params=params, leader=leader if is_there else None
    )[0]
    assert kept is not None
    np.testing.assert_allclose(kept, trained, rtol=1e-9)
    assert np.isfinite(kept[features.NAMES.index("bitcoin_correlation")]) == is_there
