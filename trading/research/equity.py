"""What the account was worth at every close of a bar, put together again from its trades and the candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from trading.core import timeframes
from trading.core.candles import Candles, Floats, Ints
from trading.core.types import Side
from trading.research.results import TradeResult

DAY_MS = 86_400_000
_MONEY_PLACES = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """By tick, `span_ms` apart from `start_ms` on: equity in quote, and how many positions were open after it."""

    start_ms: int
    span_ms: int
    equity: Floats
    held: Ints

    @property
    def years(self) -> float:
        """Return the length in years of 365 days."""
        return (len(self.equity) - 1) * self.span_ms / (365 * DAY_MS)


def curve(
    trades: Sequence[TradeResult],
    series: Mapping[str, Candles],
    *,
    balance: float,
    first: datetime,
    last: datetime,
) -> Curve:
    """Return the account from `first` to `last`, marked at each bar's close to the price then, the next bar's open.

    It begins with `balance`. What was filled at a tick is part of that tick's equity.
    """
    span = timeframes.milliseconds(next(iter(series.values())).timeframe)
    start = -(-timeframes.to_ms(first) // span) * span
    ticks = max(1, (timeframes.to_ms(last) - start) // span + 1)
    total, held = np.full(ticks, balance), np.zeros(ticks, dtype=np.int64)
    for symbol, candles in series.items():
        own = [trade for trade in trades if trade.symbol == symbol and trade.opened_at is not None]
        if own:
            cash, quantity = _flows(own, start, span, ticks, held)
            total += np.cumsum(cash) + np.cumsum(quantity) * prices(candles, start, ticks)
    # Sums of floats leave dust, which would read as a fall.
    return Curve(start_ms=start, span_ms=span, equity=np.round(total, _MONEY_PLACES), held=np.cumsum(held))


def prices(candles: Candles, start_ms: int, ticks: int) -> Floats:
    """Return the price at each tick: the open of the bar that begins, past the last bar its close, before the first 0."""
    span = timeframes.milliseconds(candles.timeframe)
    skipped = (int(candles.opened[0]) - start_ms) // span
    found = np.full(ticks, candles.close[-1])
    found[: max(0, skipped)] = 0.0
    begin, end = max(0, skipped), min(ticks, skipped + len(candles))
    if begin < end:
        found[begin:end] = candles.open[begin - skipped : end - skipped]
    return found


def held_alike(series: Mapping[str, Candles], like: Curve) -> Floats:
    """Return what 1 quote becomes that buys equal parts of every symbol, at each one's first price, and holds, free."""
    ticks = len(like.equity)
    worth = np.zeros(ticks)
    for candles in series.values():
        found = prices(candles, like.start_ms, ticks)
        priced = found > 0
        begun = found[int(priced.argmax())]
        worth += np.where(priced, found / begun, 1.0) if priced.any() else 1.0
    return worth / len(series)


def daily(like: Curve, equity: Floats) -> tuple[Ints, Floats]:
    """Return (day since 1970, equity at its end) of each UTC day, the day before the first tick's first.

    Midnight ends the day before it. The first and the last day may be parts of one.
    """
    at = like.start_ms + like.span_ms * np.arange(len(equity), dtype=np.int64)
    day = (at - 1) // DAY_MS
    day[0] = day[1] - 1 if len(day) > 1 else day[0]
    ends = np.flatnonzero(np.r_[day[1:] != day[:-1], True])
    return day[ends], equity[ends]


def _flows(trades: Sequence[TradeResult], start: int, span: int, ticks: int, held: Ints) -> tuple[Floats, Floats]:
    """Return the cash (quote) and the quantity (base) that came in at each tick; count positions into `held`."""
    cash, quantity = np.zeros(ticks), np.zeros(ticks)

    def tick_of(moment: datetime) -> int:
        return min(ticks - 1, max(0, (timeframes.to_ms(moment) - start) // span))

    for trade in trades:
        assert trade.opened_at is not None
        sign, opened = Side(trade.side).sign, tick_of(trade.opened_at)
        entry_fee = trade.fees - sum(fill.fee for fill in trade.exits)
        cash[opened] -= float(sign * trade.quantity * trade.entry_price + entry_fee)
        quantity[opened] += sign * float(trade.quantity)
        held[opened] += 1
        for fill in trade.exits:
            left = tick_of(fill.at)
            cash[left] += float(sign * fill.quantity * fill.price - fill.fee)
            quantity[left] -= sign * float(fill.quantity)
        if trade.closed_at is not None:
            held[tick_of(trade.closed_at)] -= 1
    return cash, quantity
