"""A training put together: candles, setups with their outcomes, samples, a model on record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from mlops import dataset, gathering, loading, making, samples
from mlops.models import TrainingRun
from mlops.runs import Work
from trading import market_wiring, past, replay, runs, wiring
from trading.adapters.candle_store import CandleStore
from trading.adapters.simulated_market import SimulatedMarket
from trading.backtest import refuse_short
from trading.core import bitcoin, indicators, timeframes
from trading.core.candles import Candles
from trading.core.params import SPECS, Params
from trading.core.ports import UnknownSymbol
from trading.core.types import Market
from trading.research.performance import Stretch
from trading.selectors.books import books_between
from trading.services import parameters

TRADED, SIMULATED, STORED = "traded", "simulated", "stored"
CANDLES = (TRADED, SIMULATED, STORED)
EVERY, TAKEN = "every", "taken"
SETUPS = (EVERY, TAKEN)
MOST_THREADS = 2
_GATHERED, _PREDICTED = 60, 95  # percent

Told = Callable[[int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a training's backtest runs over, and the name of whose candles they are."""

    stretch: Stretch
    markets: Mapping[str, Market]
    venue: str
    leaders: Mapping[str, Candles]
    """BTC's bars by its symbol in each quote, whether it is among the pairs or not."""


class NothingToLearnFrom(ValueError):
    """There are no candles to find setups in; the message says what to do."""


MISTAKES: dict[type[BaseException], str] = {**runs.MISTAKES, NothingToLearnFrom: "", UnknownSymbol: ""}


def perform(held: Work, told: Told | None = None) -> None:
    """Make the model of a training that this process has claimed."""
    with held.explained(MISTAKES).telling(told):
        run = held.run
        held.step(1, "reading candles")
        ground = _ground(run, held)
        _gather(run, ground, held)
        trading_venue = market_wiring.venue_key()
        read = past.reader()
        new = gathering.gather(venue=trading_venue, mode=settings.TRADING_MODE, now=timezone.now(), read=read)
        venues = {ground.venue} | ({trading_venue} if loading.fits(ground.venue, trading_venue) else set())
        timeframe = ground.stretch.params.timeframe
        data = dataset.load(venues=venues, timeframe=timeframe, mode=settings.TRADING_MODE)
        held.step(_GATHERED, f"{len(data)} samples, {int(data.won.sum())} won; {new} new from trades and refusals")
        version = making.make(
            run.kind,
            data,
            venue=ground.venue,
            timeframe=timeframe,
            by=run.requested_by_name,
            threads=min(MOST_THREADS, int(run.options.get("threads") or 1), os.cpu_count() or 1),
            progress=lambda done, of: held.step(
                _GATHERED + (_PREDICTED - _GATHERED) * done // of, f"fold {done} of {of} predicted"
            ),
            now=timezone.now(),
        )
        held.finish(version)


