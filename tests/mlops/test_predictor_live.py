"""In a live tick: the features on the advice row are those of training, and what became of the trade is a sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops import features, samples
from mlops.models import Sample
from mlops.predictor import Predictor
from mlops.regime_classifier import RegimeClassifier
from tests.engine import SYMBOL, WARM, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading.core.analysis import analyse
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
    trained = features.at(candles, analyse(candles, params), bars=np.array([WARM - 1]), sides=sides, params=params)[0]
    assert kept is not None
    np.testing.assert_allclose(kept, trained, rtol=1e-9)

    run_rows(ports, 0, 1, 2, 3)
    trade = Trade.objects.get(status=TradeStatus.CLOSED)
    assert samples.gather(venue="test", mode="paper", now=close_of(3)) == 1
    made = Sample.objects.get()
    assert (made.symbol, made.bar_at, made.won) == (SYMBOL, signal.bar_at, trade.pnl > 0)
    np.testing.assert_array_equal(np.frombuffer(bytes(made.features)), kept)
