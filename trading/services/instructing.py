"""What people ask of an open position by hand: a part to be closed, another stop, break-even. The tick does it.

Here is looked at what can be known without the venue; the tick looks at everything again. Nothing is sent from here.
"""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from trading import events
from trading.models import (
    OPEN_INSTRUCTIONS,
    Bot,
    InstructedAct,
    Instruction,
    InstructionStatus,
    LastPrice,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import audit

EVENT, DONE, REFUSED = "manual_act", "manual_done", "manual_refused"
MOST_RISK = 3.0
"""A stop lies at most so many times as far from the entry as the first one."""
LONGEST_REASON, LONGEST_KEY = 200, 64
CLOSED = "the position was closed before this could be done"


class InstructionRefused(Exception):
    """What cannot be asked for: `field` is what to correct, empty where the trade or the moment is to blame."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


def close_part(
    trade_pk: int,
    *,
    by: str,
    now: datetime,
    fraction: float | None = None,
    quantity: Decimal | None = None,
    key: str = "",
) -> Instruction:
    """Ask for a part to be closed at the market: a fraction of what is open then, or a quantity in base."""
    if (fraction is None) == (quantity is None):
        raise InstructionRefused("give either a fraction of the position or a quantity", field="fraction")
    if fraction is not None and not 0.0 < fraction < 1.0:
        raise InstructionRefused(
            "a part is more than nothing and less than all: close the trade instead", field="fraction"
        )
    if quantity is not None and not (quantity.is_finite() and quantity > 0):
        raise InstructionRefused("is no quantity above zero", field="quantity")
    trade = _open(trade_pk)
    if quantity is not None and quantity >= trade.remaining:
        text = f"{trade.remaining.normalize():f} is open: name less, or close the trade"
        raise InstructionRefused(text, field="quantity")
    what = f"{fraction:.4g} of it" if fraction is not None else f"{quantity.normalize():f} of it"  # type: ignore[union-attr]
    asked = Instruction(trade=trade, act=InstructedAct.PART, fraction=fraction, quantity=quantity)
    return _ask(asked, f"close {what}", by=by, key=key, now=now)


def move_stop(trade_pk: int, *, to: float, by: str, now: datetime, reason: str = "", key: str = "") -> Instruction:
    """Ask for the stop to be moved to a price (quote per base); beyond the first stop only with a reason."""
    if not math.isfinite(to) or to <= 0:
        raise InstructionRefused("is no price above zero", field="price")
    if len(reason) > LONGEST_REASON:
        raise InstructionRefused(f"has more than {LONGEST_REASON} characters: say it shorter", field="reason")
    trade = _open(trade_pk)
    price = LastPrice.objects.filter(symbol=trade.symbol).values_list("price", flat=True).first()
    if refusal := wrong_stop(trade, to, price):
        raise InstructionRefused(refusal, field="price")
    if adds_risk(trade, to) and not reason.strip():
        raise InstructionRefused("is missing: this stop risks more than the first one, say why", field="reason")
    asked = Instruction(trade=trade, act=InstructedAct.STOP, stop=to, reason=reason.strip())
    return _ask(asked, f"move its stop from {trade.stop:g} to {to:g}", by=by, key=key, now=now)


def break_even(trade_pk: int, *, by: str, now: datetime, key: str = "") -> Instruction:
    """Ask for the stop to be put where the trade leaves without a loss, its costs included."""
    asked = Instruction(trade=_open(trade_pk), act=InstructedAct.BREAK_EVEN)
    return _ask(asked, "put its stop to break-even", by=by, key=key, now=now)


def adds_risk(trade: Trade, stop: float) -> bool:
    """Return whether a stop would lose more than the one that the trade was planned with."""
    return trade.sign * (trade.first_stop - stop) > 0


def wrong_stop(trade: Trade, to: float, price: float | None) -> str:
    """Return in a sentence why a stop may not stand there, nothing where it may; `price` is None where none is known."""
    if to == trade.stop:
        return f"the stop is at {to:g} already"
    if price is not None and trade.sign * (price - to) <= 0:
        side = "below" if trade.sign > 0 else "above"
        return f"the price is {price:g}: a stop lies {side} it, close the trade to leave now"
    entry = float(trade.entry_price or trade.planned_entry)
    first = abs(entry - trade.first_stop)
    if trade.sign * (entry - to) > MOST_RISK * first:
        furthest = entry - trade.sign * MOST_RISK * first
        return f"a stop risks at most {MOST_RISK:g} times what was planned: {furthest:g} is the furthest"
    if trade.sign * (trade.stop - to) > 0:
        state = Bot.objects.filter(pk=1).values_list("trading_state", flat=True).first()
        if state != TradingState.ACTIVE:
            return "a stop further away adds risk, which waits until trading runs again; a nearer one may be set"
    return ""


def end(asked: Instruction, to: InstructionStatus, text: str, at: datetime) -> bool:
    """Write down what became of an instruction, and tell; False where another process was first. In a transaction."""
    told = {"text": text[:500], "ended_at": at}
    if not Instruction.objects.filter(pk=asked.pk, status=asked.status).update(status=to, **told):
        return False
    asked.refresh_from_db(fields=["status", "text", "ended_at"])
    trade, act = asked.trade, asked.get_act_display()
    said = f"{act[:1].upper()}{act[1:]}, trade {trade.pk}, as {asked.by} asked: {text}"
    kind = DONE if to == InstructionStatus.DONE else REFUSED
    payload = {"trade": trade.pk, "by": asked.by, "instruction": asked.pk}
    events.emit(kind, at=at, symbol=trade.symbol, text=said, payload=payload)
    return True


def end_with(trade: Trade, at: datetime) -> None:
    """End what waits to be done with a position that is closed now."""
    for asked in Instruction.objects.filter(trade=trade, status=InstructionStatus.WAITING).select_related("trade"):
        end(asked, InstructionStatus.REFUSED, CLOSED, at)


def _open(trade_pk: int) -> Trade:
    found = Trade.objects.filter(pk=trade_pk).first()
    if found is None:
        raise InstructionRefused("there is no such trade", field="trade")
    if found.status != TradeStatus.OPEN or found.remaining <= 0 or found.remaining_fraction <= 0:
        raise InstructionRefused(f"trade {trade_pk} holds nothing, or leaves already")
    return found


def _ask(asked: Instruction, what: str, *, by: str, key: str, now: datetime) -> Instruction:
    """Keep an instruction once for each key, and one at a time for each trade."""
    trade = asked.trade
    asked.by, asked.key, asked.asked_at = by, key or uuid.uuid4().hex, now
    if len(asked.key) > LONGEST_KEY:
        raise InstructionRefused(f"has more than {LONGEST_KEY} characters: use a UUID", field="key")
    try:
        with transaction.atomic():
            asked.save(force_insert=True)
            text = f"{by} asked to {what}, trade {trade.pk}, {trade.symbol} {trade.side}"
            why = f": {asked.reason}" if asked.reason else ""
            payload = {"trade": trade.pk, "by": by, "instruction": asked.pk}
            events.emit(EVENT, at=now, symbol=trade.symbol, text=f"{text}{why}", payload=payload)
            audit.record(
                f"manual_{asked.act}", actor=by, at=now, about=f"trade {trade.pk}", text=f"Asked to {what}{why}"
            )
    except IntegrityError:
        return _asked_before(asked)
    return asked


def _asked_before(asked: Instruction) -> Instruction:
    """Return the instruction that came with this very key; raises InstructionRefused where another one is under way."""
    same = Instruction.objects.filter(key=asked.key).first()
    told: tuple[str, ...] = ("trade_id", "act", "fraction", "quantity", "stop", "by")
    if same is not None and same.act == InstructedAct.BREAK_EVEN:
        told = ("trade_id", "act", "by")
    if same is not None and all(getattr(same, name) == getattr(asked, name) for name in told):
        return same
    if same is not None:
        raise InstructionRefused("was used for another act: take a new key for each", field="key")
    first = Instruction.objects.filter(trade=asked.trade, status__in=OPEN_INSTRUCTIONS).first()
    what = first.get_act_display() if first else "another act"
    raise InstructionRefused(f"trade {asked.trade_id} is busy ({what}): wait until that is done")
