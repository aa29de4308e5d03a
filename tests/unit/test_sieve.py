"""Which prices are believed, and which levels they cross."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from trading.core.sieve import Level, Sieve
from trading.core.types import Ticker

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def ticker(price: float, seconds: float = 0.0) -> Ticker:
    return Ticker(symbol="BTC/USDT", price=price, at=NOW + timedelta(seconds=seconds))


def answers(*prices: tuple[float, float]) -> list[bool]:
    """Return of each (price, seconds) whether it is believed."""
    sieve = Sieve()
    return [not sieve.objection(ticker(price, at), now=NOW + timedelta(seconds=at)) for price, at in prices]


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0])
def test_what_is_no_price_is_not_believed(price: float) -> None:
    assert answers((100, 0), (price, 1), (101, 2)) == [True, False, True]


def test_a_price_from_the_future_is_not_believed() -> None:
    assert Sieve().objection(ticker(100, 11), now=NOW) == "a price from the future"
    assert Sieve().objection(ticker(100, 9), now=NOW) == ""


def test_an_old_price_does_not_replace_a_newer_one() -> None:
    sieve = Sieve()
    sieve.objection(ticker(100, 5), now=NOW)

    assert sieve.objection(ticker(90, 4), now=NOW) == "a price older than the one before"
    assert sieve.believed("BTC/USDT") == ticker(100, 5)


def test_one_print_far_away_is_not_believed_and_three_are() -> None:
    assert answers((100, 0), (1000, 1), (100, 2)) == [True, False, True]
    assert answers((100, 0), (70, 1), (70.1, 2), (69.9, 3)) == [True, False, False, True]


def test_the_same_message_again_is_no_witness() -> None:
    assert answers((100, 0), (70, 1), (70, 1), (70, 1), (70, 1)) == [True, False, False, False, False]


def test_far_prices_that_differ_are_no_witnesses() -> None:
    assert answers((100, 0), (70, 1), (1000, 2), (10, 3), (70, 4)) == [True, False, False, False, False]


def test_after_ten_minutes_any_price_is_news() -> None:
    assert answers((100, 0), (50, 601)) == [True, True]


def test_what_is_watched_no_more_is_forgotten() -> None:
    sieve = Sieve()
    sieve.objection(ticker(100), now=NOW)

    sieve.keep_only(["ETH/USDT"])

    assert sieve.believed("BTC/USDT") is None


@pytest.mark.parametrize(
    ("sign", "price", "crossed"),
    [(1, 95, True), (1, 94, True), (1, 96, False), (1, 110, True), (-1, 95, False), (-1, 105, True), (-1, 90, True)],
)
def test_a_level_is_reached_from_its_side(sign: int, price: float, crossed: bool) -> None:
    stop, target = (95.0, 110.0) if sign > 0 else (105.0, 90.0)

    assert Level(trade=1, sign=sign, stop=stop, target=target).is_crossed(price) is crossed


def test_a_level_that_is_not_there_is_never_reached() -> None:
    assert not Level(trade=1, sign=1, stop=math.nan, target=math.nan).is_crossed(1.0)
