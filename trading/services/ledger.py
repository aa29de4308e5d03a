"""Fills become money: the ledger, the trade's totals, and the account's streaks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from trading import events
from trading.core.ports import FillReport
from trading.models import (
    Bot,
    Fill,
    LedgerEntry,
    LedgerKind,
    Order,
    OrderRole,
    Trade,
    TradeStatus,
)
from trading.models.fields import stored


def open_account(*, initial_balance: Decimal, now: datetime) -> Bot:
    """Return the account's row; the first call of all makes it and books the initial balance."""
    try:
        return Bot.objects.get(pk=1)
    except Bot.DoesNotExist:
        pass  # a new account
    with transaction.atomic():
        bot, created = Bot.objects.get_or_create(
            pk=1,
            defaults={
                "initial_balance": initial_balance,
                "balance": initial_balance,
                "equity": initial_balance,
                "peak_equity": initial_balance,
            },
        )
        if created:
            LedgerEntry.objects.create(kind=LedgerKind.DEPOSIT, amount=initial_balance, at=now)
    return bot


def book(order: Order, report: FillReport) -> bool:
    """Book one fill exactly once: ledger, balance, trade. Call it inside a transaction; False: was booked before."""
    fill, created = Fill.objects.get_or_create(
        venue_fill_id=report.venue_fill_id,
        defaults={
            "order": order,
            "quantity": stored(report.quantity),
            "price": stored(report.price),
            "fee": stored(report.fee),
            "at": report.at,
        },
    )
    if not created:
        return False
    trade = Trade.objects.select_for_update().get(pk=order.trade_id)
    realised = Decimal(0)
    if order.role == OrderRole.ENTRY:
        _enter(trade, fill)
    else:
        realised = _leave(trade, order, fill)
    _post(fill, realised)
    order.filled = sum(order.fills.values_list("quantity", flat=True), Decimal(0))
    order.save(update_fields=["filled"])
    return True


def _enter(trade: Trade, fill: Fill) -> None:
    spent = trade.entry_price * trade.quantity + fill.price * fill.quantity
    trade.quantity += fill.quantity
    trade.entry_price = stored(spent / trade.quantity)
    trade.remaining += fill.quantity
    trade.fees += fill.fee
    trade.status = TradeStatus.OPEN
    trade.opened_at = trade.opened_at or fill.at
    trade.save(update_fields=["quantity", "entry_price", "remaining", "fees", "status", "opened_at"])
    events.emit(
        "entry",
        at=fill.at,
        symbol=trade.symbol,
        text=f"Opened {trade.side} {fill.quantity.normalize():f} {trade.symbol} at {fill.price.normalize():f}",
        payload={"trade": trade.pk, "quantity": str(fill.quantity), "price": str(fill.price)},
    )


def _leave(trade: Trade, order: Order, fill: Fill) -> Decimal:
    realised = stored(trade.sign * (fill.price - trade.entry_price) * fill.quantity)
    trade.gross_pnl += realised
    trade.fees += fill.fee
    trade.remaining -= fill.quantity
    trade.save(update_fields=["gross_pnl", "fees", "remaining"])
    reason = order.reason.replace("_", " ")
    events.emit(
        "exit",
        at=fill.at,
        symbol=trade.symbol,
        text=f"Closed {fill.quantity.normalize():f} {trade.symbol} at {fill.price.normalize():f}: {reason}",
        payload={"trade": trade.pk, "quantity": str(fill.quantity), "price": str(fill.price), "reason": order.reason},
    )
    if trade.remaining == 0:
        _close(trade, order.reason, fill.at)
    return realised


def _close(trade: Trade, reason: str, at: datetime) -> None:
    trade.status, trade.exit_reason, trade.closed_at = TradeStatus.CLOSED, reason, at
    trade.save(update_fields=["status", "exit_reason", "closed_at"])
    # A win is judged by the whole trade, partial exits and fees included.
    if trade.pnl > 0:
        Bot.objects.filter(pk=1).update(wins_in_row=F("wins_in_row") + 1, losses_in_row=0)
    else:
        Bot.objects.filter(pk=1).update(losses_in_row=F("losses_in_row") + 1, wins_in_row=0, last_loss_at=at)
    events.emit(
        "trade_closed",
        at=at,
        symbol=trade.symbol,
        text=f"{trade.symbol} {trade.side} made {trade.pnl:+.2f} after fees",
        payload={"trade": trade.pk, "pnl": str(trade.pnl)},
    )


def _post(fill: Fill, realised: Decimal) -> None:
    LedgerEntry.objects.create(kind=LedgerKind.FEE, amount=-fill.fee, fill=fill, at=fill.at)
    if realised:
        LedgerEntry.objects.create(kind=LedgerKind.REALISED, amount=realised, fill=fill, at=fill.at)
    bot = Bot.objects.select_for_update().get(pk=1)
    bot.balance += realised - fill.fee
    bot.save(update_fields=["balance"])
