from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.adapters.stored_market import StoredMarket
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.types import Market, Ticker

START = datetime(2026, 1, 1, tzinfo=UTC)
FEE = Decimal("0.001")

# bar     0     1     2     3
OPEN = (100.0, 102.0, 101.0, 104.0)
CLOSE = (101.0, 101.5, 103.0, 105.0)


def bars(
    *, opens: Any = OPEN, closes: Any = CLOSE, start: datetime = START, timeframe: str = "15m", symbol: str = "BTC/USDT"
) -> Candles:
    opens, closes = np.array(opens, dtype=np.float64), np.array(closes, dtype=np.float64)
    return Candles.checked(
        symbol=symbol,
        timeframe=timeframe,
        opened=timeframes.to_ms(start) + timeframes.milliseconds(timeframe) * np.arange(len(opens)),
        open=opens,
        high=np.maximum(opens, closes),
        low=np.minimum(opens, closes),
        close=closes,
        volume=np.ones(len(opens)),
    )


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def market_of(*prices: float) -> Market:
    return StoredMarket({"X/USDT": bars(opens=prices, closes=prices)}, fee_rate=FEE).markets()["X/USDT"]


def test_it_is_market_data() -> None:
    market: MarketData = StoredMarket({}, fee_rate=FEE)
    assert market.markets() == {}
    assert market.tickers(["BTC/USDT"], now=START) == {}


@pytest.mark.parametrize(
    ("_case", "minutes", "limit", "first", "stop"),
    [
        ("before the first close", 14.99, 10, 0, 0),
        ("at the first close", 15, 10, 0, 1),
        ("inside a bar", 44, 10, 0, 2),
        ("only the newest", 45, 2, 1, 3),
        ("after the end", 600, 10, 0, 4),
        ("before the start", -600, 10, 0, 0),
    ],
)
def test_only_bars_that_have_closed_by_now_exist(_case: str, minutes: float, limit: int, first: int, stop: int) -> None:
    market = StoredMarket({"BTC/USDT": bars()}, fee_rate=FEE)

    found = market.candles("BTC/USDT", "15m", now=at(minutes), limit=limit)

    assert found.close.tolist() == list(CLOSE[first:stop])
    assert (found.symbol, found.timeframe) == ("BTC/USDT", "15m")


def test_the_candles_share_the_memory_of_the_series() -> None:
    series = bars()
    market = StoredMarket({"BTC/USDT": series}, fee_rate=FEE)
    assert np.shares_memory(market.candles("BTC/USDT", "15m", now=at(60), limit=3).close, series.close)


@pytest.mark.parametrize(
    ("_case", "minutes", "price", "price_at"),
    [
        ("the first bar opens", 0, 100.0, 0),
        ("inside the first bar its close is not known", 14.99, 100.0, 0),
        ("when a bar closes the next one's open is the price", 15, 102.0, 15),
        ("inside the last bar", 59, 104.0, 45),
        ("when the last bar closes there is no next one", 60, 105.0, 45),
        ("long after the end", 6000, 105.0, 45),
    ],
)
def test_the_price_is_the_open_of_the_bar_that_contains_now_or_the_last_close(
    _case: str, minutes: float, price: float, price_at: int
) -> None:
    market = StoredMarket({"BTC/USDT": bars()}, fee_rate=FEE)

    tickers = market.tickers(["BTC/USDT"], now=at(minutes))

    assert tickers == {"BTC/USDT": Ticker(symbol="BTC/USDT", price=price, at=at(price_at))}
    assert type(tickers["BTC/USDT"].price) is float


def test_symbols_without_a_bar_yet_or_not_stored_or_not_asked_for_have_no_price() -> None:
    late = bars(start=at(30), symbol="ETH/USDT")
    market = StoredMarket({"BTC/USDT": bars(), "ETH/USDT": late, "LTC/USDT": bars(symbol="LTC/USDT")}, fee_rate=FEE)
    asked = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]

    assert list(market.tickers(asked, now=at(29.9))) == ["BTC/USDT"]
    assert list(market.tickers(asked, now=at(30))) == ["BTC/USDT", "ETH/USDT"]
    assert len(market.candles("ETH/USDT", "15m", now=at(29.9), limit=5)) == 0


