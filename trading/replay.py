"""A replay put together: stored candles, the live tick, a scratch database, a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from trading import market_wiring, wiring
from trading.adapters.candle_store import CandleStore
from trading.adapters.stored_market import StoredMarket
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.research.performance import Stretch
from trading.research.trials import Progress
from trading.services import parameters, replay_report, replaying, scratch

DEFAULT_FEE_RATE = Decimal("0.001")
"""Taker fee assumed for stored candles, which do not say where they would be traded."""


class NothingToReplay(ValueError):
    """The asked stretch holds no bar to trade on."""


def run(
    *,
    symbols: Sequence[str],
    timeframe: str,
    start: datetime | None,
    end: datetime | None,
    values: Mapping[str, Any],
    seed: int | None,
    exchange: str,
    progress: Progress = lambda done, of: None,
) -> dict[str, Any]:
    """Replay stored candles through the live tick in a scratch database and return the report.

    `values` are the parameters that differ from the defaults; `progress` is told of each tick. Raises ParamsError, UnknownTimeframe,
    StrategyError, CandleStoreError (nothing stored, gaps) and NothingToReplay.
    """
    asked = stretch(symbols=symbols, timeframe=timeframe, start=start, end=end, values=values, exchange=exchange)
    return over(asked, seed=seed, progress=progress)


def stretch(
    *,
    symbols: Sequence[str],
    timeframe: str,
    start: datetime | None,
    end: datetime | None,
    values: Mapping[str, Any],
    exchange: str,
) -> Stretch:
    """Read what is to be traded; raises ParamsError, UnknownTimeframe, CandleStoreError and NothingToReplay."""
    params = Params.of({**values, "timeframe": timeframe, "pairs": list(symbols)})
    store = CandleStore(settings.JULABA_DATA_DIR / "candles", exchange)
    series = {symbol: store.read(symbol, timeframe, start=None, end=end) for symbol in symbols}
    first = max(start, _first_close(series)) if start else _first_close(series)
    last = max(candles.closed_at(len(candles) - 1) for candles in series.values())
    if first > last:
        raise NothingToReplay(f"no stored bar closes between {first} and {last}: choose another --from or --to")
    is_spot = market_wiring.is_spot(exchange)
    return Stretch(params=params, series=series, first=first, last=last, is_spot=is_spot)


def market_of(asked: Stretch) -> StoredMarket:
    """Return the market that the bars of a stretch are traded on."""
    return StoredMarket(asked.series, fee_rate=DEFAULT_FEE_RATE, is_spot=asked.is_spot)


def over(asked: Stretch, *, seed: int | None, progress: Progress = lambda done, of: None) -> dict[str, Any]:
    """Replay a stretch that is in memory and return the report."""
    params = asked.params
    replayed = wiring.ports_over(market_of(asked), params, Slippage(fraction=params.slippage, seed=seed))
    with scratch.database():
        revision = parameters.current(now=asked.first)
        parameters.revise(
            values=params.as_json(), reason="replay", author=None, expected_number=revision.number, now=asked.first
        )
        span = timeframes.length(params.timeframe)
        ticks = (asked.last - asked.first) // span + 1
        replaying.run(
            ports=replayed,
            timeframe=params.timeframe,
            start=asked.first,
            end=asked.last,
            on_progress=lambda now: progress((now - asked.first) // span + 1, ticks),
        )
        return replay_report.build(asked)


def _first_close(series: Mapping[str, Candles]) -> datetime:
    return min(candles.closed_at(0) for candles in series.values())
