"""Fills become money: the ledger, the trade's totals, and the account's streaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from trading import events
from trading.core.ports import FillReport
from trading.models import (
    Bot,
    ExternalHolding,
    Fill,
    LedgerEntry,
    LedgerKind,
    Order,
    OrderRole,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.models.fields import stored
from trading.services import control, instructing


class WrongAccount(Exception):
    """The database holds another mode's or venue's account."""


def open_account(*, initial_balance: Callable[[], Decimal], mode: str, venue: str, now: datetime) -> Bot:
    """Return the account's row; the first call of all makes it and books the initial balance.

    Raises WrongAccount: paper and live money, and prices of two venues, never meet in one database.
    """
    try:
        bot = Bot.objects.get(pk=1)
    except Bot.DoesNotExist:
        bot = _new_account(initial_balance(), mode, venue, now)
    if (bot.mode, bot.venue) != (mode, venue):
        raise WrongAccount(
            f"this database holds the {bot.mode} account of {bot.venue}, not the {mode} account of {venue}: "
            "name another one by DATABASE_URL or JULABA_DATA_DIR"
        )
    return bot


def _new_account(initial_balance: Decimal, mode: str, venue: str, now: datetime) -> Bot:
    with transaction.atomic():
        bot, created = Bot.objects.get_or_create(
            pk=1,
            defaults={
                "mode": mode,
                "venue": venue,
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
            "base_fee": stored(report.base_fee),
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


def write_off(trade: Trade, *, now: datetime) -> None:
    """Close a trade whose rest is too small to be sold: its cost is booked as lost, the coins stay as external."""
    with transaction.atomic():
        trade = Trade.objects.select_for_update().get(pk=trade.pk)
        if trade.status != TradeStatus.OPEN:
            return
        dust, loss = trade.remaining, -trade.sign * trade.cost
        _hold_external(trade.symbol, trade.sign * dust, now)
        trade.gross_pnl += loss
        trade.remaining = trade.cost = Decimal(0)
        trade.save(update_fields=["gross_pnl", "remaining", "cost"])
        LedgerEntry.objects.create(kind=LedgerKind.DUST, amount=loss, at=now)
        add_to_balance(loss)
        last = trade.orders.exclude(role=OrderRole.ENTRY).order_by("-number").first()
        text = f"{dust.normalize():f} {trade.symbol} is too small to be sold and stays in the account"
        events.emit("dust", at=now, symbol=trade.symbol, text=text, payload={"trade": trade.pk, "quantity": str(dust)})
        _close(trade, last.reason if last else "dust", now)


def _enter(trade: Trade, fill: Fill) -> None:
    received = fill.quantity - fill.base_fee  # what was withheld is paid as a fee, at the fill's price
    spent = trade.entry_price * trade.quantity + fill.price * received
    trade.quantity += received
    trade.remaining += received
    trade.cost += stored(fill.price * received)
    trade.entry_price = stored(spent / trade.quantity) if trade.quantity else fill.price
    trade.fees += fill.fee
    trade.status = TradeStatus.OPEN
    trade.opened_at = trade.opened_at or fill.at
    trade.unprotected_at = trade.unprotected_at or fill.at
    trade.closed_at = None
    trade.save()
    events.emit(
        "entry",
        at=fill.at,
        symbol=trade.symbol,
        text=f"Opened {trade.side} {fill.quantity.normalize():f} {trade.symbol} at {fill.price.normalize():f}",
        payload={"trade": trade.pk, "quantity": str(fill.quantity), "price": str(fill.price)},
    )


def _leave(trade: Trade, order: Order, fill: Fill) -> Decimal:
    # Cost leaves in proportion and the last fill takes the rest, so roundings never add up.
    is_last = fill.quantity >= trade.remaining
    cost = trade.cost if is_last else stored(trade.cost * fill.quantity / trade.remaining)
    realised = trade.sign * (stored(fill.price * fill.quantity) - cost)
    trade.gross_pnl += realised
    trade.fees += fill.fee
    _give_up_excess(trade, fill.quantity - trade.remaining, fill.at)
    trade.remaining = max(Decimal(0), trade.remaining - fill.quantity)
    trade.cost -= cost
    trade.worst = trade.worse(float(fill.price))
    trade.save(update_fields=["gross_pnl", "fees", "remaining", "cost", "worst"])
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


def _give_up_excess(trade: Trade, excess: Decimal, at: datetime) -> None:
    """Account for more having left than the trade held: the coins were somebody else's, the money is booked here."""
    if excess <= 0:
        return
    _hold_external(trade.symbol, -trade.sign * excess, at)
    text = f"{excess.normalize():f} {trade.symbol} more left than the trade held"
    events.emit("overfill", at=at, symbol=trade.symbol, text=text, payload={"trade": trade.pk})
    control.tighten(TradingState.CLOSE_ONLY, reason=text, now=at)


def _hold_external(symbol: str, change: Decimal, at: datetime) -> None:
    ExternalHolding.objects.get_or_create(symbol=symbol, defaults={"quantity": 0, "at": at})
    row = ExternalHolding.objects.select_for_update().get(symbol=symbol)
    row.quantity += change
    row.save(update_fields=["quantity"])


def _close(trade: Trade, reason: str, at: datetime) -> None:
    trade.status, trade.exit_reason, trade.closed_at = TradeStatus.CLOSED, reason, at
    trade.unprotected_at = None
    trade.save(update_fields=["status", "exit_reason", "closed_at", "unprotected_at"])
    instructing.end_with(trade, at)
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
    add_to_balance(realised - fill.fee)


def add_to_balance(amount: Decimal) -> None:
    """Move the running balance with a ledger entry of the same transaction."""
    bot = Bot.objects.select_for_update().get(pk=1)
    bot.balance += amount  # in Python: SQLite adds decimals as floats
    bot.save(update_fields=["balance"])
