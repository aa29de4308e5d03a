"""How trades were really left, against what their stored bars give: every exit's level, fill, and the cause of a difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import zip_longest

from trading import past
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.position import ExitRules, Position
from trading.models import EquityPoint, Instruction, InstructionStatus, OrderRole, Trade
from trading.research import exit_audit
from trading.research.audit import Cause
from trading.research.exit_audit import Due, Left
from trading.services import exits

_NEVER = "not filled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRow:
    """One exit: by which level at which price, `slippage_fraction` worse than the level; and its cause with a sentence."""

    trade: int
    symbol: str
    side: str
    reason: str
    at: str
    level: str
    filled: str
    slippage_fraction: float | None
    cause: Cause
    text: str


def left(*, since: datetime, now: datetime) -> list[ExitRow]:
    """Return the exits of the trades that were open at `since` or later, by trade, each beside what the bars give."""
    read = cache(past.reader())
    trades = Trade.objects.filter(quantity__gt=0).exclude(closed_at__lt=since).select_related("signal").order_by("pk")
    return [
        row for trade in trades.prefetch_related("orders__fills", "instructions") for row in _rows(trade, read, now)
    ]


def _rows(trade: Trade, read: past.Read, now: datetime) -> Iterator[ExitRow]:
    done = _done(trade)
    if set(trade.rules) != set(ExitRules._fields):
        for each in done:
            yield _row(trade, each, None, Cause.OTHER_VERSION, "its exit rules were written by another version")
        return
    span = timeframes.length(trade.signal.timeframe)
    begin = trade.signal.bar_at + span
    end = trade.closed_at or now
    # Another bar shows what the last exit's price was reached in.
    candles = read(trade.symbol, trade.signal.timeframe, begin, min(end + 2 * span, now))
    if candles is None or not len(candles) or candles.opened_at(0) != begin:
        for each in done:
            yield _row(trade, each, None, Cause.NOT_STORED, "not every bar since the entry is stored: fetch candles")
        return
    due = [each for each in _due(trade, candles) if trade.closed_at is not None or each.bar_at + 2 * span <= now]
    is_first, by_hand = True, _first_by_hand(trade)
    for one, other in zip_longest(done, due):
        if one is None and trade.closed_at is not None:
            return  # what is left of a trade that is over was said with its last exit
        ticked = other is not None and _ticked(other, trade)
        cause, text = exit_audit.explain(one, other, candles=candles, ticked=ticked, is_first=is_first)
        is_first = is_first and cause is Cause.SAME
        if by_hand is not None and cause not in (Cause.SAME, Cause.BY_HAND) and _moment(one, other) >= by_hand.asked_at:
            cause, text = Cause.BY_HAND, f"{by_hand.by} had asked to {by_hand.get_act_display()}: {by_hand.text}"
        yield _row(trade, one, other, cause, text)


def _done(trade: Trade) -> list[Left]:
    """Return the exits that were filled, in the order of their last fills."""
    found: list[Left] = []
    for order in trade.orders.all():
        fills = list(order.fills.all())
        if order.role == OrderRole.ENTRY or not fills:
            continue
        quantity = sum((fill.quantity for fill in fills), Decimal(0))
        level = order.level if order.role == OrderRole.EXIT else order.trigger
        found.append(
            Left(
                reason=order.reason,
                level=float(level) if level is not None else None,
                at=max(fill.at for fill in fills),
                price=float(sum((fill.quantity * fill.price for fill in fills), Decimal(0)) / quantity),
            )
        )
    return sorted(found, key=lambda each: each.at)


def _first_by_hand(trade: Trade) -> Instruction | None:
    """Return the first act by hand that changed the position; what leaves after it is another's doing than the bars'."""
    done = [each for each in trade.instructions.all() if each.status == InstructionStatus.DONE and each.ended_at]
    return min(done, key=lambda each: each.asked_at, default=None)


def _moment(one: Left | None, other: Due | None) -> datetime:
    """Return when an exit was filled, else when it fell due; one of the two is there."""
    if one is not None:
        return one.at
    assert other is not None
    return other.bar_at


def _due(trade: Trade, candles: Candles) -> Sequence[Due]:
    entry = float(trade.planned_entry)
    position = Position(trade.sign, entry, trade.first_stop, 0, 1.0, 0, entry, 0)
    return exit_audit.expected(position, exits.rules_of(trade), candles)


def _ticked(due: Due, trade: Trade) -> bool:
    closed = due.bar_at + timeframes.length(trade.signal.timeframe)
    return EquityPoint.objects.filter(
        at__gte=closed, at__lt=closed + timeframes.length(trade.signal.timeframe)
    ).exists()


def _row(trade: Trade, one: Left | None, other: Due | None, cause: Cause, text: str) -> ExitRow:
    level = one.level if one is not None else other.price if other is not None else None
    slip = exit_audit.slippage(one, sign=trade.sign) if one is not None else None
    if cause is Cause.SAME and slip is not None and abs(slip) > exit_audit.NOTICED:
        cause, text = Cause.SLIPPAGE, f"{text}, filled {slip * 10_000:+.1f} basis points worse than its level"
    return ExitRow(
        trade=trade.pk,
        symbol=trade.symbol,
        side=trade.side,
        reason=one.reason if one is not None else other.reason if other is not None else "",
        at=(one.at if one is not None else other.bar_at if other is not None else trade.created_at).isoformat(),
        level=f"{level:g}" if level else "",
        filled=f"{one.price:g}" if one is not None else _NEVER,
        slippage_fraction=slip,
        cause=cause,
        text=text,
    )
