"""Does what people asked of open positions, inside the tick and by the way of every exit; or says why not.

A part that is closed is an exit like a target's: entry ended, stop lifted where it holds the coins, recorded together with
the position and the instruction in one transaction, permitted, sent, settled, the stop placed anew. A stop that is moved
is written to the position, and the venue's is replaced as after trailing. So a crash is mended like every other one.
"""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from trading.core.ports import OutcomeUnknown
from trading.core.position import ExitReason, cost_fraction, next_stop
from trading.core.types import Market
from trading.models import (
    IN_DOUBT,
    NEVER_FILLED,
    OPEN_INSTRUCTIONS,
    RESTING,
    UNSETTLED,
    InstructedAct,
    Instruction,
    InstructionStatus,
    OrderRole,
    OrderStatus,
    Trade,
    TradeStatus,
)
from trading.services import execution, exits, hot_sql, instructing, lease, protection
from trading.services.context import Context

LIFE = timedelta(minutes=2)
"""What nobody could do for so long is not done any more: the market is another one by then."""

logger = logging.getLogger(__name__)


class Moved(Exception):
    """Another process went on with this instruction: what was about to be written is undone."""


def attend(context: Context) -> bool:
    """Do, or go on with, everything that was asked for and has no end yet; False: there was nothing."""
    if not hot_sql.is_any_instruction_open():
        return False
    open_ = Instruction.objects.filter(status__in=OPEN_INSTRUCTIONS).select_related("trade__signal", "order")
    for each in list(open_.order_by("pk")):
        try:
            _attend(each, context)
        except (OutcomeUnknown, Moved) as doubt:
            logger.warning("what was asked of trade %s waits for the next tick: %s", each.trade_id, doubt)
        # What is left is protected in the same tick, whatever came of it.
        try:
            _protect(each.trade, context)
        except OutcomeUnknown as doubt:
            logger.warning("trade %s is followed by the next tick: %s", each.trade_id, doubt)
    return True


def _protect(trade: Trade, context: Context) -> None:
    trade.refresh_from_db()
    if trade.status == TradeStatus.OPEN and trade.symbol in context.markets:
        exits.follow_price(trade, context)


def _attend(asked: Instruction, context: Context) -> None:
    if asked.status == InstructionStatus.SENT:
        _conclude(asked, context)
    if asked.status != InstructionStatus.WAITING:
        return
    trade = asked.trade
    if refusal := _refusal(asked, context):
        _end(asked, InstructionStatus.REFUSED, refusal, context.moment())
        return
    if trade.orders.filter(status__in=IN_DOUBT).exists() or trade.symbol not in context.tickers:
        return  # what is held, or what it is worth, is not known for sure: the next tick looks again
    if asked.act == InstructedAct.PART:
        _close_part(asked, context)
    else:
        _move_stop(asked, context)


def _refusal(asked: Instruction, context: Context) -> str:
    """Return why it cannot be done at all any more, nothing where it may be."""
    trade = asked.trade
    if trade.status != TradeStatus.OPEN or trade.remaining <= 0:
        return instructing.CLOSED
    if trade.remaining_fraction <= 0:
        return "the whole position is being left"
    if context.moment() - asked.asked_at > LIFE:
        return f"it could not be done within {LIFE.seconds // 60} minutes: look, and ask again"
    if trade.symbol not in context.markets:
        return f"the venue has no market {trade.symbol} any more"
    return ""


def _close_part(asked: Instruction, context: Context) -> None:
    trade = asked.trade
    market = context.markets[trade.symbol]
    wanted = asked.quantity if asked.quantity is not None else trade.remaining * Decimal(str(asked.fraction))
    quantity = market.quantity(wanted)
    if refusal := _too_small(trade, quantity, market, context):
        _end(asked, InstructionStatus.REFUSED, refusal, context.moment())
        return
    if not exits.make_way(trade, context, is_all=False):
        return
    position = exits.position_of(trade)
    share = position.remaining * float(quantity / trade.remaining)
    with transaction.atomic():
        lease.check(context.lease)
        if not exits.save(trade, position._replace(remaining=position.remaining - share), trade.last_bar_at):
            return
        done = Instruction.objects.filter(trade=trade, act=InstructedAct.PART, order__isnull=False).count()
        reason, now = f"{exits.PART}_{done + 1}", context.moment()
        order = execution.record(trade, role=OrderRole.EXIT, reason=reason, quantity=quantity, now=now)
        _write(asked, status=InstructionStatus.SENT, order=order, share=share)
    execution.drive(order, context)
    _conclude(asked, context)


