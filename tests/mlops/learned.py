"""What tests of learning share: walks, planted samples, and models made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mlops import features
from mlops.dataset import Dataset
from mlops.models import ModelKind, ModelVersion, Sample, SampleSource
from mlops.samples import WEIGHTS
from trading.core import timeframes
from trading.core.candles import Candles

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BEGIN = datetime(2025, 11, 3, tzinfo=UTC)
BAR = timedelta(minutes=15)
VENUE = "simulated-7"


def walk(seed: int, bars: int, *, symbol: str = "BTC/USDT") -> Candles:
    """Return a random walk of 15-minute bars whose prices have two decimals."""
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, bars))), 2)
    opened = np.r_[100.0, close[:-1]]
    reach = np.round(np.abs(rng.normal(0.0, 0.2, (2, bars))), 2)
    return Candles.checked(
        symbol=symbol,
        timeframe="15m",
        opened=timeframes.to_ms(BEGIN) + timeframes.milliseconds("15m") * np.arange(bars, dtype=np.int64),
        open=opened,
        high=np.round(np.maximum(opened, close) + reach[0], 2),
        low=np.round(np.minimum(opened, close) - reach[1], 2),
        close=close,
        volume=np.round(rng.lognormal(3.0, 0.5, bars), 3),
    )


def planted(count: int, *, edge: float, seed: int = 1, column: str = "macd", wins: float = 0.4) -> Dataset:
    """Return samples of which one column tells something of the outcome (`edge` 0: nothing does)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, len(features.NAMES))).astype(np.float32)
    told = edge * x[:, features.NAMES.index(column)] + np.log(wins / (1.0 - wins))
    won = rng.random(count) < 1.0 / (1.0 + np.exp(-told))
    x[rng.random(x.shape) < 0.02] = np.nan
    span = timeframes.milliseconds("15m")
    began = timeframes.to_ms(BEGIN) + span * np.arange(count, dtype=np.int64)
    return Dataset(
        x=x,
        won=won,
        r=np.where(won, 1.5, -1.0),
        weight=np.ones(count),
        began=began,
        ended=began + span * rng.integers(1, 30, count),
        passed=np.ones(count, dtype=np.bool_),
        sources={"backtest": count},
    )


def stored(data: Dataset, *, source: SampleSource = SampleSource.BACKTEST, **columns: Any) -> None:
    """Write samples as rows."""
    Sample.objects.bulk_create(
        Sample(
            **{
                "source": source,
                "venue": VENUE,
                "weight": WEIGHTS[source],
                "symbol": "BTC/USDT",
                "timeframe": "15m",
                "bar_at": timeframes.from_ms(int(data.began[place])),
                "ended_at": timeframes.from_ms(int(data.ended[place])),
                "side": "long",
                "features": data.x[place].astype("<f8").tobytes(),
                "schema_hash": features.schema_hash(),
                "passed": True,
                "won": bool(data.won[place]),
                "r": float(data.r[place]),
                "at": NOW,
                **columns,
            }
        )
        for place in range(len(data))
    )


def version(number: int, *, kind: ModelKind = ModelKind.PREDICTOR, **columns: Any) -> ModelVersion:
    """Make a candidate's row, without a file where none is named."""
    values = {
        "status": "candidate",
        "reason": "it passed the gate",
        "decided_by_name": "rule",
        "decided_at": NOW,
        "created_by_name": "test",
        "created_at": NOW,
        "venue": VENUE,
        "timeframe": "15m",
        "samples": 400,
        "data_hash": "d" * 64,
        "schema_hash": features.schema_hash(),
        "code_version": "test",
        "metrics": {"balanced_accuracy": 0.6},
        "calibration": {"slope": 1.0, "intercept": 0.0},
    }
    return ModelVersion.objects.create(kind=kind, number=number, **{**values, **columns})
