"""Everything that a scan measures of one pair: score, volume, timeframes, BTC, volume profile, and the venue's book."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np

from trading.core import bitcoin, indicators, multi_timeframe, pair_score, timeframes, volume
from trading.core.analysis import analyse
from trading.core.book import Book
from trading.core.candles import Candles
from trading.core.pair_filters import Pair
from trading.core.params import Params
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.strategies import Strategy, first_entries
from trading.core.types import REGIMES, Regime

BARS = 500
"""Enough for a score; only what is traded needs the longer memory of the tick."""
_DAY_MS = 86_400_000


@dataclass(slots=True, kw_only=True)
class Measured:
    """One pair of a scan; `problem` says why it has no score. `candles` are its last bars, while they are at hand."""

    symbol: str
    score: float = 0.0
    price: float | None = None
    regime: str = Regime.UNKNOWN.value
    parts: Mapping[str, float] = field(default_factory=dict)
    volume: float | None = None
    measures: Mapping[str, Any] = field(default_factory=dict)
    book: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    candles: Candles | None = None

    @classmethod
    def without(cls, symbol: str, problem: str) -> Self:
        return cls(symbol=symbol, problem=problem)

    @property
    def is_scored(self) -> bool:
        return bool(self.parts)

    def pair(self, *, correlation: float) -> Pair:
        """Return what the pair filters look at."""
        return Pair(
            symbol=self.symbol,
            bars=int(self.measures["bars"]),
            volume=_known(self.volume),
            spread=_known(self.book.get("spread")),
            volatility=_known(self.measures["volatility"]),
            correlation=correlation,
        )


def measure(
    symbol: str,
    *,
    market_data: MarketData,
    strategies: Sequence[Strategy],
    params: Params,
    now: datetime,
    book: Book,
    leaders: dict[str, Candles | None],
) -> Measured:
    """Measure one pair; `leaders` keeps BTC's bars by quote from one pair to the next.

    Raises MarketDataUnavailable and UnknownSymbol.
    """
    limit = _limit(params, strategies)
    candles = market_data.candles(symbol, params.timeframe, now=now, limit=limit)
    if not len(candles):
        return Measured.without(symbol, "there are no bars")
    if candles.closed_at(len(candles) - 1) != timeframes.bar_open(now, params.timeframe):
        return Measured.without(symbol, f"the last bar is of {candles.opened_at(len(candles) - 1):%Y-%m-%d %H:%M}")
    analysis = analyse(candles, params)
    sides, _ = first_entries(strategies, candles, analysis, params)
    found = np.flatnonzero(sides)
    since = len(candles) - 1 - int(found[-1]) if len(found) else None
    price = float(candles.close[-1])
    parts = pair_score.parts(analysis, price=price, bars_since_setup=since)
    if parts is None:
        return Measured.without(symbol, f"{len(candles)} bars are too few for a score")
    leader = bitcoin.leader_of(symbol)
    if leader not in leaders:
        leaders[leader] = bars(leader, limit, market_data, params, now)
    return Measured(
        symbol=symbol,
        score=sum(parts.values()),
        price=price,
        regime=REGIMES[analysis.regime[-1]].value,
        parts=parts,
        volume=book.volume if math.isfinite(book.volume) else _turnover(candles),
        measures=_measures(candles, leaders[leader], params, volatility=float(analysis.atr[-1]) / price),
        book=book.as_json(),
        candles=candles.tail(params.correlation_bars + 1),
    )


def bars(symbol: str, count: int, market_data: MarketData, params: Params, now: datetime) -> Candles | None:
    """Return the last bars of a pair; None where they cannot be had."""
    try:
        return market_data.candles(symbol, params.timeframe, now=now, limit=count)
    except (MarketDataUnavailable, UnknownSymbol):
        return None


def nothing(symbol: str, timeframe: str) -> Candles:
    """Return a series without bars."""
    none = np.empty(0)
    return Candles(
        symbol=symbol, timeframe=timeframe, opened=none.astype(np.int64),
        open=none, high=none, low=none, close=none, volume=none,
    )  # fmt: skip


def _limit(params: Params, strategies: Sequence[Strategy]) -> int:
    needed = [strategy.warmup_bars(params) + 50 for strategy in strategies]
    return max(
        BARS,
        indicators.warmup_bars(params) + 50,
        params.pair_min_bars,
        params.correlation_bars + 2,
        params.divergence_bars + 2,
        multi_timeframe.bars_needed(params),
        _DAY_MS // timeframes.milliseconds(params.timeframe) if params.timeframe not in ("1m", "3m") else 0,
        *needed,
    )


def _turnover(candles: Candles) -> float:
    """Return what was traded in the last 24 hours, in quote; scaled up where the bars reach back less."""
    in_a_day = max(1, _DAY_MS // timeframes.milliseconds(candles.timeframe))
    last = candles.tail(in_a_day)
    return float((last.close * last.volume).sum()) * in_a_day / len(last)


def _measures(candles: Candles, leader: Candles | None, params: Params, *, volatility: float) -> dict[str, Any]:
    beside = bitcoin.beside(candles.tail(params.correlation_bars + 2), leader, params)
    profile = volume.profile(candles.tail(params.correlation_bars), params.correlation_bars)
    for_long = float(multi_timeframe.confluence(candles.tail(multi_timeframe.bars_needed(params)))[-1])
    named = {
        "volatility": volatility,
        "timeframes": for_long,
        "bitcoin_correlation": float(beside.correlation[-1]),
        "relative_strength": float(beside.relative_strength[-1]),
        "poc": float(profile.poc[-1]),
        "vah": float(profile.vah[-1]),
        "val": float(profile.val[-1]),
        "divergence": float(volume.divergence(candles.tail(params.divergence_bars + 1), params.divergence_bars)[-1]),
    }
    return {"bars": len(candles)} | {name: _finite(value) for name, value in named.items()}


def _finite(value: float) -> float | None:
    return float(f"{value:.8g}") if math.isfinite(value) else None


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)
