"""Spread, order-book imbalance, funding rate and open interest of a real venue, where ccxt says that it has them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_outcomes import VENDOR_ERRORS
from trading.core import book
from trading.core.book import Book
from trading.core.ports import MarketDataUnavailable

MOST_SINGLE = 10
"""So many pairs are asked for one by one, where the venue has no list of all."""

logger = logging.getLogger(__name__)


class CcxtBooks:
    """The Books port over one venue: one request for all prices, and once an hour those for what changes slowly.

    `every` is how often somebody asks: funding and open interest are asked for by the first question of an hour alone,
    whichever process it comes from.
    """

    def __init__(self, client: CcxtClient, *, every: timedelta) -> None:
        self._client, self._every = client, every

    def read(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Book]:
        """Return what the venue tells of each symbol; what it cannot do or does not answer is left out."""
        exchange, wanted = self._client.exchange, list(symbols)
        tickers = self._list("fetchTickers", lambda: exchange.fetch_tickers(wanted))
        funding: Mapping[str, Any] = {}
        interest: Mapping[str, Any] = {}
        if now - now.replace(minute=0, second=0, microsecond=0) < self._every:
            funding = self._slow(wanted, "fetchFundingRates", "fetchFundingRate")
            interest = self._slow(wanted, "fetchOpenInterests", "fetchOpenInterest")
        found = {
            symbol: self._book(tickers.get(symbol), funding.get(symbol), interest.get(symbol)) for symbol in wanted
        }
        return {symbol: each for symbol, each in found.items() if each != Book(source=self._client.exchange_id)}

    def _slow(self, wanted: list[str], of_all: str, of_one: str) -> Mapping[str, Any]:
        exchange = self._client.exchange
        if exchange.has.get(of_all):
            return self._list(of_all, lambda: getattr(exchange, _snake(of_all))(wanted))
        found: dict[str, Any] = {}
        for symbol in wanted[:MOST_SINGLE] if exchange.has.get(of_one) else []:
            answer = self._list(of_one, lambda each=symbol: {each: getattr(exchange, _snake(of_one))(each)})  # type: ignore[misc]
            if not answer:
                break  # the others would fail alike
            found.update(answer)
        return found

    def _list(self, name: str, question: Callable[[], Any]) -> Mapping[str, Any]:
        if not self._client.exchange.has.get(name):
            return {}
        try:
            with self._client.call():
                answer = question()
        except (*VENDOR_ERRORS, MarketDataUnavailable) as error:
            logger.info("%s does not answer %s: %s", self._client.exchange_id, name, error)
            return {}
        return answer if isinstance(answer, dict) else {}

    def _book(self, ticker: Any, funding: Any, interest: Any) -> Book:
        bid, ask = _number(ticker, "bid"), _number(ticker, "ask")
        return Book(
            volume=_number(ticker, "quoteVolume"),
            spread=book.spread(bid, ask),
            imbalance=book.imbalance(_number(ticker, "bidVolume"), _number(ticker, "askVolume")),
            funding_rate=_number(funding, "fundingRate"),
            open_interest=_number(interest, "openInterestAmount"),
            source=self._client.exchange_id,
        )


def _number(row: Any, name: str) -> float:
    """Return a finite value of an answer; NaN for what is missing or no number."""
    value = row.get(name) if isinstance(row, dict) else None
    try:
        made = float(value) if value is not None else math.nan
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return made if math.isfinite(made) else math.nan


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
