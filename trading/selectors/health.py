"""What the rows say about the processes: who trades, when each last did something, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading.models import InvariantRun, Lease, ReconcileRun, Trade, TradeStatus, VenuePause


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Signs of life; each is None where there was none yet."""

    lease: Lease | None
    comparison: ReconcileRun | None
    invariants: InvariantRun | None
    unprotected: int
    """Open trades without a stop that is sure to rest at the venue."""


def signs() -> Signs:
    return Signs(
        lease=Lease.objects.order_by("name").first(),
        comparison=ReconcileRun.objects.order_by("-at").first(),
        invariants=InvariantRun.objects.order_by("-at").first(),
        unprotected=Trade.objects.filter(status=TradeStatus.OPEN, unprotected_at__isnull=False).count(),
    )


def pauses(*, now: datetime) -> list[VenuePause]:
    """Return the pauses that venues asked for and that last, the longest of each venue first."""
    return list(VenuePause.objects.filter(until__gt=now).order_by("venue", "-until")[:20])
