"""What runs of research are made on: the past that is traded on, read from the store or from the simulated market."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings

from trading import market_wiring, replay, wiring
from trading.core import indicators, timeframes
from trading.core.candles import Candles
from trading.core.params import SPECS, Params
from trading.core.ports import UnknownSymbol
from trading.models import BacktestRun
from trading.research.performance import Stretch

LONGEST = timedelta(days=1100)
"""Of a comparison, however long its bars are."""
Read = Callable[[str, str, datetime, datetime], Candles | None]


class Held(Protocol):
    """Work on a run, all of it or a part, that is told how far it is."""

    run: BacktestRun

    def step(self, percent: int | None = None, text: str = "") -> None: ...


class NothingToCompare(ValueError):
    """No symbol has candles enough for a comparison."""


def reader() -> Read:
    """Return what reads the candles that are traded on: (symbol, timeframe, from, to) -> the bars after the last gap."""
    return _simulated if wiring.is_simulated() else _stored


def asked_for(held: Held) -> Stretch:
    """Read what a run is to be made on; the simulated market needs no store where its own bars are asked for."""
    run = held.run
    held.step(5, "reading candles")
    if run.exchange or not wiring.is_simulated():
        return replay.stretch(
            symbols=run.symbols,
            timeframe=run.timeframe,
            start=run.start_at,
            end=run.end_at,
            values=run.parameters,
            exchange=run.exchange or market_wiring.venue_key(),
        )
    params = known({**run.parameters, "timeframe": run.timeframe, "pairs": run.symbols})
    span, end = timeframes.length(params.timeframe), run.end_at or run.requested_at
    start = run.start_at or end - min(settings.GATE_BARS * span, LONGEST)
    found = stretch(held, params, start - indicators.warmup_bars(params) * span, end, reader())
    return replace(found, first=max(start, found.first))


def known(values: Mapping[str, Any]) -> Params:
    """Return stored values; parameters that are newer than they have their defaults."""
    return Params.of({name: value for name, value in values.items() if name in SPECS})


def stretch(held: Held, params: Params, start: datetime, end: datetime, read: Read) -> Stretch:
    needed = indicators.warmup_bars(params)
    series, without = {}, []
    for symbol in params.pairs:
        held.step()
        candles = read(symbol, params.timeframe, timeframes.bar_open(start, params.timeframe), end)
        if candles is not None and len(candles) > needed:
            series[symbol] = candles
        else:
            without.append(symbol)
    if not series:
        raise NothingToCompare(
            f"no more than {needed} {params.timeframe} bars in a row are stored of any symbol up to {end:%Y-%m-%d %H:%M}: "
            "fetch candles and propose it again, or overrule"
        )
    if without:
        held.step(text=f"left out for want of candles: {', '.join(without)}")
    return Stretch(
        params=replace(params, pairs=tuple(series)),
        series=series,
        first=min(candles.closed_at(0) for candles in series.values()),
        last=max(candles.closed_at(len(candles) - 1) for candles in series.values()),
        is_spot=market_wiring.is_spot(market_wiring.venue_key()),
    )


def _stored(symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles | None:
    return market_wiring.candle_store().read_last_run(symbol, timeframe, start=start, end=end)


def _simulated(symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles | None:
    """Return the simulated market's bars, which need no store."""
    try:
        runs = market_wiring.past().history(symbol, timeframe, start=start, stop=end, now=end).runs
    except UnknownSymbol:
        return None
    return runs[-1] if runs else None
