"""Counts of all rows there ever were, at the cost of the newest: what changes no more is added up once, stretch by stretch.

    counted(SIGNALS)    the sums of all stretches, and what the rows behind them add

A stretch is kept once none of its rows is young or unfinished. What changes all the same, such as by hand, is found when
it is its turn to be compared with its rows, within a day.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from math import fsum
from typing import Any

from django.db.models import Q, QuerySet

from dashboard.listings.prepared import Raw, Statement
from dashboard.models import Tally
from trading.core import timeframes
from trading.models import ACTIVE, LIVE, Advice, Order, Signal, SignalStatus, Trade, TradeStatus

SETTLED = timedelta(days=2)
"""So long after it was closed a trade may still be corrected by a late fill."""
STRETCH = 10_000
"""Keys; there are at most about so many rows to add up besides those that are young."""
CHECKED_AT_ONCE = 60

Counts = Mapping[str, float]
Anew = Callable[[int, int], Mapping[str, Any]]
"""Adds up a stretch from its first to its last."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What is counted: of each row some columns, as the driver returns them, of which `count` makes sums.

    Rows are counted here, not by the database: SQLite would look through an index of all rows for the ten thousand of a stretch.
    """

    name: str
    rows: Callable[[], QuerySet[Any]]
    columns: tuple[str, ...]
    count: Callable[[list[Raw]], Counts]
    at: str
    """The column that says since when a row is as it is."""
    unfinished: Q | None = None

    def of(self, rows: QuerySet[Any]) -> Counts:
        return self.count(Statement(rows.order_by().values_list(*self.columns)).fetch())


def counted(what: Counted, *, now: datetime) -> Counter[str]:
    """Return what all rows add up to, and keep what has settled since somebody asked last."""
    kept = list(Tally.objects.filter(name=what.name).values_list("last", "counts"))
    upto = max((last for last, _ in kept), default=0)
    added = []
    while (more := _settled(what, upto, now=now)) is not None:
        upto += STRETCH
        added.append(more)
    found: Counter[str] = Counter()
    for part in chain((counts for _, counts in kept), added, (what.of(what.rows().filter(pk__gt=upto)),)):
        for label, number in part.items():
            found[label] += number
    return found


def _settled(what: Counted, upto: int, *, now: datetime) -> Counts | None:
    """Count the stretch that begins behind a key and keep it; None while it has not settled."""
    last = upto + STRETCH
    part = what.rows().filter(pk__gt=upto, pk__lte=last)
    if not what.rows().filter(pk__gte=last).exists():
        return None
    young = Q(**{f"{what.at}__gt": now - SETTLED})
    if any(part.filter(each).exists() for each in (young, what.unfinished) if each is not None):
        return None
    counts = what.of(part)
    keep(what.name, upto + 1, last, counts, now=now)
    return counts


def keep(name: str, first: int, last: int, counts: Mapping[str, Any], *, now: datetime) -> None:
    """Keep the sums of a stretch, unless another process did."""
    row = Tally(name=name, first=first, last=last, counts=counts, checked_at=now)
    Tally.objects.bulk_create([row], ignore_conflicts=True)


def check(*, now: datetime, others: Mapping[str, Anew]) -> int:
    """Compare those stretches with their rows that were not for longest, put right what differs, and return how many did.

    `others` are the sums that are not made here, by name.
    """
    wrong = 0
    by_name: dict[str, Anew] = {**{each.name: partial(_anew, each) for each in EVERY}, **others}
    for row in Tally.objects.filter(name__in=by_name).order_by("checked_at")[:CHECKED_AT_ONCE]:
        found = by_name[row.name](row.first, row.last)
        if found != row.counts:
            wrong += 1
            logger.warning("the rows of %s add up to something else than was kept: put right", row)
        Tally.objects.filter(pk=row.pk).update(counts=found, checked_at=now)
    return wrong


def _anew(what: Counted, first: int, last: int) -> Counts:
    return what.of(what.rows().filter(pk__gte=first, pk__lte=last))


def _trades(rows: list[Raw]) -> Counts:
    return Counter(
        f"{side} {'won' if gross > fees else 'lost' if gross < fees else 'even'}"
        for status, side, gross, fees in rows
        if status == TradeStatus.CLOSED
    )


def _labels(rows: list[Raw]) -> Counts:
    """Count rows by their values, with a space between two."""
    return Counter(" ".join(map(str, row)) for row in rows)


def _advice(rows: list[Raw]) -> Counts:
    said = {None: "no_opinion", True: "approve", False: "reject"}
    return Counter(f"{said[approve]} {source}" for approve, source in rows)


def _spread(bounds: tuple[float, ...], seconds: Callable[[Raw], float]) -> Callable[[list[Raw]], Counts]:
    """Return a count by the bound that a time does not exceed, its place among them as label, and the `sum` of the times."""

    def count(rows: list[Raw]) -> Counts:
        waited = [max(0.0, seconds(row)) for row in rows]
        found = Counter(str(bisect_left(bounds, each)) for each in waited)
        # Exact, so that their order does not matter.
        return {**found, "sum": fsum(waited)} if waited else {}

    return count


def _until_decided(row: Raw) -> float:
    bar_at, timeframe, decided_at = row
    return (_moment(decided_at) - _moment(bar_at)).total_seconds() - timeframes.milliseconds(timeframe) / 1000


def _moment(raw: Any) -> datetime:
    """Return a moment as SQLite keeps it, which is as text, or as PostgreSQL does."""
    return datetime.fromisoformat(raw) if isinstance(raw, str) else raw


SIGNAL_BUCKETS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
AI_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 15.0)
AWAITING = Q(status=SignalStatus.AWAITING)
TRADES = Counted(
    name="trades", rows=Trade.objects.all, columns=("status", "side", "gross_pnl", "fees"), count=_trades, at="closed_at",
    unfinished=Q(status__in=ACTIVE),
)  # fmt: skip
SIGNALS = Counted(
    name="signals", rows=Signal.objects.all, columns=("status", "refused_by"), count=_labels, at="decided_at",
    unfinished=AWAITING,
)  # fmt: skip
ORDERS = Counted(
    name="orders", rows=Order.objects.all, columns=("status",), count=_labels, at="created_at",
    unfinished=Q(status__in=LIVE),
)  # fmt: skip
SIGNAL_LATENCY = Counted(
    name="signal_latency", rows=lambda: Signal.objects.exclude(status=SignalStatus.EXPIRED),
    columns=("bar_at", "timeframe", "decided_at"), count=_spread(SIGNAL_BUCKETS, _until_decided), at="decided_at",
    unfinished=AWAITING,
)  # fmt: skip
ADVICE = Counted(name="advice", rows=Advice.objects.all, columns=("approve", "source"), count=_advice, at="at")
AI_LATENCY = Counted(
    name="ai_latency", rows=lambda: Advice.objects.filter(latency_ms__gt=0), columns=("latency_ms",),
    count=_spread(AI_BUCKETS, lambda row: float(row[0]) / 1000), at="at",
)  # fmt: skip
EVERY = (TRADES, SIGNALS, ORDERS, SIGNAL_LATENCY, ADVICE, AI_LATENCY)
