"""The chart of a symbol put together: its bars, what was executed, and the levels of the trade that is open there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from notifications import formats, rendering
from notifications.drawing.spec import Chart, Fill, Level
from trading import selectors
from trading.core import timeframes
from trading.models import LastPrice, OrderRole, Trade, TradeStatus
from trading.selectors import OpenTrade

BARS = 96
SIMULATED = "simulated"


def chart(symbol: str, timeframe: str, *, position: OpenTrade | None, now: datetime) -> Chart | None:
    """Return what is drawn of a symbol; None where no bar of it is kept."""
    bars = _bars(symbol, timeframe, now)
    if not bars:
        return None
    price = LastPrice.objects.filter(symbol=symbol).first()
    mark = [Level(price=price.price, text="now", tone="mark")] if price is not None else []
    told = [rendering.mode(), f"{now:%d %b %Y %H:%M} UTC"]
    if position is not None:
        told.append(_said(position))
    return Chart(
        title=f"{symbol}, {timeframe}",
        note=" · ".join(told),
        bars=bars,
        levels=[*(_levels(position.trade) if position is not None else []), *mark],
        fills=_fills(symbol, since=bars[0][0], now=now),
    )


def _said(position: OpenTrade) -> str:
    trade, gain = position.trade, position.unrealised
    made = "" if gain is None else f", {formats.signed(gain)}"
    return f"{trade.side} {formats.quantity(trade.remaining or trade.planned_quantity)}{made}"


def _levels(trade: Trade) -> list[Level]:
    since = (trade.opened_at or trade.created_at).timestamp()
    targets = [(n, level) for n in (1, 2, 3) if (level := trade.rules.get(f"target_{n}")) is not None]
    return [
        Level(price=float(trade.entry_price or trade.planned_entry), text="entry", tone="entry", since=since),
        Level(price=trade.stop, text="stop", tone="stop", since=since),
        *(
            Level(price=level, text=f"target {n}", tone="target", since=since)
            for n, level in targets
            if n > trade.targets_hit
        ),
    ]


def _fills(symbol: str, *, since: float, now: datetime) -> list[Fill]:
    begin = timeframes.from_ms(int(since * 1000))
    trades = selectors.trades_on(symbol, since=begin, until=now)[:50]
    made = []
    for trade in trades:
        for order in trade.orders.all():
            tone = "entry" if order.role == OrderRole.ENTRY else "gain" if _is_gain(trade) else "loss"
            made += [
                Fill(at=fill.at.timestamp(), price=float(fill.price), is_buy=order.side == "buy", tone=tone)
                for fill in order.fills.all()
            ]
    return made


def _is_gain(trade: Trade) -> bool:
    return trade.gross_pnl > 0 if trade.status != TradeStatus.CLOSED else trade.pnl > 0


def _bars(symbol: str, timeframe: str, now: datetime) -> Sequence[Sequence[float]]:
    """Return the newest closed bars that follow each other, as far as they are kept; a venue is never asked from here."""
    from trading import market_wiring
    from trading.adapters.candle_store import CandleStoreError
    from trading.core.candles import CandleError
    from trading.core.ports import UnknownSymbol

    length = timeframes.length(timeframe)
    start = timeframes.bar_open(now - BARS * length, timeframe)
    try:
        if settings.EXCHANGE == SIMULATED:
            runs = market_wiring.past().history(symbol, timeframe, start=start, stop=now, now=now).runs
            found = runs[-1] if runs else None
        else:
            found = market_wiring.candle_store().read_last_run(symbol, timeframe, start=start, end=now - length)
    except (UnknownSymbol, CandleStoreError, CandleError):
        return []
    if found is None:
        return []
    columns = zip(found.opened, found.open, found.high, found.low, found.close, strict=True)
    return [[int(at) / 1000, *(float(f"{value:.12g}") for value in prices)] for at, *prices in columns]
