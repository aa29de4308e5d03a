"""What people ask of open positions by hand, as pages and the API take it and tell it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from dashboard import stepup, told
from dashboard.told import Json
from trading.models import InstructedAct, Instruction
from trading.services import instructing
from trading.services.instructing import InstructionRefused

KINDS = "manual_act manual_done manual_refused manual_close entry exit trade_closed"
"""Events after which what can be asked, or what became of it, is another."""


def key_of(who: str, key: str) -> str:
    """Return what makes a repeated request of somebody the same one; empty without a key."""
    return hashlib.sha256(f"{who}\n{key}".encode()).hexdigest() if key else ""


def ask(act: str, trade_pk: int, asked: Mapping[str, Any], *, by: str, key: str, now: datetime) -> Instruction:
    """Ask for an act; a part comes as `fraction` or `quantity`, a stop as `price`. Raises InstructionRefused."""
    if act == InstructedAct.PART:
        fraction, quantity = number(asked, "fraction"), number(asked, "quantity")
        part = float(fraction) if fraction is not None else None
        return instructing.close_part(trade_pk, fraction=part, quantity=quantity, by=by, key=key, now=now)
    if act == InstructedAct.STOP:
        price, reason = number(asked, "price"), str(asked.get("reason") or "")
        if price is None:
            raise InstructionRefused("is missing: give the price of the stop", field="price")
        return instructing.move_stop(trade_pk, to=float(price), reason=reason, by=by, key=key, now=now)
    return instructing.break_even(trade_pk, by=by, key=key, now=now)


def back(request: HttpRequest, trade_pk: int) -> str:
    """Return the address to go on at: the positions where the form stood there, else the trade."""
    positions = reverse("positions")
    return positions if stepup.origin_of(request) == positions else reverse("trade", args=[trade_pk])


def as_json(asked: Instruction) -> dict[str, Json]:
    return told.fields(
        id=asked.pk,
        trade=asked.trade_id,
        act=asked.act,
        fraction=_exact(asked.fraction),
        quantity=asked.quantity,
        stop=_exact(asked.stop),
        stop_before=_exact(asked.stop_before),
        order=asked.order_id,
        reason=asked.reason,
        by=asked.by,
        status=asked.status,
        asked_at=asked.asked_at,
        ended_at=asked.ended_at,
        text=asked.text,
    )


def _exact(value: float | None) -> Decimal | None:
    return Decimal(str(value)) if value is not None else None


def number(asked: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number as it was written, None where there is none; raises InstructionRefused."""
    written = str(asked.get(name) or "").strip()
    if not written:
        return None
    try:
        found = Decimal(written)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or len(written) > 40 or abs(found.adjusted()) > 15:
        raise InstructionRefused(f"{written[:20]!r} is no number", field=name)
    return found