def _gather(run: TrainingRun, ground: Ground, held: Work) -> None:
    """Write the samples of the backtest, symbol by symbol."""
    now, strategies = timezone.now(), wiring.strategy_list()
    series = ground.stretch.series
    # Of another market than the one that is traded no books are on record.
    books = books_between if ground.venue == market_wiring.venue_key() else samples.no_book
    if run.options.get("setups", EVERY) == TAKEN:
        balance = Decimal(settings.PAPER_BALANCE)
        for found in samples.traded_setups(ground.stretch, ground.markets, strategies, balance, ground.leaders, books):
            count = samples.store(found, venue=ground.venue, now=now)
            held.step(text=f"{found.candles.symbol}: {count} setups taken")
        return
    every = samples.every_setup(series, ground.markets, ground.stretch.params, strategies, ground.leaders, books)
    for number, found in enumerate(every, start=1):
        count = samples.store(found, venue=ground.venue, now=now)
        text = f"{found.candles.symbol}: {count} setups in {len(found.candles)} bars"
        held.step(_GATHERED * number // len(series), text)


def _ground(run: TrainingRun, held: Work) -> Ground:
    options = run.options
    _, params = parameters.in_force(now=timezone.now())
    changed = {name: options[name] for name in ("timeframe",) if options.get(name)}
    if options.get("symbols"):
        changed["pairs"] = list(options["symbols"])
    params = Params.of({**params.as_json(), **changed})
    if options.get("candles", TRADED) == STORED:
        return _stored(params, options)
    return _kept(params, options, held)


def _stored(params: Params, options: Mapping[str, Any]) -> Ground:
    """Read imported candles as `backtest` does, whole and without gaps."""
    values = {name: value for name, value in params.as_json().items() if name in SPECS}
    exchange = options.get("exchange") or "import"
    asked = replay.stretch(
        symbols=params.pairs, timeframe=params.timeframe, start=None, end=None, values=values, exchange=exchange
    )
    refuse_short(asked)
    markets = replay.market_of(asked).markets()
    read = CandleStore(settings.JULABA_DATA_DIR / "candles", exchange).read_last_run
    leaders = leaders_of(asked, lambda symbol, timeframe, start, end: read(symbol, timeframe, start=start, end=end))
    return Ground(stretch=asked, markets=markets, venue=exchange, leaders=leaders)


def _kept(params: Params, options: Mapping[str, Any], held: Work) -> Ground:
    """Read the newest bars of the simulated market, or those that are traded on."""
    now, needed = timezone.now(), indicators.warmup_bars(params)
    is_simulated = options.get("candles") == SIMULATED or wiring.is_simulated()
    source = SimulatedMarket(seed=settings.SIMULATION_SEED)
    read = _simulated(source) if is_simulated else past.reader()
    bars = min(int(options.get("bars") or settings.GATE_BARS), past.LONGEST // timeframes.length(params.timeframe))
    start = timeframes.bar_open(now - bars * timeframes.length(params.timeframe), params.timeframe)
    series: dict[str, Candles] = {}
    for symbol in params.pairs:
        candles = read(symbol, params.timeframe, start, now)
        if candles is not None and len(candles) > needed:
            series[symbol] = candles
            held.step(text=f"{symbol}: {len(candles)} bars")
        else:
            held.step(text=f"{symbol} is left out for want of candles")
    if not series:
        raise NothingToLearnFrom(
            f"no symbol has more than {needed} {params.timeframe} bars in a row: fetch candles first, or name others"
        )
    venue = f"simulated-{settings.SIMULATION_SEED}" if is_simulated else market_wiring.venue_key()
    asked = Stretch(
        params=replace(params, pairs=tuple(series)),
        series=series,
        first=min(candles.closed_at(0) for candles in series.values()),
        last=max(candles.closed_at(len(candles) - 1) for candles in series.values()),
        is_spot=market_wiring.is_spot(venue),
    )
    markets = (source if is_simulated else replay.market_of(asked)).markets()
    return Ground(stretch=asked, markets=markets, venue=venue, leaders=leaders_of(asked, read))


def leaders_of(asked: Stretch, read: past.Read) -> dict[str, Candles]:
    """Return BTC's bars over the same time in each quote that is traded, where there are any."""
    begun = min(candles.opened_at(0) for candles in asked.series.values())
    found: dict[str, Candles] = {}
    for symbol in sorted({bitcoin.leader_of(symbol) for symbol in asked.series}):
        try:
            candles = asked.series.get(symbol) or read(symbol, asked.params.timeframe, begun, asked.last)
        except UnknownSymbol:  # nobody sells BTC in this quote here
            continue
        if candles is not None and len(candles):
            found[symbol] = candles
    return found


def _simulated(source: SimulatedMarket) -> past.Read:
    def read(symbol: str, timeframe: str, start: Any, end: Any) -> Candles | None:
        runs = source.history(symbol, timeframe, start=start, stop=end, now=end).runs
        return runs[-1] if runs else None

    return read