def _too_small(trade: Trade, quantity: Decimal, market: Market, context: Context) -> str:
    """Return why a part cannot be sold, or its rest could not be later; nothing where both can."""
    rest, step = market.quantity(trade.remaining - quantity), market.quantity_step.normalize()
    if quantity <= 0 or rest <= 0:
        which = "the part" if quantity <= 0 else "the rest"
        return f"{which} would be less than a lot of {step:f} {trade.symbol}: ask for another part, or close the trade"
    if min(quantity, rest) < market.min_quantity:
        least = f"{market.min_quantity.normalize():f}"
        return f"part and rest have to be at least {least} {trade.symbol}: ask for another part, or close the trade"
    if not context.ports.broker.capabilities(trade.symbol).pays_notional:
        return ""
    # The rest has to be sold at its stop, too.
    price = context.tickers[trade.symbol].price
    worth, left = quantity * Decimal(str(price)), rest * Decimal(str(min(price, trade.stop)))
    if min(worth, left) < market.min_notional:
        which, is_worth = ("the part", worth) if worth < market.min_notional else ("the rest at its stop", left)
        least = f"{market.min_notional.normalize():f}"
        return (
            f"{which} would be worth {is_worth:.2f}, the venue takes {least}: ask for another part, or close the trade"
        )
    return ""


def _move_stop(asked: Instruction, context: Context) -> None:
    trade, rules = asked.trade, exits.rules_of(asked.trade)
    market, position = context.markets[trade.symbol], exits.position_of(asked.trade)
    if asked.act == InstructedAct.BREAK_EVEN:
        free = position.entry * (1 + trade.sign * cost_fraction(context.params, market))
        to = rules.break_even if math.isfinite(rules.break_even) else float(market.price(free))
        kind = ExitReason.BREAK_EVEN
    else:
        to, kind = float(market.price(asked.stop or 0.0)), ExitReason.STOP
    refusal = instructing.wrong_stop(trade, to, context.tickers[trade.symbol].price)
    if not refusal and asked.act == InstructedAct.BREAK_EVEN and trade.sign * (trade.stop - to) > 0:
        refusal = f"the stop is at {trade.stop:g}, which is better than break-even at {to:g}"
    ruled = next_stop(position._replace(stop=to, stop_reason=int(kind)), rules)
    if not refusal and trade.sign * (ruled - to) > 0:
        refusal = f"the rules of this trade would put the stop back to {ruled:g} with the next bar: name a nearer one"
    if refusal:
        _end(asked, InstructionStatus.REFUSED, refusal, context.moment())
        return
    before = trade.stop
    with transaction.atomic():
        lease.check(context.lease)
        if not exits.save(trade, position._replace(stop=to, stop_reason=int(kind)), trade.last_bar_at):
            return
        _write(asked, stop=to, stop_before=before)
        _end(asked, InstructionStatus.DONE, f"the stop went from {before:g} to {to:g}", context.moment())


def _conclude(asked: Instruction, context: Context) -> None:
    """Write down what became of the order of a part; one that never filled gives its share back to the position."""
    order = asked.order
    assert order is not None
    order.refresh_from_db()
    if order.status in UNSETTLED or order.status in RESTING:
        return
    if order.status not in NEVER_FILLED:
        filled = f"{order.filled.normalize():f} {asked.trade.symbol}"
        told = (
            f"closed {filled}"
            if order.status == OrderStatus.FILLED
            else f"of {order.quantity} only {filled} was closed"
        )
        _end(asked, InstructionStatus.DONE, told, context.moment())
        return
    note = order.events.order_by("-seq").values_list("note", flat=True).first() or order.get_status_display()
    with transaction.atomic():
        lease.check(context.lease)
        held = Trade.objects.filter(pk=asked.trade_id, status=TradeStatus.OPEN, remaining_fraction__gt=0)
        fraction = held.values_list("remaining_fraction", flat=True).first()
        if fraction is not None:
            held.filter(remaining_fraction=fraction).update(remaining_fraction=min(1.0, fraction + asked.share))
        _end(asked, InstructionStatus.REFUSED, f"nothing was closed: {note}", context.moment())
    asked.trade.refresh_from_db()
    protection.adopt_earlier(asked.trade, context)


def _end(asked: Instruction, to: InstructionStatus, text: str, at: datetime) -> None:
    """Write down the end, in one transaction with what it tells of; raises Moved."""
    with transaction.atomic():
        if not instructing.end(asked, to, text, at):
            raise Moved(f"instruction {asked.pk} is no longer {asked.status}")


def _write(asked: Instruction, **columns: object) -> None:
    """Write columns of an instruction that is still as it was read, inside a transaction; raises Moved."""
    as_read = Instruction.objects.filter(pk=asked.pk, status=asked.status)
    if not as_read.update(**columns):
        raise Moved(f"instruction {asked.pk} is no longer {asked.status}")
    for name, value in columns.items():
        setattr(asked, name, value)
