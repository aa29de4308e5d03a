"""From dotted paths in the settings to the ports, built on first use, once per process."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from trading.adapters.simulated_market import SimulatedMarket
from trading.core import strategies
from trading.core.params import Params
from trading.core.ports import MarketData
from trading.core.slippage import Slippage
from trading.services.context import Ports


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
    return ports_over(market_data(), params, Slippage(fraction=params.slippage))


def ports_over(source: MarketData, params: Params, slippage: Slippage) -> Ports:
    """Return the ports for another source of prices, such as the past."""
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
