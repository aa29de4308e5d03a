"""What torture trades: forty coins whose price swings, and a setup in each of them on every bar.

Bars are synthetic and five seconds long, so that signals come fast; prices, orders and money are the fake venue's,
reached by the real ccxt classes through the real adapters.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.core import timeframes

TIMEFRAME = "5s"
timeframes.MILLISECONDS[TIMEFRAME] = 5_000  # before trading.core.params reads which there are

import numpy as np  # noqa: E402

from trading.adapters.ccxt_broker import CcxtBroker  # noqa: E402
from trading.adapters.ccxt_client import CcxtClient  # noqa: E402
from trading.adapters.ccxt_market import CcxtMarket  # noqa: E402
from trading.core import position, sizing  # noqa: E402
from trading.core.analysis import Analysis  # noqa: E402
from trading.core.candles import Candles  # noqa: E402
from trading.core.decision import find_setup, history_bars  # noqa: E402
from trading.core.params import Params  # noqa: E402
from trading.core.strategies import Sides  # noqa: E402
from trading.core.types import Market, Side, Ticker  # noqa: E402

COINS = tuple(f"T{number:02d}" for number in range(40))
SYMBOLS = tuple(f"{coin}/USDT" for coin in COINS)
MIDDLE, SWING, PERIOD_S = 100.0, 0.05, 14.0
PARAMS: dict[str, Any] = {
    "timeframe": TIMEFRAME,
    "pairs": list(SYMBOLS),
    "max_open_trades": 50,
    "max_open_risk": 0.5,
    "max_leverage": 1.0,
    "risk_fraction": 0.001,
    "risk_floor": 0.0005,
    "risk_ceiling": 0.002,
    "kelly": False,
    "cooldown_minutes": 0,
    "daily_loss": 1.0,
    "weekly_loss": 1.0,
    "entry_deadline": 1.0,
    "stop_atr": 1.0,
    "target_one_r": 0.5,
    "target_two_r": 1.0,
    "target_three_r": 1.5,
    "time_stop": 1,
}


def price(coin: str, seconds: float) -> Decimal:
    """Return the price of a coin at a time; each swings on its own, so that stops and targets are met all the time."""
    phase = COINS.index(coin) * 0.7
    swing = math.sin(2 * math.pi * seconds / PERIOD_S + phase) + 0.5 * math.sin(seconds / 2.9 + 3 * phase)
    return Decimal(f"{MIDDLE * (1 + SWING * swing / 1.5):.2f}")


class EveryBar:
    """A strategy that would enter on every bar."""

    name = "every_bar"

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.ones(len(candles), dtype=np.int8)


class MadeUp:
    """Bars that are two per cent high, so that an ATR is about what a coin swings."""

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        span = timeframes.milliseconds(timeframe)
        stop = timeframes.to_ms(timeframes.bar_open(now, timeframe))
        opened = stop - span * np.arange(limit, 0, -1, dtype=np.int64)
        middle = np.full(limit, MIDDLE)
        close = middle + 0.2 * np.sin(opened / 7919.0)
        return Candles(
            symbol=symbol,
            timeframe=timeframe,
            opened=opened,
            open=middle,
            high=middle + 1.0,
            low=middle - 1.0,
            close=close,
            volume=np.full(limit, 10.0),
        )


class TortureMarket(MadeUp):
    """Real tickers and rules from the venue; bars made up."""

    def __init__(self, source: CcxtMarket) -> None:
        self._source = source

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return self._source.tickers(symbols, now=now)

    def markets(self) -> Mapping[str, Market]:
        return self._source.markets()


def client() -> CcxtClient:
    """Return a client of the fake venue that JULABA_TORTURE_VENUE names, with a budget that lets it run."""
    made = CcxtClient(
        "binance",
        key=os.environ["JULABA_TORTURE_KEY"],
        secret=os.environ["JULABA_TORTURE_SECRET"],
        endpoint=os.environ["JULABA_TORTURE_VENUE"],
        per_second=100_000,
    )
    made.exchange.timeout = 2500
    return made


def market_and_broker() -> tuple[TortureMarket, CcxtBroker]:
    shared = client()
    return TortureMarket(CcxtMarket(shared)), CcxtBroker(client=shared)


def warm_up() -> None:
    """Run what is compiled once, in the process that traders are forked from: each would take two seconds to load it."""
    now = datetime.now().astimezone()
    market = Market(
        symbol=SYMBOLS[0],
        price_step=Decimal("0.01"),
        quantity_step=Decimal("0.001"),
        min_notional=Decimal(5),
        fee_rate=Decimal("0.001"),
    )
    params = Params(**{**PARAMS, "pairs": SYMBOLS})
    bars = history_bars(params, [EveryBar()])
    candles = MadeUp().candles(SYMBOLS[0], TIMEFRAME, now=now, limit=bars)
    found = find_setup(candles, strategies=[EveryBar()], params=params, market=market)
    assert found is not None
    setup, _ = found
    record = sizing.Record(returns=(), losses_in_row=0, wins_in_row=0)
    sizing.risk_now(params=params, record=record, drawdown=0.0, atr_fraction=setup.atr / setup.price)
    stop = setup.price - setup.atr
    opened = position.open_position(side=Side.LONG, entry=setup.price, stop=stop)
    rules = position.exit_rules(side=Side.LONG, entry=setup.price, stop=stop, params=params, market=market)
    position.on_price(opened, rules, setup.price)
    position.on_bar(opened, rules, open=setup.price, high=setup.price, low=setup.price)
