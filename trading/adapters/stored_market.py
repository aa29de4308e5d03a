"""MarketData over candles that are already in memory: the past, answered as it looked at `now`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading.core import timeframes
from trading.core.candles import Candles, Floats
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.core.types import SPOT_LEVERAGE, Market, Ticker

MAX_DECIMALS = 8
LOT_VALUE = Decimal("0.01")
MIN_NOTIONAL = Decimal(5)


class StoredMarket:
    """Implements the MarketData port; every series has the same timeframe and at least one bar.

    On a spot market nothing is sold that is not held, and coins are paid in full.
    """

    def __init__(self, series: Mapping[str, Candles], *, fee_rate: Decimal, is_spot: bool = False) -> None:
        if len({candles.timeframe for candles in series.values()}) > 1:
            raise ValueError("the series of a stored market need one timeframe")
        for symbol, candles in series.items():
            if not len(candles):
                raise ValueError(f"the series of {symbol} has no bars")
        self._series = dict(series)
        self._markets = {symbol: _market(symbol, candles, fee_rate, is_spot) for symbol, candles in series.items()}

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        """Return the last `limit` bars that have closed by `now`, sharing memory.

        Raises UnknownSymbol, and MarketDataUnavailable for another timeframe than the stored one.
        """
        if symbol not in self._series:
            raise UnknownSymbol(symbol, sorted(self._series))
        candles = self._series[symbol]
        if timeframe != candles.timeframe:
            raise MarketDataUnavailable(f"{symbol} is stored in {candles.timeframe} bars, not {timeframe}")
        return candles.until(now, limit=limit)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return what could be known at `now`: the open of the bar that contains it, else the last close.

        `at` is the open of that bar. Symbols without a bar yet, or not stored, are left out.
        """
        found = {symbol: _ticker(symbol, self._series[symbol], now) for symbol in symbols if symbol in self._series}
        return {symbol: ticker for symbol, ticker in found.items() if ticker}

    def markets(self) -> Mapping[str, Market]:
        """Return grids inferred from the candles: the prices' decimals, and lots worth about 0.01 quote at most."""
        return dict(self._markets)


def _ticker(symbol: str, candles: Candles, now: datetime) -> Ticker | None:
    bar = int(np.searchsorted(candles.opened, timeframes.to_ms(now), side="right")) - 1
    if bar < 0:
        return None
    if now < candles.closed_at(bar):
        return Ticker(symbol=symbol, price=float(candles.open[bar]), at=candles.opened_at(bar))
    # Past the data there is no price to enter at: dated to its bar's open, the last close is too old for an entry.
    return Ticker(symbol=symbol, price=float(candles.close[bar]), at=candles.opened_at(bar))


def _market(symbol: str, candles: Candles, fee_rate: Decimal, is_spot: bool) -> Market:
    lot = (LOT_VALUE / Decimal(str(float(candles.close[0])))).adjusted()
    return Market(
        symbol=symbol,
        price_step=Decimal(1).scaleb(-_decimals(candles)),
        quantity_step=Decimal(1).scaleb(min(0, max(-MAX_DECIMALS, lot))),
        min_notional=MIN_NOTIONAL,
        fee_rate=fee_rate,
        allows_short=not is_spot,
        max_leverage=SPOT_LEVERAGE if is_spot else None,
    )


def _decimals(candles: Candles) -> int:
    """Return the largest number of decimals among the prices, at most MAX_DECIMALS."""
    return max(_decimals_of(column) for column in (candles.open, candles.high, candles.low, candles.close))


def _decimals_of(prices: Floats) -> int:
    for decimals in range(MAX_DECIMALS):
        # Rounding gives back the same float exactly when its shortest text has no more decimals.
        prices = prices[np.round(prices, decimals) != prices]
        if not len(prices):
            return decimals
    return MAX_DECIMALS
