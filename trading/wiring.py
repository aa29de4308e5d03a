"""From dotted paths in the settings to the ports, built on first use, once per process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from trading.adapters.candle_store import CandleStore
from trading.adapters.simulated_market import SimulatedMarket
from trading.adapters.stored_market import StoredMarket
from trading.core import strategies
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketData
from trading.core.slippage import Slippage
from trading.services import parameters, replay_report, replaying, scratch
from trading.services.context import Ports

DEFAULT_FEE_RATE = Decimal("0.001")
"""Taker fee assumed for stored candles, which do not say where they would be traded."""


@cache
def market_data() -> MarketData:
    """Return the source of prices that MARKET_DATA names."""
    made: MarketData = import_string(settings.MARKET_DATA)(seed=settings.SIMULATION_SEED)
    return made


def is_simulated() -> bool:
    """Return whether prices come from the simulated market, which needs no network and has any past."""
    return isinstance(market_data(), SimulatedMarket)


def ports(params: Params) -> Ports:
    """Return the ports for a tick with these parameters."""
    return _ports(market_data(), params, Slippage(fraction=params.slippage))


def _ports(source: MarketData, params: Params, slippage: Slippage) -> Ports:
    balance = Decimal(settings.PAPER_BALANCE)
    broker = import_string(settings.BROKER)(
        market_data=source,
        timeframe=params.timeframe,
        slippage=slippage,
        initial_balance=balance,
    )
    return Ports(
        market_data=source,
        broker=broker,
        strategies=strategy_list(),
        initial_balance=balance,
        code_version=settings.CODE_VERSION,
    )


@cache
def strategy_list() -> tuple[strategies.Strategy, ...]:
    return strategies.load(settings.STRATEGIES)


class NothingToReplay(ValueError):
    """The asked stretch holds no bar to trade on."""


def replay(
    *,
    symbols: Sequence[str],
    timeframe: str,
    start: datetime | None,
    end: datetime | None,
    values: Mapping[str, Any],
    seed: int | None,
    exchange: str,
) -> dict[str, Any]:
    """Replay stored candles through the live tick in a scratch database and return the report.

    `values` are the parameters that differ from the defaults. Raises ParamsError, UnknownTimeframe,
    StrategyError, CandleStoreError (nothing stored, gaps) and NothingToReplay.
    """
    params = Params.of({**values, "timeframe": timeframe, "pairs": list(symbols)})
    store = CandleStore(settings.JULABA_DATA_DIR / "candles", exchange)
    series = {symbol: store.read(symbol, timeframe, start=None, end=end) for symbol in symbols}
    first = max(start, _first_close(series)) if start else _first_close(series)
    last = max(candles.closed_at(len(candles) - 1) for candles in series.values())
    if first > last:
        raise NothingToReplay(f"no stored bar closes between {first} and {last}: choose another --from or --to")
    market = StoredMarket(series, fee_rate=DEFAULT_FEE_RATE)
    replayed = _ports(market, params, Slippage(fraction=params.slippage, seed=seed))
    with scratch.database():
        revision = parameters.current(now=first)
        parameters.revise(
            values=params.as_json(), reason="replay", author=None, expected_number=revision.number, now=first
        )
        replaying.run(ports=replayed, timeframe=timeframe, start=first, end=last)
        return replay_report.build(
            symbols=list(symbols),
            timeframe=timeframe,
            params=params.as_json(),
            bars={symbol: len(candles) for symbol, candles in series.items()},
        )


def _first_close(series: Mapping[str, Candles]) -> datetime:
    return min(candles.closed_at(0) for candles in series.values())