@given(stop=st.integers(1, 4), data=st.data())
def test_bars_that_open_later_change_no_answer(stop: int, data: st.DataObject) -> None:
    now = at(data.draw(st.integers(-20, 15 * stop - 1)))
    whole = StoredMarket({"BTC/USDT": bars()}, fee_rate=FEE)
    part = StoredMarket({"BTC/USDT": bars().slice(0, stop)}, fee_rate=FEE)

    assert whole.tickers(["BTC/USDT"], now=now) == part.tickers(["BTC/USDT"], now=now)
    closes = [market.candles("BTC/USDT", "15m", now=now, limit=9).close.tolist() for market in (whole, part)]
    assert closes[0] == closes[1]


def test_an_unknown_symbol_and_another_timeframe_are_refused() -> None:
    market = StoredMarket({"BTC/USDT": bars()}, fee_rate=FEE)
    with pytest.raises(UnknownSymbol, match="unknown symbol 'SOL/USDT': this source has BTC/USDT"):
        market.candles("SOL/USDT", "15m", now=at(60), limit=5)
    with pytest.raises(MarketDataUnavailable, match="BTC/USDT is stored in 15m bars, not 1h"):
        market.candles("BTC/USDT", "1h", now=at(60), limit=5)


def test_series_of_two_timeframes_or_without_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="need one timeframe"):
        StoredMarket({"BTC/USDT": bars(), "ETH/USDT": bars(timeframe="1h", symbol="ETH/USDT")}, fee_rate=FEE)
    with pytest.raises(ValueError, match="the series of BTC/USDT has no bars"):
        StoredMarket({"BTC/USDT": bars(opens=(), closes=())}, fee_rate=FEE)


def test_a_market_carries_the_fee_and_the_usual_minimum() -> None:
    assert market_of(65000.5, 64000.25) == Market(
        symbol="X/USDT",
        price_step=Decimal("0.01"),
        quantity_step=Decimal("0.0000001"),
        min_notional=Decimal(5),
        fee_rate=FEE,
        allows_short=True,
    )


@pytest.mark.parametrize(
    ("_case", "prices", "step"),
    [
        ("whole", (3.0, 12.0), "1"),
        ("tens", (30.0, 120.0), "1"),
        ("the finest price counts", (3.0, 12.5, 12.125, 7.0), "0.001"),
        ("binary dust counts as decimals", (0.1 + 0.7, 0.3), "0.00000001"),
        ("shortest text", (0.3, 1.1, 115356.75), "0.01"),
        ("eight decimals", (0.00001234, 0.00001235), "0.00000001"),
        ("never finer than eight", (0.000012345,), "0.00000001"),
        ("large and fine", (90536.12345678,), "0.00000001"),
    ],
)
def test_the_price_step_is_the_finest_decimal_of_any_price(_case: str, prices: tuple[float, ...], step: str) -> None:
    assert market_of(*prices).price_step == Decimal(step)


def test_every_column_counts_for_the_price_step() -> None:
    series = bars(opens=(10.0, 10.0), closes=(11.0, 11.0))
    series.high[1] = 11.25
    series.low[0] = 9.375
    assert StoredMarket({"X/USDT": series}, fee_rate=FEE).markets()["X/USDT"].price_step == Decimal("0.001")


@given(numbers=st.lists(st.integers(1, 10**13), min_size=1, max_size=20), decimals=st.integers(0, 8))
def test_stored_prices_are_on_the_grid_that_was_inferred(numbers: list[int], decimals: int) -> None:
    prices = [float(Decimal(number).scaleb(-decimals)) for number in numbers]

    market = market_of(*prices)

    assert [float(market.price(price)) for price in prices] == prices
    assert market.price_step >= Decimal(1).scaleb(-decimals)


@pytest.mark.parametrize(
    ("_case", "price", "step"),
    [
        ("bitcoin", 115356.75, "0.00000001"),
        ("exactly a power of ten", 100000.0, "0.0000001"),
        ("a coin of ten", 13.14, "0.0001"),
        ("one", 1.0, "0.01"),
        ("a cheap coin", 0.01, "1"),
        ("a very cheap coin trades in ones", 0.00001234, "1"),
        ("dearer than any lot", 5_000_000.0, "0.00000001"),
    ],
)
def test_one_lot_is_worth_a_hundredth_at_most_at_the_first_close(_case: str, price: float, step: str) -> None:
    assert market_of(price, 1000.0).quantity_step == Decimal(step)
