"""What a model knows of a setup: one function for training and serving, over bars up to and including the setup's own.

A value that cannot be had is NaN and stays so: XGBoost and the trees of scikit-learn take a missing value as what it is.
Directed values are multiplied by the side, so that a long and its mirrored short look alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trading.core import bitcoin, multi_timeframe, timeframes
from trading.core.book_history import BookHistory, known_at
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.types import REGIMES, Regime, Side

if TYPE_CHECKING:  # who only reads rows of features compiles nothing
    from trading.core.analysis import Analysis

VERSION = 3
"""Raised whenever a value comes to mean something else under the same name."""
DIRECTED = (
    "side",
    "rsi",
    "rsi_slope",
    "slow_distance",
    "macd",
    "momentum_5",
    "momentum_20",
    "momentum_96",
    "horizons_agree",
    "band_position",
    "range_position",
    "candle_strength",
    "engulfing",
    "wicks",
    "timeframes",
    "longer_trend",
    "longer_momentum",
    "longest_trend",
    "longest_momentum",
    "bitcoin_trend",
    "bitcoin_rsi",
    "relative_strength",
    "order_book_imbalance",
    "funding_rate",
)
MARKET = (
    "atr_fraction",
    "atr_expansion",
    "volatility_ratio",
    "band_width",
    "adx",
    "adx_slope",
    "hurst",
    "volume_ratio",
    "volume_trend",
    "bitcoin_correlation",
    "open_interest_change",
    "hour",
    "weekday",
    "busy_session",
    "strong_trend",
    "trend",
    "weak_trend",
    "ranging",
    "choppy",
)
"""What says something about the market whatever the side: all that the regime classifier sees."""
NAMES = (*DIRECTED, "score", *MARKET)

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_MONDAY = 3  # 1970 began on a Thursday
_SLOPE, _EXPANSION, _RANGE = 3, 20, 48
_HORIZONS = (5, 20, 96)
_SHORT, _LONG = 5, 20  # bars of volume


def schema_hash(names: tuple[str, ...] = NAMES) -> str:
    """Return the SHA-256, in hex, of the names in their order and of the version of their meaning."""
    return hashlib.sha256(json.dumps([VERSION, *names]).encode()).hexdigest()


def at(
    candles: Candles,
    analysis: Analysis,
    *,
    bars: Ints,
    sides: NDArray[np.int8],
    params: Params,
    leader: Candles | None,
    book: BookHistory | None = None,
) -> Floats:
    """Return one row for each of `bars` (indices), with the side (+1, -1) of its setup; columns are NAMES.

    `leader` are BTC's bars of the same times, `book` records of the pair's; None where there are none.
    """
    reader = _Reader(candles, analysis, bars)
    columns = {**_of_price(reader), **_of_indicators(reader), **_of_time(candles.opened[bars], params)}
    columns |= {**_of_timeframes(reader), **_of_bitcoin(reader, leader, params), **_of_regime(analysis.regime[bars])}
    columns |= _of_book(book, candles.opened[bars] + timeframes.milliseconds(candles.timeframe))
    sign = sides.astype(np.float64)
    columns |= {name: columns[name] * sign for name in DIRECTED if name != "side"} | {"side": sign}
    return np.stack([columns[name] for name in NAMES], axis=1)


def last(
    candles: Candles,
    analysis: Analysis,
    *,
    side: Side,
    params: Params,
    leader: Candles | None,
    book: BookHistory | None = None,
) -> Floats:
    """Return the row of the last bar."""
    bars, sides = np.array([len(candles) - 1], dtype=np.int64), np.array([side.sign], dtype=np.int8)
    row: Floats = at(candles, analysis, bars=bars, sides=sides, params=params, leader=leader, book=book)[0]
    return row


def as_json(row: Floats) -> dict[str, float | None]:
    """Return a row by name, with the version of the names; None where a value is missing."""
    values = {name: None if np.isnan(value) else float(value) for name, value in zip(NAMES, row, strict=True)}
    return {"version": float(VERSION), **values}


def from_json(values: Mapping[str, float | None]) -> Floats | None:
    """Return the row that `as_json` made, or None where it was made of other names or by another version."""
    if values.get("version") != VERSION or set(values) != {"version", *NAMES}:
        return None
    return np.array([np.nan if values[name] is None else values[name] for name in NAMES], dtype=np.float64)


def columns_of(names: tuple[str, ...]) -> Ints:
    """Return the places of some names among NAMES."""
    return np.array([NAMES.index(name) for name in names], dtype=np.int64)


class _Reader:
    """Reads arrays at the bars of the setups, some bars earlier; NaN where there was none yet.

    Only what is asked for is computed, and each value from the same few bars in the same order: a row is the same to the
    last bit however many others are asked for, and from wherever the candles begin.
    """

    def __init__(self, candles: Candles, analysis: Analysis, bars: Ints) -> None:
        self.candles, self.analysis, self._bars = candles, analysis, bars

    def ago(self, values: Floats, lag: int = 0) -> Floats:
        places = self._bars - lag
        return np.where(places >= 0, values[np.maximum(places, 0)], np.nan)

    def mean(self, values: Floats, count: int) -> Floats:
        total = self.ago(values, count - 1)
        for lag in range(count - 2, -1, -1):
            total = total + self.ago(values, lag)
        return total / count

    def highest(self, values: Floats, count: int) -> Floats:
        found = self.ago(values, count - 1)
        for lag in range(count - 2, -1, -1):
            found = np.maximum(found, self.ago(values, lag))
        return found


def _of_price(reader: _Reader) -> dict[str, Floats]:
    candles = reader.candles
    close, atr = reader.ago(candles.close), reader.ago(reader.analysis.atr)
    opened, high, low = reader.ago(candles.open), reader.ago(candles.high), reader.ago(candles.low)
    moves = [_ratio(close - reader.ago(candles.close, count), atr) for count in _HORIZONS]
    top, bottom = reader.highest(candles.high, _RANGE), -reader.highest(-candles.low, _RANGE)
    body, before = close - opened, reader.ago(candles.close, 1) - reader.ago(candles.open, 1)
    below, above = np.minimum(opened, close) - low, high - np.maximum(opened, close)
    volume = _ratio(reader.mean(candles.volume, _SHORT), reader.mean(candles.volume, _LONG))
    return {
        **{f"momentum_{count}": move for count, move in zip(_HORIZONS, moves, strict=True)},
        "horizons_agree": (np.sign(moves[0]) + np.sign(moves[1]) + np.sign(moves[2])) / len(_HORIZONS),
        "range_position": 2.0 * _ratio(close - bottom, top - bottom) - 1.0,
        "candle_strength": _ratio(body, high - low),
        # Where the bar turned against the one before, the part of both bodies that is its own; positive upward.
        "engulfing": np.where(body * before < 0.0, _ratio(body, np.abs(body) + np.abs(before)), 0.0 * before),
        # A hammer or a pin bar that turned the price up is near 1, a shooting star near -1.
        "wicks": _ratio(below - above, high - low),
        "volume_trend": volume - 1.0,
        "atr_fraction": _ratio(atr, close),
        "atr_expansion": _ratio(atr, reader.ago(reader.analysis.atr, _EXPANSION)) - 1.0,
    }


def _of_indicators(reader: _Reader) -> dict[str, Floats]:
    analysis, close = reader.analysis, reader.ago(reader.candles.close)
    low, high = reader.ago(analysis.bollinger_low), reader.ago(analysis.bollinger_high)
    rsi, adx, atr = reader.ago(analysis.rsi), reader.ago(analysis.adx), reader.ago(analysis.atr)
    return {
        "rsi": rsi - 50.0,
        "rsi_slope": rsi - reader.ago(analysis.rsi, _SLOPE),
        "slow_distance": _ratio(close - reader.ago(analysis.sma_slow), atr),
        "macd": _ratio(reader.ago(analysis.macd_histogram), atr),
        "band_position": 2.0 * _ratio(close - low, high - low) - 1.0,
        "band_width": _ratio(high - low, close),
        "adx": adx,
        "adx_slope": adx - reader.ago(analysis.adx, _SLOPE),
        "hurst": reader.ago(analysis.hurst),
        "volume_ratio": reader.ago(analysis.volume_ratio),
        "volatility_ratio": reader.ago(analysis.volatility_ratio),
        "score": reader.ago(analysis.score),
    }


def _of_timeframes(reader: _Reader) -> dict[str, Floats]:
    """Return how the longer timeframes stand, by the last of their bars that had closed; missing where there is none."""
    columns = multi_timeframe.leanings(reader.candles)
    nothing = np.full(len(reader.candles), np.nan)
    longer, longest = [*columns[1:], (nothing, nothing), (nothing, nothing)][:2]
    return {
        "timeframes": reader.ago(multi_timeframe.combined(columns)) / 50.0 - 1.0,
        "longer_trend": reader.ago(longer[0]),
        "longer_momentum": reader.ago(longer[1]),
        "longest_trend": reader.ago(longest[0]),
        "longest_momentum": reader.ago(longest[1]),
    }


def _of_bitcoin(reader: _Reader, leader: Candles | None, params: Params) -> dict[str, Floats]:
    beside = bitcoin.beside(reader.candles, leader, params)
    way = reader.ago(beside.trend.astype(np.float64))
    return {
        "bitcoin_correlation": reader.ago(beside.correlation),
        "relative_strength": reader.ago(beside.relative_strength),
        "bitcoin_rsi": reader.ago(beside.rsi) - 50.0,
        "bitcoin_trend": np.where(way == 0.0, np.nan, way),  # 0 says that BTC has no bar there, or too few before it
    }


def _of_book(book: BookHistory | None, closed: Ints) -> dict[str, Floats]:
    """Return what had been recorded when each bar closed, not when it was judged: that is the same in training."""
    known = known_at(book, closed)
    return {
        "order_book_imbalance": known.imbalance,
        "funding_rate": known.funding_rate,
        "open_interest_change": known.open_interest_change,
    }


def _of_time(opened: Ints, params: Params) -> dict[str, Floats]:
    hours = (opened // _HOUR_MS) % 24
    busy = (hours >= params.session_one_start) & (hours < params.session_one_end)
    busy |= (hours >= params.session_two_start) & (hours < params.session_two_end)
    return {
        "hour": hours.astype(np.float64),
        "weekday": ((opened // _DAY_MS + _MONDAY) % 7).astype(np.float64),
        "busy_session": busy.astype(np.float64),
    }


def _of_regime(codes: NDArray[np.int8]) -> dict[str, Floats]:
    unknown = codes == Regime.UNKNOWN.code
    known = (kind for kind in REGIMES if kind is not Regime.UNKNOWN)
    return {kind.value: np.where(unknown, np.nan, (codes == kind.code).astype(np.float64)) for kind in known}


def _ratio(one: Floats, other: Floats) -> Floats:
    """Return one over the other, and NaN where that is nothing or missing."""
    result = np.full(len(one), np.nan)
    # A comparison with NaN is false, so what is missing stays missing.
    np.divide(one, other, out=result, where=np.abs(other) > 0.0)
    return result
