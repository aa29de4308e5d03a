"""The account as numbers: marked to the market each tick, and as the guards see it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q

from trading.core.guards import Account
from trading.core.ports import StopSupport
from trading.core.sizing import Record
from trading.models import (
    ACTIVE,
    Bot,
    DayOpening,
    LastPrice,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.models.fields import stored
from trading.services import hot_sql
from trading.services.context import Context


def mark(bot: Bot, trades: Iterable[Trade], context: Context) -> None:
    """Write equity at the prices now, its peak, the day's opening, the minute's point and the last prices.

    `trades` are those that were open when the tick began; the ones it closed count no more.
    """
    previous = bot.last_tick_at
    unrealised = Decimal(0)
    for trade in trades:
        price = _price(trade, context)
        unrealised += trade.sign * (price - trade.entry_price) * trade.remaining
    bot.equity = stored(bot.balance + unrealised)
    bot.peak_equity = max(bot.peak_equity, bot.equity)
    bot.last_tick_at = context.now
    bot.data_at = max((ticker.at for ticker in context.tickers.values()), default=bot.data_at)
    # The balance belongs to the ledger and is left alone here.
    bot.save(update_fields=["equity", "peak_equity", "last_tick_at", "data_at"])
    minute = context.now.replace(second=0, microsecond=0)
    if previous is None or previous < minute:
        hot_sql.insert_once("trading_equitypoint", at=minute, equity=str(bot.equity), balance=str(bot.balance))
    if previous is None or previous.date() < context.now.date():
        opening = DayOpening(date=context.now.date(), equity=bot.equity)
        DayOpening.objects.bulk_create([opening], ignore_conflicts=True)
    prices: list[dict[str, hot_sql.Value]] = [
        {"symbol": ticker.symbol, "price": ticker.price, "at": ticker.at} for ticker in context.tickers.values()
    ]
    hot_sql.upsert("trading_lastprice", prices, key=["symbol"])


def snapshot(bot: Bot, context: Context, *, symbol: str, without: Trade | None = None) -> Account:
    """Return the account as it stands now, for guards and sizing of an entry in `symbol`.

    `without` leaves out a trade about to be sent.
    """
    # A position that has left counts on while a quote of it may still fill.
    held = Trade.objects.filter(Q(status__in=ACTIVE) | Q(is_entering=True))
    trades = [trade for trade in held if trade != without]
    local = _local({symbol, *(trade.symbol for trade in trades)}, context)
    unheld = [trade for trade in trades if trade.symbol in local]
    today = context.now.date()
    return Account(
        now=context.moment(),
        accepts_entries=bot.trading_state == TradingState.ACTIVE,
        equity=bot.equity,
        peak_equity=bot.peak_equity,
        day_opening=_opening(today, bot),
        week_opening=_opening(today - timedelta(days=today.weekday()), bot),
        open_symbols=frozenset(trade.symbol for trade in trades),
        open_risk=sum((_risk(trade, context) for trade in trades), Decimal(0)),
        open_notional=sum((_size(trade) * _price(trade, context) for trade in trades), Decimal(0)),
        cluster_risk=_cluster_risk(symbol, trades, context),
        local_symbols=local,
        local_notional=sum((_size(trade) * _price(trade, context) for trade in unheld), Decimal(0)),
        last_loss_at=bot.last_loss_at,
        record=Record(
            losses_in_row=bot.losses_in_row,
            wins_in_row=bot.wins_in_row,
            returns=_returns(context),
        ),
    )


def _opening(since: date, bot: Bot) -> Decimal:
    """Return the first opening equity on or after a date: a new account has no Monday yet."""
    row = DayOpening.objects.filter(date__gte=since).order_by("date").first()
    return row.equity if row else bot.equity


def _returns(context: Context) -> list[float]:
    closed = Trade.objects.filter(status=TradeStatus.CLOSED).order_by("-closed_at", "-pk")
    return [float(trade.pnl / trade.equity_at_entry) for trade in closed[: context.params.kelly_window]][::-1]


def _size(trade: Trade) -> Decimal:
    is_whole = trade.status == TradeStatus.OPEN and not trade.is_entering
    return trade.remaining if is_whole else trade.planned_quantity


def _local(symbols: set[str], context: Context) -> frozenset[str]:
    """Return the symbols whose stops the venue cannot hold, where the operator has accepted such; else none."""
    if not context.ports.accepts_local_stops:
        return frozenset()
    broker = context.ports.broker
    return frozenset(symbol for symbol in symbols if broker.capabilities(symbol).stop is StopSupport.NONE)


def _risk(trade: Trade, context: Context) -> Decimal:
    """Return what the trade still loses at its stop, fees of the exit included; a stop in profit risks nothing."""
    entry = trade.entry_price or trade.planned_entry
    stop = Decimal(str(trade.stop))
    market = context.markets.get(trade.symbol)  # none: it was delisted while the trade was open
    loss = trade.sign * (entry - stop) + (market.fee_rate * (entry + stop) if market else Decimal(0))
    return max(Decimal(0), loss * _size(trade))


def _cluster_risk(symbol: str, trades: Iterable[Trade], context: Context) -> Decimal:
    """Return what open trades that move with the symbol still lose at their stops; it is asked where a limit is set."""
    if context.params.max_cluster_risk >= 1.0:
        return Decimal(0)
    allies = context.allies.get(symbol)
    counted = (trade for trade in trades if allies is None or trade.symbol in allies)
    return sum((_risk(trade, context) for trade in counted), Decimal(0))


def _price(trade: Trade, context: Context) -> Decimal:
    """Return the price now; where there is none, the last one that was seen, and before any was seen the entry."""
    if ticker := context.tickers.get(trade.symbol):
        return Decimal(str(ticker.price))
    seen = LastPrice.objects.filter(symbol=trade.symbol).first()
    return Decimal(str(seen.price)) if seen else trade.entry_price or trade.planned_entry
