"""A source of prices that does not answer: nothing is entered, and no exit waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from tests.engine import assert_books_balance, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading.core.candles import Candles
from trading.core.ports import MarketData, MarketDataUnavailable
from trading.core.types import Market, Ticker
from trading.models import Bot, Signal, Trade, TradeStatus

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
RISEN = (130.0, 130.5, 129.5, 130.0)


@dataclass
class Deaf:
    """Market data of which one half does not answer."""

    inner: MarketData
    has_candles: bool
    has_tickers: bool

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        if not self.has_candles:
            raise MarketDataUnavailable("no bars")
        return self.inner.candles(symbol, timeframe, now=now, limit=limit)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        if not self.has_tickers:
            raise MarketDataUnavailable("no prices")
        return self.inner.tickers(symbols, now=now)

    def markets(self) -> Mapping[str, Market]:
        return self.inner.markets()


def test_without_bars_the_price_still_closes_at_a_target() -> None:
    set_params()
    ports = ports_over(series([QUIET, RISEN]), enter_at(-1))
    run_rows(ports, -1)

    run_rows(replace(ports, market_data=Deaf(ports.market_data, has_candles=False, has_tickers=True)), 0)

    assert Trade.objects.get().exit_reason == "target_3"
    assert_books_balance()


def test_without_prices_bars_still_close_at_a_target_and_nothing_is_entered() -> None:
    set_params(trailing=False, break_even=False)
    ports = ports_over(series([(100.0, 130.0, 99.9, 129.0), QUIET]), enter_at(-1, 0))
    run_rows(ports, -1)

    run_rows(replace(ports, market_data=Deaf(ports.market_data, has_candles=True, has_tickers=False)), 0)

    assert Trade.objects.get().exit_reason == "target_3"
    assert Signal.objects.order_by("bar_at").last().refused_by == "price_age"  # type: ignore[union-attr]
    assert_books_balance()


def test_without_prices_equity_stays_where_it_was_last_seen() -> None:
    set_params()
    ports = ports_over(series([(101.0, 101.2, 100.8, 101.0), QUIET]), enter_at(-1))
    run_rows(ports, -1)
    run_tick(ports, close_of(-1) + timedelta(seconds=5))
    seen = Bot.objects.get().equity
    deaf = Deaf(ports.market_data, has_candles=False, has_tickers=False)

    run_tick(replace(ports, market_data=deaf), close_of(-1) + timedelta(seconds=10))

    assert Bot.objects.get().equity == seen
    assert Trade.objects.get().status == TradeStatus.OPEN
