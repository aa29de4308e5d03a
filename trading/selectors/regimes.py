"""The regime of each watched pair as it was last seen: by the newest scan, else by its newest setup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from trading.models import Scan, Signal
from trading.selectors.account import params


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRegime:
    """`regime` is empty and `at` None where the pair was never looked at."""

    symbol: str
    regime: str
    at: datetime | None


def regimes() -> list[SeenRegime]:
    """Return one for each watched pair, in the order of the parameters."""
    symbols, seen = params().pairs, {}
    newest = Scan.objects.filter(finished_at__isnull=False).order_by("-at").first()
    if newest is not None:
        for row in newest.rows.filter(symbol__in=symbols):
            seen[row.symbol] = SeenRegime(symbol=row.symbol, regime=row.regime, at=newest.at)
    missing = [symbol for symbol in symbols if symbol not in seen]
    last = Signal.objects.filter(symbol__in=missing).values("symbol").annotate(last=Max("pk"))
    for signal in Signal.objects.filter(pk__in=[row["last"] for row in last]):
        seen[signal.symbol] = SeenRegime(symbol=signal.symbol, regime=signal.regime, at=signal.decided_at)
    return [seen.get(symbol) or SeenRegime(symbol=symbol, regime="", at=None) for symbol in symbols]
