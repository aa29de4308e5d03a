"""An operator who meddles: parts are closed, stops moved and positions left by hand while everything fails."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime

from trading.models import Trade, TradeStatus
from trading.services import instructing, manual
from trading.services.instructing import InstructionRefused

NAME = "torture"


def meddle(fate: random.Random) -> None:
    """Ask something of a position that was just opened, as most live for seconds; a refusal is an answer. Raises DatabaseError."""
    newest = Trade.objects.filter(status=TradeStatus.OPEN, remaining_fraction__gt=0).order_by("-opened_at")
    trades = list(newest[:3])
    if not trades:
        return
    trade, act = (
        fate.choice(trades),
        fate.choice(("part", "part", "part", "part", "stop", "stop", "break_even", "close")),
    )
    now = datetime.now().astimezone()
    with suppress(InstructionRefused):
        if act == "part":
            instructing.close_part(trade.pk, fraction=fate.uniform(0.1, 0.9), by=NAME, now=now)
        elif act == "stop":
            nearer = trade.stop + fate.uniform(0.05, 0.5) * (float(trade.planned_entry) - trade.stop)
            instructing.move_stop(trade.pk, to=round(nearer, 2), by=NAME, now=now)
        elif act == "break_even":
            instructing.break_even(trade.pk, by=NAME, now=now)
        else:
            manual.request_close(trade.pk, by=NAME, now=now)
