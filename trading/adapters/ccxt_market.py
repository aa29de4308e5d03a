"""Prices and rules of a real venue through ccxt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_lazy import ccxt
from trading.adapters.ccxt_outcomes import VENDOR_ERRORS, parsed
from trading.core import timeframes
from trading.core.candles import CandleError, Candles
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.core.quality import Sifted, sift
from trading.core.types import SPOT_LEVERAGE, Market, Ticker

T = TypeVar("T")

_COLUMNS = ("open", "high", "low", "close", "volume")
_MAX_BARS = 1000


class CcxtMarket:
    """The MarketData port over one venue; whatever fails is MarketDataUnavailable, but for UnknownSymbol."""

    def __init__(self, client: CcxtClient) -> None:
        self._client = client
        self._source: Mapping[str, Any] = {}
        self._markets: dict[str, Market] = {}

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        """Return the last `limit` closed bars, at most 1000 to a request; gaps, duplicates and NaN are refused."""
        self._known(symbol)
        span = timeframes.milliseconds(timeframe)
        stop = timeframes.to_ms(timeframes.bar_open(now, timeframe))
        start = stop - limit * span
        rows: list[Any] = []
        while start < stop:
            count = min(_MAX_BARS, (stop - start) // span)
            part = self._ask(lambda s=start, c=count: self._client.exchange.fetch_ohlcv(symbol, timeframe, s, c))  # type: ignore[misc]
            rows += part
            # A venue's own page may be shorter than ours: go on where it ended, or one page on where it had none.
            last = part[-1][0] if part else start + (count - 1) * span
            if not isinstance(last, int):
                raise MarketDataUnavailable(f"the venue's {timeframe} candles of {symbol} have no times")
            start = max(last, start) + span
        return _checked(symbol, timeframe, rows, now=now).until(now, limit=limit)

    def history(self, symbol: str, timeframe: str, *, start: datetime, stop: datetime, now: datetime) -> Sifted:
        """Return the sound bars that opened in [start, stop) and have closed by `now`, by one request.

        Where the venue's own page is shorter, what follows is missing at the end.
        """
        self._known(symbol)
        span = timeframes.milliseconds(timeframe)
        first, last = timeframes.to_ms(start), timeframes.to_ms(stop)
        count = min(_MAX_BARS, -(-(last - first) // span))
        rows = self._ask(lambda: self._client.exchange.fetch_ohlcv(symbol, timeframe, first, count))
        if not isinstance(rows, list):
            raise MarketDataUnavailable(f"the venue's {timeframe} candles of {symbol} are no list")
        inside = [row for row in rows if not _is_dated(row) or first <= row[0] < last]
        return sift(inside, symbol=symbol, timeframe=timeframe, now=now)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        """Return last prices at the venue's time of them, or at `now` where it tells none.

        Unknown symbols are left out, and markets that rest: what they last traded at is no price to trade at.
        """
        wanted = [symbol for symbol in symbols if symbol in self.markets() and self._trades(symbol)]
        if not wanted:
            return {}
        found = self._ask(lambda: self._tickers(wanted))
        return {symbol: ticker for symbol in wanted if (ticker := _ticker(symbol, found.get(symbol), now))}

    def markets(self) -> Mapping[str, Market]:
        """Return the rules, at most an hour old; of markets that rest too, where a position may wait to be sold."""
        source = self._ask(self._client.markets, lists=False)
        if source.keys() != self._source.keys() or any(source[key] is not self._source[key] for key in source):
            rows = self._ask(
                lambda: [_market(market, self._client.exchange) for market in source.values()], lists=False
            )
            self._markets = {market.symbol: market for market in rows if market is not None}
            self._source = dict(source)
        return dict(self._markets)

    def _trades(self, symbol: str) -> bool:
        return self._source[symbol].get("active") is not False

    def _known(self, symbol: str) -> None:
        if symbol not in (markets := self.markets()):
            raise UnknownSymbol(symbol, sorted(markets)[:20])

    def _tickers(self, symbols: Sequence[str]) -> Mapping[str, Any]:
        exchange = self._client.exchange
        if exchange.has.get("fetchTickers"):
            return dict(exchange.fetch_tickers(list(symbols)))
        return {symbol: exchange.fetch_ticker(symbol) for symbol in symbols}

    def _ask(self, question: Callable[[], T], *, lists: bool = True) -> T:
        with self._client.call() as call:
            try:
                answer = question()
                if lists and not isinstance(parsed(call.reply.body if call.reply else ""), dict | list):
                    raise ccxt.BadResponse(f"{self._client.exchange_id} did not answer with JSON")
            except VENDOR_ERRORS as error:
                text = " ".join(str(error).split())[:200]
                raise MarketDataUnavailable(f"{self._client.exchange_id}: {type(error).__name__}: {text}") from error
        return answer


def _is_dated(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and isinstance(row[0], int)


def _checked(symbol: str, timeframe: str, rows: Sequence[Any], *, now: datetime) -> Candles:
    """Return the closed ones among `rows` as checked candles."""
    last = timeframes.to_ms(now) - timeframes.milliseconds(timeframe)
    try:
        closed = [row for row in rows if int(row[0]) <= last]
        values = np.array([[float(cell) for cell in row[1:6]] for row in closed], dtype=np.float64).reshape(-1, 5)
        return Candles.checked(
            symbol=symbol,
            timeframe=timeframe,
            opened=np.array([int(row[0]) for row in closed], dtype=np.int64),
            **{name: np.ascontiguousarray(values[:, index]) for index, name in enumerate(_COLUMNS)},
        )
    except CandleError as error:
        raise MarketDataUnavailable(f"the venue's {timeframe} candles of {symbol} are broken: {error}") from error
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise MarketDataUnavailable(f"the venue's {timeframe} candles of {symbol} are no candles: {error}") from error


def _ticker(symbol: str, found: Any, now: datetime) -> Ticker | None:
    """Return a ticker, or None for one without a usable price."""
    try:
        price = float(reports.decimal(found["last"]))
        at = found.get("timestamp")
        when = timeframes.from_ms(int(at)) if at is not None else now
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        return None
    return Ticker(symbol=symbol, price=price, at=when) if price > 0 else None


def _market(market: Any, exchange: Any) -> Market | None:
    """Return the rules of a market, or None where it does not tell its grid."""
    precision = market["precision"]
    if precision.get("price") is None or precision.get("amount") is None:
        return None
    tick, lot = (_step(exchange, precision[name]) for name in ("price", "amount"))
    if tick is None or lot is None:
        return None
    cost = (market["limits"].get("cost") or {}).get("min")
    least, most = _limits(market)
    return Market(
        symbol=market["symbol"],
        price_step=tick,
        quantity_step=lot * reports.unit(market),
        min_notional=reports.decimal(cost) if cost is not None else Decimal(0),
        fee_rate=reports.fee_rate(market),
        allows_short=market.get("swap") is True,
        min_quantity=least,
        max_quantity=most,
        max_leverage=None if market.get("swap") is True else SPOT_LEVERAGE,
    )


def _limits(market: Any) -> tuple[Decimal, Decimal | None]:
    """Return (least, most) of a market order in base; a venue may give market orders limits of their own."""
    given = [market["limits"].get(name) or {} for name in ("amount", "market")]
    least, most = ([reports.decimal(row[end]) for row in given if row.get(end) is not None] for end in ("min", "max"))
    unit = reports.unit(market)
    # Some venues write 0 for "no limit".
    caps = [value for value in most if value > 0]
    return max(least, default=Decimal(0)) * unit, min(caps) * unit if caps else None


def _step(exchange: Any, precision: Any) -> Decimal | None:
    """Return a step from a tick size or a number of decimals; significant digits are no grid."""
    value = reports.decimal(precision)
    if exchange.precisionMode == ccxt.DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    return value if exchange.precisionMode == ccxt.TICK_SIZE and value > 0 else None
