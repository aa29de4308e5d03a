"""The chart of one symbol: what may be chosen, pages of bars with their indicators, and the marks of what was done there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from dashboard import candles, formats, measures, trade_sheet
from dashboard.listings import BadQuery
from trading import selectors
from trading.core import timeframes
from trading.core.params import Params
from trading.models import OrderRole, Signal, SignalStatus, Trade

USUAL_BARS, MOST_BARS = 400, 1000
MOST_MARKS = 500
LONGEST_SYMBOL = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A symbol, a timeframe, and the moment before which bars have closed."""

    symbol: str
    timeframe: str
    until: datetime
    limit: int = USUAL_BARS


def checked_timeframe(text: str) -> str:
    """Return a timeframe, or raise BadQuery."""
    if text not in timeframes.MILLISECONDS:
        raise BadQuery("timeframe", f"{text[:10]!r} is none of {', '.join(timeframes.MILLISECONDS)}")
    return text


def symbols(params: Params) -> list[str]:
    """Return the watched symbols, and those that have an open trade though they are not watched any more."""
    held = [position.trade.symbol for position in selectors.open_trades()]
    return list(dict.fromkeys([*params.pairs, *held]))


def kept_timeframes(symbol: str) -> list[str]:
    """Return the timeframes that have bars to draw; the simulated market has them all."""
    if settings.EXCHANGE == "simulated":
        return list(timeframes.MILLISECONDS)
    from trading import market_wiring
    from trading.adapters.candle_store import CandleStoreError

    try:
        return market_wiring.candle_store().timeframes_of(symbol)
    except CandleStoreError:
        return []


def bars(span: Span) -> list[list[float]]:
    """Return [opened_ms, open, high, low, close, volume] of each bar, oldest first."""
    found = candles.before(span.symbol, span.timeframe, stop=span.until, count=span.limit)
    if found is None:
        return []
    rows = zip(found.opened, found.open, found.high, found.low, found.close, found.volume, strict=True)
    return [[int(at), *(float(f"{value:.12g}") for value in values)] for at, *values in rows]


def indicators(span: Span, params: Params) -> dict[str, measures.Column]:
    """Return the indicators of the same bars, made with the parameters in force; without bars the columns are absent."""
    from trading.core.indicators import warmup_bars

    found = candles.before(span.symbol, span.timeframe, stop=span.until, count=span.limit + warmup_bars(params))
    if found is None:
        return {}
    return measures.columns(found, params, last=span.limit)


def marks(span: Span, *, since: datetime) -> dict[str, Any]:
    """Return the trades that closed in a span or are open, with fills and the stop's life, and what was refused in it."""
    return {
        "trades": [_trade(trade, span.until) for trade in _trades(span, since)],
        "refused": [_refused(signal) for signal in _refusals(span, since)],
    }


def _trades(span: Span, since: datetime) -> list[Trade]:
    found = selectors.trades_on(span.symbol, since=since, until=span.until)
    return list(found[:MOST_MARKS])


def _trade(trade: Trade, until: datetime) -> dict[str, Any]:
    orders = list(trade.orders.all())
    begin, end = trade.opened_at or trade.created_at, trade.closed_at or until
    filled = sorted(((fill, order) for order in orders for fill in order.fills.all()), key=lambda pair: pair[0].at)
    fills = [
        {
            "at": timeframes.to_ms(fill.at),
            "price": float(fill.price),
            "is_entry": order.role == OrderRole.ENTRY,
            "buys": order.side == "buy",
            "text": f"{order.get_role_display()} {formats.quantity(fill.quantity)} at {formats.price(fill.price)}"
            + (f", {formats.words(order.reason)}" if order.role != OrderRole.ENTRY else ""),
        }
        for fill, order in filled
    ]
    return {
        "id": trade.pk,
        "side": trade.side,
        "begin": timeframes.to_ms(begin),
        "end": timeframes.to_ms(end),
        "is_open": trade.closed_at is None,
        "fills": fills,
        "stops": [[at * 1000, price] for at, price in trade_sheet.stops(trade, orders, begin, end)],
    }


def _refusals(span: Span, since: datetime) -> list[Signal]:
    found = Signal.objects.filter(
        symbol=span.symbol, timeframe=span.timeframe, bar_at__gte=since, bar_at__lt=span.until
    ).exclude(status__in=(SignalStatus.TAKEN, SignalStatus.AWAITING))
    return list(found.order_by("-bar_at")[:MOST_MARKS])[::-1]


def _refused(signal: Signal) -> dict[str, Any]:
    return {
        "id": signal.pk,
        "at": timeframes.to_ms(signal.bar_at),
        "side": signal.side,
        "strategy": signal.strategy,
        "by": formats.words(signal.refused_by),
        "text": signal.reason or signal.get_status_display(),
    }
