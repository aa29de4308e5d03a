"""Closing by hand: a person asks, and the next tick lets the position leave by the way of every exit.

Nothing is sent from here. The row says that nothing of the position is wanted any more, and the tick does what it does for
every such row: it ends what still rests of the entry, lifts the stop, sells the rest and settles doubts.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from trading import events
from trading.models import ACTIVE, Trade
from trading.services import audit

REASON = "manual"


def request_close(trade_pk: int, *, by: str, now: datetime) -> bool:
    """Ask for a trade to be closed at the market; False where it is closed, being left, or there is none."""
    with transaction.atomic():
        wanted = Trade.objects.filter(pk=trade_pk, status__in=ACTIVE, remaining_fraction__gt=0)
        if not wanted.update(remaining_fraction=0.0, exit_reason=REASON):
            return False
        trade = Trade.objects.get(pk=trade_pk)
        events.emit(
            "manual_close",
            at=now,
            symbol=trade.symbol,
            text=f"{by} asked to close trade {trade_pk}, {trade.symbol} {trade.side}",
            payload={"trade": trade_pk, "by": by},
        )
        text = f"Asked to close trade {trade_pk}, {trade.symbol} {trade.side}"
        audit.record("manual_close", actor=by, at=now, about=f"trade {trade_pk}", text=text)
    return True


def request_close_all(*, by: str, now: datetime) -> list[int]:
    """Ask for every trade to be closed, and return those for which it was not asked before."""
    with transaction.atomic():
        active = Trade.objects.filter(status__in=ACTIVE).order_by("pk").values_list("pk", flat=True)
        return [pk for pk in list(active) if request_close(pk, by=by, now=now)]
