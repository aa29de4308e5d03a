"""CcxtMarket over the fake venue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.venue.launch import Venue, venue
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_market import CcxtMarket
from trading.core import timeframes
from trading.core.ports import MarketDataUnavailable, UnknownSymbol

SYMBOL = "BTC/USDT"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.sqlite3") as running:
        yield running


@pytest.fixture
def place(shared: Venue) -> Iterator[Venue]:
    shared.heal()
    yield shared
    shared.heal()


@pytest.fixture(params=["binance", "mexc"])
def market(place: Venue, request: pytest.FixtureRequest) -> CcxtMarket:
    return CcxtMarket(CcxtClient(request.param, endpoint=place.base_url))


def now() -> datetime:
    return datetime.now(UTC)


def test_the_rules_of_a_market(market: CcxtMarket) -> None:
    rules = market.markets()[SYMBOL]
    assert rules.quantity_step == Decimal("0.00001")
    assert rules.price_step == Decimal("0.01")
    assert rules.min_notional == Decimal(5)
    assert rules.fee_rate > 0
    assert not rules.allows_short
    assert rules.max_leverage == Decimal("0.99")


def test_only_closed_bars(market: CcxtMarket) -> None:
    at = now()
    candles = market.candles(SYMBOL, "1m", now=at, limit=30)
    assert 0 < len(candles) <= 30
    assert candles.closed_at(len(candles) - 1) <= at
    assert candles.closed_at(len(candles) - 1) == timeframes.bar_open(at, "1m")


def test_tickers_have_a_time_and_leave_out_strangers(place: Venue, market: CcxtMarket) -> None:
    place.price(SYMBOL, "50123")
    found = market.tickers([SYMBOL, "NOPE/USDT"], now=now())
    assert set(found) == {SYMBOL}
    assert found[SYMBOL].price == 50123
    assert abs(found[SYMBOL].at - now()) < timedelta(seconds=30)


def test_an_unknown_symbol(market: CcxtMarket) -> None:
    with pytest.raises(UnknownSymbol):
        market.candles("NOPE/USDT", "1m", now=now(), limit=5)


@pytest.mark.parametrize(
    "what",
    ["http_5xx", "accept_then_html", "accept_then_null", "accept_then_cut", "accept_then_truncate", "rate_limit"],
)
def test_whatever_fails_is_unavailable(place: Venue, market: CcxtMarket, what: str) -> None:
    market.markets()
    place.fault(what, "GET klines")
    with pytest.raises(MarketDataUnavailable):
        market.candles(SYMBOL, "1m", now=now(), limit=5)


def test_no_markets_is_no_answer(place: Venue, market: CcxtMarket) -> None:
    place.fault("accept_then_null", "GET exchangeInfo")
    with pytest.raises(MarketDataUnavailable):
        market.markets()


def test_the_least_and_the_most_of_an_order_are_read(place: Venue) -> None:
    place.market("DOGEUSDT", exchange="binance", min_quantity="25")
    try:
        rules = CcxtMarket(CcxtClient("binance", endpoint=place.base_url)).markets()["DOGE/USDT"]
        assert (rules.min_quantity, rules.max_quantity) == (Decimal(25), Decimal(9_000_000))
    finally:
        place.market("DOGEUSDT", exchange="binance", min_quantity="0")


def test_a_market_that_rests_has_rules_and_no_price(place: Venue) -> None:
    place.market("DOGEUSDT", exchange="binance", status="BREAK")
    market = CcxtMarket(CcxtClient("binance", endpoint=place.base_url))
    try:
        assert "DOGE/USDT" in market.markets()
        assert list(market.tickers(["DOGE/USDT", "BTC/USDT"], now=datetime.now(UTC))) == ["BTC/USDT"]
    finally:
        place.market("DOGEUSDT", exchange="binance", status="TRADING")
