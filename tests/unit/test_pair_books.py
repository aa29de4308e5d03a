"""What a venue tells besides its bars: taken where it has it, left out where it has not, never a reason to fail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.adapters.ccxt_books import CcxtBooks
from trading.adapters.simulated_books import SimulatedBooks
from trading.core import book
from trading.core.book import Book

HOUR = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
LATER = HOUR + timedelta(minutes=30)
BTC, ETH = "BTC/USDT", "ETH/USDT"
TICKERS = {
    BTC: {"bid": "100", "ask": "101", "bidVolume": "3", "askVolume": "1", "quoteVolume": "5e6"},
    ETH: {"bid": None, "ask": "11", "quoteVolume": "much"},
}


class Exchange:
    """Answers as ccxt would, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.has = dict.fromkeys(answers, True)
        self._answers, self.asked = answers, list[str]()

    def __getattr__(self, name: str) -> Any:
        words = name.split("_")
        method = words[0] + "".join(word.title() for word in words[1:])

        def answer(asked: Any) -> Any:
            self.asked.append(method)
            given = self._answers[method]
            if isinstance(given, Exception):
                raise given
            return given[asked] if isinstance(asked, str) else given

        return answer


class Client:
    exchange_id = "testvenue"

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    @contextmanager
    def call(self) -> Iterator[None]:
        yield


def read(exchange: Exchange, *, now: datetime = HOUR, every: timedelta = timedelta(minutes=5)) -> dict[str, Book]:
    client: Any = Client(exchange)
    return dict(CcxtBooks(client, every=every).read([BTC, ETH], now=now))


def test_all_prices_are_one_question_and_what_changes_slowly_is_asked_once_an_hour() -> None:
    funding, interest = {BTC: {"fundingRate": 0.0001}}, {BTC: {"openInterestAmount": "12"}}
    exchange = Exchange(fetchTickers=TICKERS, fetchFundingRates=funding, fetchOpenInterest=interest)

    found = read(exchange)[BTC]
    assert found.spread == pytest.approx(2 / 201)
    assert (found.volume, found.imbalance, found.funding_rate, found.open_interest) == (5e6, 0.5, 0.0001, 12.0)
    assert found.source == "testvenue"
    assert exchange.asked[:2] == ["fetchTickers", "fetchFundingRates"]

    exchange.asked.clear()
    assert math.isnan(read(exchange, now=LATER)[BTC].funding_rate)
    assert exchange.asked == ["fetchTickers"]


@pytest.mark.parametrize("minutes", [1, 5, 7, 15, 30, 60, 90])
@pytest.mark.parametrize("offset", [0, 3, 14])
def test_however_often_somebody_asks_what_changes_slowly_is_asked_for_once_an_hour(minutes: int, offset: int) -> None:
    exchange = Exchange(fetchTickers=TICKERS, fetchFundingRates={BTC: {"fundingRate": 0.0001}})
    every, day = timedelta(minutes=minutes), timedelta(days=1)
    begin = HOUR.replace(minute=0) + timedelta(minutes=offset)

    for scan in range(day // every):
        read(exchange, now=begin + scan * every, every=every)

    asked = exchange.asked.count("fetchFundingRates")
    assert abs(asked - min(24, day // every)) <= 1


def test_what_is_no_number_is_not_known_and_a_pair_of_which_nothing_is_known_is_left_out() -> None:
    assert read(Exchange(fetchTickers=TICKERS)).keys() == {BTC}
    assert read(Exchange(fetchTickers={BTC: {"bid": "nan", "ask": [], "quoteVolume": math.inf}, ETH: "junk"})) == {}


@pytest.mark.parametrize("answer", [ccxt.NetworkError("down"), ccxt.ExchangeError("no"), KeyError("x"), [], None])
def test_a_venue_that_does_not_answer_is_no_reason_to_fail(answer: Any) -> None:
    assert (
        read(Exchange(fetchTickers=answer, fetchFundingRates=answer, fetchOpenInterest=ccxt.NetworkError("down"))) == {}
    )


def test_a_venue_that_has_none_of_it_is_asked_nothing() -> None:
    exchange = Exchange()

    assert read(exchange) == {}
    assert exchange.asked == []


def test_the_simulated_books_are_a_function_of_seed_symbol_and_time_and_say_so() -> None:
    books = SimulatedBooks(seed=7)
    first = books.read([BTC, "NONE/USDT"], now=HOUR)

    assert first == SimulatedBooks(seed=7).read([BTC], now=HOUR)
    assert first.keys() == {BTC}
    assert first[BTC].source == "simulated"
    assert first[BTC] != books.read([BTC], now=LATER)[BTC]
    assert first[BTC].funding_rate == books.read([BTC], now=LATER)[BTC].funding_rate
    assert first[BTC] != SimulatedBooks(seed=8).read([BTC], now=HOUR)[BTC]


@given(bid=st.floats(0, 1e9), ask=st.floats(0, 1e9))
def test_imbalance_and_spread_stay_within_their_ranges(bid: float, ask: float) -> None:
    leaning, apart = book.imbalance(bid, ask), book.spread(bid, ask)

    assert math.isnan(leaning) == (bid + ask == 0)
    assert math.isnan(leaning) or -1 <= leaning <= 1
    assert math.isnan(apart) or 0 <= apart <= 2
    assert not (0 < bid <= ask) or not math.isnan(apart)


def test_only_what_is_known_is_kept() -> None:
    assert Book(source="x").as_json() == {}
    assert Book(volume=1.0, spread=0.001, source="x").as_json() == {"spread": 0.001, "source": "x"}
