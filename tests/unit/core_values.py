"""Made-up markets, bars and accounts for the tests of the core; what matters to a test is passed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.core import timeframes
from trading.core.analysis import Analysis
from trading.core.candles import Candles, Floats
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.sizing import Record
from trading.core.strategies import Sides
from trading.core.types import Market, Regime, Setup, Side

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)
NAN = float("nan")

MARKET = Market(
    symbol="BTC/USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_notional=Decimal(10),
    fee_rate=Decimal("0.001"),
)
RECORD = Record(losses_in_row=0, wins_in_row=0, returns=())
ACCOUNT = Account(
    now=MONDAY + timedelta(minutes=16),
    accepts_entries=True,
    equity=Decimal(10_000),
    peak_equity=Decimal(10_000),
    day_opening=Decimal(10_000),
    week_opening=Decimal(10_000),
    open_symbols=frozenset(),
    open_risk=Decimal(0),
    open_notional=Decimal(0),
    last_loss_at=None,
    record=RECORD,
)
SETUP = Setup(
    symbol="BTC/USDT",
    timeframe="15m",
    bar_at=MONDAY,
    strategy="trend",
    side=Side.LONG,
    price=100.0,
    atr=2.0,
    regime=Regime.TREND,
    score=60.0,
    indicators={},
)


class EveryBar:
    """A user's own strategy: long on each bar, from the first one on."""

    name = "every_bar"

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.ones(len(candles), dtype=np.int8)


@contextmanager
def floats_that_raise() -> Iterator[None]:
    """Turn a division by zero or an overflow in numpy into an error (a quiet NaN is none)."""
    with np.errstate(all="raise"):
        yield


def candles(
    rows: Sequence[Sequence[float]], *, start: datetime = MONDAY, timeframe: str = "15m", symbol: str = "BTC/USDT"
) -> Candles:
    """Make bars from a table of open, high, low, close and volume."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T.copy()
    opened = timeframes.to_ms(start) + timeframes.milliseconds(timeframe) * np.arange(len(rows), dtype=np.int64)
    names = ("open", "high", "low", "close", "volume")
    values = dict(zip(names, columns, strict=True))
    return Candles.checked(symbol=symbol, timeframe=timeframe, opened=opened, **values)


def priced(close: Floats, *, volume: Floats | None = None, timeframe: str = "15m") -> Candles:
    """Make bars without shadows that close where told, each opening at the last close."""
    opening = np.r_[close[:1], close[:-1]]
    traded = np.ones(len(close)) if volume is None else volume
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    return candles(np.stack((opening, high, low, close, traded), axis=1).tolist(), timeframe=timeframe)


def prices(seed: int, bars: int, *, deviation: float = 0.004, drift: float = 0.0) -> Floats:
    """Make a random walk of log prices from 100 on."""
    moves = np.random.default_rng(seed).normal(drift, deviation, bars)
    return np.asarray(100.0 * np.exp(np.cumsum(moves) - moves[0]), dtype=np.float64)


def walk(seed: int, bars: int, *, deviation: float = 0.004, timeframe: str = "15m") -> Candles:
    """Make bars of a random walk, with shadows and uneven volume."""
    rng = np.random.default_rng([seed, 1])
    close = prices(seed, bars, deviation=deviation)
    opening = np.r_[close[:1], close[:-1]]
    shadows = np.exp(np.abs(rng.normal(0.0, deviation / 2, (2, bars))))
    high = np.maximum(opening, close) * shadows[0]
    low = np.minimum(opening, close) / shadows[1]
    volume = rng.lognormal(3.0, 0.7, bars)
    return candles(np.stack((opening, high, low, close, volume), axis=1).tolist(), timeframe=timeframe)


def measured(bars: int, **columns: float | Floats) -> Analysis:
    """Make an analysis of a calm trend that every default filter lets pass, with other values where named."""
    usual: dict[str, float | Floats] = {
        "sma_fast": 101.0,
        "sma_slow": 100.0,
        "rsi": 50.0,
        "atr": 2.0,
        "adx": 27.0,
        "macd_histogram": 0.1,
        "bollinger_low": 95.0,
        "bollinger_high": 105.0,
        "hurst": 0.5,
        "volume_ratio": 1.5,
        "volatility_ratio": 1.0,
        "score": 75.0,
    }
    regime = np.full(bars, columns.pop("regime", Regime.TREND.code), dtype=np.int8)
    values = {name: _column(value, bars) for name, value in (usual | columns).items()}
    return Analysis(regime=regime, **values)


def _column(value: float | Floats, bars: int) -> NDArray[np.float64]:
    return np.full(bars, value, dtype=np.float64) if isinstance(value, float | int) else np.asarray(value)
