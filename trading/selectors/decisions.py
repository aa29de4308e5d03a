"""Decisions: what was judged, what refused it, and where the setups of a span went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Prefetch, QuerySet, Value
from django.db.models.functions import Concat

from trading.models import Signal, SignalStatus, SignalVerdict

LONGEST_WAIT = timedelta(minutes=10)
"""No signal waits longer for advice: the parameter allows half of it."""

BY = Concat("refused_by", Value(""))
"""To be grouped by as no column: SQLite would walk the whole index of the column, and not the day that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How often one filter or guard was the first to refuse."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One filter or guard of the funnel: how many setups it was the first to stop, and how many went on."""

    name: str
    stopped: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Where the setups of a span went, in the order in which filters and guards are asked."""

    setups: int
    steps: list[Step]
    taken: int
    entered: int
    """Of those taken, how many became a position."""


def signals(*, limit: int) -> list[Signal]:
    """Return the last decisions, newest first, each with its verdicts in the order asked."""
    verdicts = Prefetch("verdicts", queryset=SignalVerdict.objects.order_by("position"))
    return list(Signal.objects.order_by("-decided_at", "-pk").prefetch_related(verdicts)[:limit])


def refusals(*, since: datetime) -> list[Refusals]:
    """Return who refused how many setups decided from `since` on, most first."""
    refused = Signal.objects.filter(status=SignalStatus.REFUSED, decided_at__gte=since)
    rows = refused.values(name=BY).annotate(count=Count("pk")).order_by("-count", "name")
    return [Refusals(name=row["name"], count=row["count"]) for row in rows]


def wanting_advice(*, now: datetime) -> QuerySet[Signal]:
    """Return the signals about which advisers outside the tick may still be heard."""
    recent = Signal.objects.filter(decided_at__gt=now - LONGEST_WAIT, advice_due_at__gt=now)
    return recent.filter(status__in=(SignalStatus.AWAITING, SignalStatus.TAKEN))


def is_advice_wanted(*, now: datetime) -> bool:
    return wanting_advice(now=now).exists()


def decision(pk: int) -> Signal | None:
    """Return one decision with its verdicts, its trade and that trade's orders, each with its steps and fills."""
    verdicts = Prefetch("verdicts", queryset=SignalVerdict.objects.order_by("position"))
    return Signal.objects.filter(pk=pk).select_related("trade", "revision").prefetch_related(verdicts).first()


def funnel(*, since: datetime) -> Funnel:
    """Return where the setups decided from `since` on went; expired ones count as stopped by their age."""
    decided = Signal.objects.filter(decided_at__gte=since).exclude(status=SignalStatus.AWAITING)
    counts = {
        row["name"]: row["count"]
        for row in decided.exclude(status=SignalStatus.TAKEN).values(name=BY).annotate(count=Count("pk"))
    }
    setups = decided.count()
    entered = decided.filter(trade__quantity__gt=0).count()
    left, steps = setups, []
    for name in _asked(since, counts):
        left -= counts.get(name, 0)
        steps.append(Step(name=name, stopped=counts.get(name, 0), left=left))
    return Funnel(setups=setups, steps=steps, taken=left, entered=entered)


def _asked(since: datetime, counts: dict[str, int]) -> list[str]:
    """Return the filters and guards in the order of the newest decision that was asked them all."""
    decided = Signal.objects.filter(decided_at__gte=since).exclude(status=SignalStatus.AWAITING)
    whole = decided.order_by("-decided_at", "-pk").values_list("pk", flat=True)
    newest = SignalVerdict.objects.filter(signal__in=list(whole[:5])).order_by("-signal_id", "position")
    # A name that stopped something but is asked no longer stands at the end.
    return list(dict.fromkeys([*newest.values_list("name", flat=True), *sorted(counts)]))
