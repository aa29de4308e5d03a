"""Which pairs are traded and why: the newest scan, the watch list, the blacklist and locks, from rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q, QuerySet

from trading.core.params import Params
from trading.models import BlacklistEntry, PairLock, PairSwitch, Scan, ScanRow, WatchedPair, WatchSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One pair that is traded; without a `place` it is one of the parameter pairs."""

    symbol: str
    place: WatchedPair | None
    row: ScanRow | None
    """Its row of the newest scan."""


def symbols(params: Params) -> tuple[str, ...]:
    """Return what is traded: the base list in its order, then what people have added; one query.

    Before the first scan, the best of the scan are the listed pairs.
    """
    return _listed(params, WatchedPair.objects.filter(until=None))


def symbols_at(moment: datetime, params: Params) -> tuple[str, ...]:
    """Return what was traded then under these parameters."""
    return _listed(params, WatchedPair.objects.filter(Q(until=None) | Q(until__gt=moment), since__lte=moment))


def symbols_between(begin: datetime, end: datetime, params: Params) -> tuple[str, ...]:
    """Return all that was traded at any moment between the two under these parameters."""
    places = WatchedPair.objects.filter(Q(until=None) | Q(until__gt=begin), since__lt=end).order_by("since", "pk")
    return tuple(dict.fromkeys((*params.pairs, *places.values_list("symbol", flat=True))))


def applied(params: Params) -> Params:
    """Return the parameters with the watch list as their pairs."""
    watched = symbols(params)
    return params if watched == params.pairs else replace(params, pairs=watched)


def latest_scan() -> Scan | None:
    return Scan.objects.exclude(finished_at=None).order_by("-at").first()


def watch_list(params: Params) -> list[Watched]:
    """Return what is traded now, in order; three queries."""
    newest = latest_scan()
    traded = symbols(params)
    places = {place.symbol: place for place in WatchedPair.objects.filter(until=None)}
    rows = {row.symbol: row for row in newest.rows.filter(symbol__in=traded)} if newest else {}
    return [Watched(symbol=each, place=places.get(each), row=rows.get(each)) for each in traded]


def blacklist() -> Sequence[BlacklistEntry]:
    return list(BlacklistEntry.objects.filter(removed_at=None).order_by("symbol"))


def locks(*, now: datetime) -> Sequence[PairLock]:
    """Return the locks that stand, the one that ends first before the others."""
    return list(PairLock.objects.filter(lifted_at=None, until__gt=now).order_by("until", "pk"))


def switches(*, limit: int) -> Sequence[PairSwitch]:
    return list(PairSwitch.objects.order_by("-at", "-pk")[:limit])


def _listed(params: Params, rows: QuerySet[WatchedPair]) -> tuple[str, ...]:
    found = rows.order_by("since", "pk").values_list("symbol", "source")
    by_scan: list[str] = []
    by_hand: list[str] = []
    for symbol, source in found:
        (by_scan if source == WatchSource.SCAN else by_hand).append(symbol)
    base = by_scan if params.watch == "scan" and by_scan else params.pairs
    return tuple(dict.fromkeys((*base, *by_hand)))
