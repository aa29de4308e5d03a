from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.adapters.simulated_market import SimulatedMarket
from trading.core import timeframes
from trading.core.candles import Candles, Floats
from trading.core.params import DEFAULT_PAIRS
from trading.core.ports import MarketData, UnknownSymbol
from trading.research import simulate

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
MARKET: MarketData = SimulatedMarket(seed=7)  # the annotation lets mypy check the port

moments = st.integers(0, 86_400 * 365 * 20).map(lambda second: simulate.EPOCH + timedelta(days=30, seconds=second))
names = st.sampled_from(sorted(timeframes.MILLISECONDS))
few = settings(max_examples=40, deadline=None)


def columns(candles: Candles) -> Floats:
    return np.stack((candles.opened, candles.open, candles.high, candles.low, candles.close, candles.volume))


@few
@given(now=moments, timeframe=names, limit=st.integers(1, 30))
def test_the_newest_candle_is_the_last_that_has_closed(now: datetime, timeframe: str, limit: int) -> None:
    found = MARKET.candles("SOL/USDT", timeframe, now=now, limit=limit)

    assert (found.symbol, found.timeframe, len(found)) == ("SOL/USDT", timeframe, limit)
    assert found.opened_at(-1) == timeframes.last_closed(now, timeframe)
    assert found.closed_at(-1) <= now < found.closed_at(-1) + timeframes.length(timeframe)


@few
@given(now=moments, later=st.timedeltas(timedelta(0), timedelta(days=2)), timeframe=st.sampled_from(("1m", "5m", "1h")))
def test_a_candle_never_changes_when_time_goes_on(now: datetime, later: timedelta, timeframe: str) -> None:
    before = MARKET.candles("ARB/USDT", timeframe, now=now, limit=50)
    after = MARKET.candles("ARB/USDT", timeframe, now=now + later, limit=5_000)

    kept = np.isin(after.opened, before.opened)

    assert np.array_equal(columns(after)[:, kept], columns(before))


@pytest.mark.parametrize(
    ("now", "last_opened"),
    [
        (NOON - timedelta(microseconds=1), NOON - timedelta(minutes=2)),
        (NOON, NOON - timedelta(minutes=1)),
        (NOON + timedelta(seconds=59), NOON - timedelta(minutes=1)),
    ],
)
def test_a_bar_exists_from_the_moment_it_closes(now: datetime, last_opened: datetime) -> None:
    assert MARKET.candles("BTC/USDT", "1m", now=now, limit=3).opened_at(-1) == last_opened


def test_the_ticker_at_the_close_is_the_close() -> None:
    tickers = MARKET.tickers(DEFAULT_PAIRS, now=NOON)

    for symbol in DEFAULT_PAIRS:
        for timeframe in timeframes.MILLISECONDS:
            if timeframes.bar_open(NOON, timeframe) == NOON:
                assert tickers[symbol].price == MARKET.candles(symbol, timeframe, now=NOON, limit=1).close[-1]


def test_tickers_are_stamped_with_their_step_and_leave_out_what_is_not_listed() -> None:
    tickers = MARKET.tickers(["ETH/USDT", "DOGE/USDT"], now=NOON + timedelta(seconds=8))

    assert list(tickers) == ["ETH/USDT"]
    assert tickers["ETH/USDT"].symbol == "ETH/USDT"
    assert tickers["ETH/USDT"].at == NOON + timedelta(seconds=5)


def test_the_first_hours_have_fewer_candles_than_asked_for() -> None:
    after_ten_minutes = simulate.EPOCH + timedelta(minutes=10)

    minutes = MARKET.candles("OP/USDT", "1m", now=after_ten_minutes, limit=1_000_000_000)

    assert [minutes.opened_at(0), minutes.closed_at(-1)] == [simulate.EPOCH, after_ten_minutes]
    assert len(MARKET.candles("OP/USDT", "15m", now=after_ten_minutes, limit=10)) == 0
    assert len(MARKET.candles("OP/USDT", "1m", now=NOON, limit=0)) == 0


def test_the_same_seed_is_the_same_market_and_another_is_another() -> None:
    one, again, other = (
        columns(SimulatedMarket(seed=seed).candles("INJ/USDT", "5m", now=NOON, limit=100)) for seed in (1, 1, 2)
    )

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_markets_list_the_default_pairs_with_what_the_venue_allows() -> None:
    markets = MARKET.markets()

    assert tuple(markets) == DEFAULT_PAIRS
    for symbol, market in markets.items():
        assert market.symbol == symbol
        assert (market.fee_rate, market.min_notional, market.allows_short) == (Decimal("0.0004"), Decimal("5"), True)
        assert market.price(MARKET.tickers([symbol], now=NOON)[symbol].price) > 1_000 * market.price_step


def test_markets_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        MARKET.markets()["BTC/USDT"] = MARKET.markets()["ETH/USDT"]  # type: ignore[index]


def test_what_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(UnknownSymbol, match="'DOGE/USDT'"):
        MARKET.candles("DOGE/USDT", "1m", now=NOON, limit=10)
    with pytest.raises(timeframes.UnknownTimeframe, match="'7m'"):
        MARKET.candles("BTC/USDT", "7m", now=NOON, limit=10)


@pytest.mark.parametrize("age", [timedelta(seconds=1), timedelta(days=400)])
def test_before_the_epoch_there_is_no_market(age: timedelta) -> None:
    early = simulate.EPOCH - age

    with pytest.raises(ValueError, match="begins at 2015-01-01"):
        MARKET.candles("BTC/USDT", "1m", now=early, limit=10)
    with pytest.raises(ValueError, match="begins at 2015-01-01"):
        MARKET.tickers(["BTC/USDT"], now=early)
