"""Trades that are open, and those that closed last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.models import ACTIVE, RESTING, LastPrice, Order, OrderRole, Trade, TradeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrade:
    """A trade that holds or is about to hold a position, with the last price seen of its symbol, if any."""

    trade: Trade
    mark: LastPrice | None

    @property
    def unrealised(self) -> Decimal | None:
        """Return what the open rest would make at the mark before fees, in quote."""
        if self.mark is None:
            return None
        return self.trade.sign * (Decimal(str(self.mark.price)) - self.trade.entry_price) * self.trade.remaining

    @property
    def loss_at_stop(self) -> Decimal:
        """Return what the trade would lose if all that is open left at its stop, fees included, in quote.

        The fee rate is what the trade has paid so far on what it has turned over; the guards ask the venue.
        """
        trade, stop = self.trade, Decimal(str(self.trade.stop))
        is_opening = trade.status == TradeStatus.OPENING
        size, entry = (
            (trade.planned_quantity, trade.planned_entry) if is_opening else (trade.remaining, trade.entry_price)
        )
        sold = trade.entry_price * (trade.quantity - trade.remaining) + trade.sign * trade.gross_pnl
        turnover = trade.entry_price * trade.quantity + sold
        fee_rate = trade.fees / turnover if turnover > 0 else Decimal(0)
        return max(Decimal(0), (trade.sign * (entry - stop) + fee_rate * (entry + stop)) * size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An open trade with what protects it: since when its stop rests at the venue, None where none does."""

    position: OpenTrade
    stop_since: datetime | None


def open_trades() -> list[OpenTrade]:
    """Return every active trade, oldest first."""
    trades = list(Trade.objects.filter(status__in=ACTIVE).select_related("signal", "revision").order_by("pk"))
    marks = {mark.symbol: mark for mark in LastPrice.objects.filter(symbol__in=[trade.symbol for trade in trades])}
    return [OpenTrade(trade=trade, mark=marks.get(trade.symbol)) for trade in trades]


def closed_trades(*, limit: int) -> list[Trade]:
    """Return the trades that closed last, newest first."""
    return list(Trade.objects.filter(status=TradeStatus.CLOSED).order_by("-closed_at", "-pk")[:limit])


def holdings(positions: list[OpenTrade]) -> list[Holding]:
    """Return the positions with the stops that rest for them at the venue."""
    resting = Order.objects.filter(
        trade__in=[position.trade.pk for position in positions], role=OrderRole.STOP, status__in=RESTING
    )
    since = dict(resting.values_list("trade_id", "created_at"))
    return [Holding(position=position, stop_since=since.get(position.trade.pk)) for position in positions]
