"""The board of shared prices in Redis: one process listens to the venue and writes, every other one reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading.core import timeframes
from trading.core.feed import BoardUnavailable, Snapshot
from trading.core.types import Market, Ticker

_PATIENCE_S = 0.5
"""A tick waits no longer than this for a Redis that does not answer; then it asks the venue."""
_KEPT_S = 24 * 3600
_DECIMALS = (
    *("price_step", "quantity_step", "min_notional", "fee_rate"),
    *("min_quantity", "max_quantity", "max_leverage"),
)


class PriceCache:
    """The Board of one venue. Keys expire a day after the last write, so a venue that is left leaves nothing behind."""

    def __init__(self, url: str, venue: str, *, connect: Callable[..., Any] = redis.Redis.from_url) -> None:
        # Any: redis-py types its answers as awaitable or not.
        self._redis = connect(
            url,
            decode_responses=True,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._prices, self._alive, self._rules = (f"julaba:{venue}:{name}" for name in ("prices", "alive", "markets"))

    def write(self, tickers: Sequence[Ticker], *, alive_at: datetime | None) -> None:
        """Show these prices; `alive_at` is when the venue was last heard of."""
        rows = {ticker.symbol: f"{ticker.price!r} {timeframes.to_ms(ticker.at)}" for ticker in tickers}
        with _translated():
            pipe = self._redis.pipeline(transaction=True)
            if rows:
                pipe.hset(self._prices, mapping=rows)
                pipe.expire(self._prices, _KEPT_S)
            if alive_at is not None:
                pipe.set(self._alive, timeframes.to_ms(alive_at), ex=_KEPT_S)
            pipe.execute()

    def read(self, symbols: Sequence[str]) -> Snapshot:
        with _translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.get(self._alive)
            if symbols:
                pipe.hmget(self._prices, list(symbols))
            alive, *rows = pipe.execute()
            found = {
                symbol: _ticker(symbol, row)
                for symbol, row in zip(symbols, rows[0] if rows else (), strict=True)
                if row is not None
            }
            return Snapshot(alive_at=timeframes.from_ms(int(alive)) if alive else None, tickers=found)

    def keep_markets(self, markets: Mapping[str, Market], *, at: datetime) -> None:
        rows = [asdict(market) for market in markets.values()]
        with _translated():
            body = json.dumps({"at": timeframes.to_ms(at), "markets": rows}, default=str)
            self._redis.set(self._rules, body, ex=_KEPT_S)

    def markets(self, *, since: datetime) -> tuple[datetime, Mapping[str, Market]] | None:
        with _translated():
            body = self._redis.get(self._rules)
            kept: dict[str, Any] = json.loads(body) if body else {"at": 0, "markets": []}
            at = timeframes.from_ms(kept["at"])
            return (at, {row["symbol"]: _market(row) for row in kept["markets"]}) if at >= since else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise BoardUnavailable(f"Redis does not answer: {error}") from error
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        # Another version wrote it, or it is damaged; it is written anew within seconds.
        raise BoardUnavailable(f"what Redis holds cannot be read: {error}") from error


def _ticker(symbol: str, row: str) -> Ticker:
    price, at = row.split()
    return Ticker(symbol=symbol, price=float(price), at=timeframes.from_ms(int(at)))


def _market(row: dict[str, Any]) -> Market:
    made = {name: Decimal(row[name]) if row[name] is not None else None for name in _DECIMALS}
    return Market(**{**row, **cast("dict[str, Any]", made)})
