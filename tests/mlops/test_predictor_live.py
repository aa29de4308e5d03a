"""In a live tick: the features on the advice row are those of training, and what became of the trade is a sample."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from mlops import features, gathering
from mlops.models import Sample
from mlops.predictor import Predictor
from mlops.regime_classifier import RegimeClassifier
from tests.engine import SYMBOL, WARM, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.ports import MarketData, MarketDataUnavailable
from trading.core.types import Side
from trading.models import Advice, Signal, SignalStatus, Trade, TradeStatus
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
