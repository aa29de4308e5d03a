"""Scans, their rows, the watch list's history, switches, the blacklist and locks, as lists and as JSON."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.listings.trades import FEW_SYMBOLS
from dashboard.told import Json
from trading import selectors
from trading.core.types import REGIMES
from trading.models import BlacklistEntry, PairLock, PairSwitch, Scan, ScanRow, WatchedPair, WatchSource

_AT = {"id": Sort(column="pk"), "at": Sort(column="at")}


def row_as_json(row: ScanRow) -> dict[str, Json]:
    return told.fields(
        id=row.pk,
        scan=row.scan_id,
        rank=row.rank,
        symbol=row.symbol,
        score=row.score,
        parts=row.parts,
        price=row.price,
        regime=row.regime,
        refused_by=row.refused_by,
        reason=row.reason,
        verdicts=row.verdicts,
        volume=row.volume,
        measures=row.measures,
        book=row.book,
    )


def scan_as_json(scan: Scan) -> dict[str, Json]:
    return told.fields(
        id=scan.pk,
        at=scan.at,
        finished_at=scan.finished_at,
        timeframe=scan.timeframe,
        pairs=getattr(scan, "pairs", None),
        passed=getattr(scan, "passed", None),
    )


def place_as_json(place: WatchedPair) -> dict[str, Json]:
    return told.fields(
        id=place.pk, symbol=place.symbol, source=place.source, since=place.since, until=place.until,
        reason=place.reason, by=place.by,
    )  # fmt: skip


def _switch_as_json(row: PairSwitch) -> dict[str, Json]:
    return told.fields(
        id=row.pk,
        at=row.at,
        scan=row.scan_id,
        out_symbol=row.out_symbol,
        in_symbol=row.in_symbol,
        out_score=row.out_score,
        in_score=row.in_score,
        is_made=row.is_made,
        refused_by=row.refused_by,
        reason=row.reason,
        verdicts=row.verdicts,
        by=row.by,
    )


def _entry_as_json(entry: BlacklistEntry) -> dict[str, Json]:
    return told.fields(
        id=entry.pk, symbol=entry.symbol, reason=entry.reason, by=entry.by, at=entry.at,
        removed_at=entry.removed_at, removed_by=entry.removed_by,
    )  # fmt: skip


def _lock_as_json(lock: PairLock) -> dict[str, Json]:
    return told.fields(
        id=lock.pk, symbol=lock.symbol, until=lock.until, reason=lock.reason, by=lock.by, at=lock.at,
        lifted_at=lock.lifted_at, lifted_by=lock.lifted_by,
    )  # fmt: skip


def _newest() -> QuerySet[ScanRow]:
    newest = selectors.latest_scan()
    return ScanRow.objects.filter(scan=newest) if newest else ScanRow.objects.none()


def _scans() -> QuerySet[Scan]:
    passed = Count("rows", filter=Q(rows__refused_by=""))
    return Scan.objects.exclude(finished_at=None).annotate(pairs=Count("rows"), passed=passed)


LATEST = Listing(
    name="pairs",
    rows=_newest,
    filters=(
        FEW_SYMBOLS,
        query.conditions(
            "outcome", "Outcome", [("passed", "passed", Q(refused_by="")), ("refused", "refused", ~Q(refused_by=""))]
        ),
        query.text("refused_by", "Refused by", "refused_by__istartswith"),
        query.choice("regime", "Regime", "regime", [(kind.value, kind.value.replace("_", " ")) for kind in REGIMES]),
    ),
    sorts={
        "id": Sort(column="pk"),
        "rank": Sort(column="rank"),
        "score": Sort(column="score"),
        "symbol": Sort(column="symbol"),
        "volume": Sort(column="volume", is_nullable=True),
        "price": Sort(column="price", is_nullable=True),
    },
    told=row_as_json,
    default_sort="rank",
    is_moving=True,
)

SCANS = Listing(
    name="scans",
    rows=_scans,
    filters=(query.since("at"), query.until("at")),
    sorts=_AT,
    told=scan_as_json,
    default_sort="-at",
)

WATCHED = Listing(
    name="watchlist",
    rows=WatchedPair.objects.all,
    filters=(
        FEW_SYMBOLS,
        query.choice("source", "By", "source", WatchSource.choices),
        query.conditions(
            "state", "State", [("watched", "watched now", Q(until=None)), ("left", "left", ~Q(until=None))]
        ),
    ),
    sorts={"id": Sort(column="pk"), "since": Sort(column="since"), "symbol": Sort(column="symbol")},
    told=place_as_json,
    default_sort="-since",
)

SWITCHES = Listing(
    name="switches",
    rows=PairSwitch.objects.all,
    filters=(
        query.text("symbol", "Pair", "in_symbol__istartswith"),
        query.conditions(
            "outcome", "Outcome", [("made", "made", Q(is_made=True)), ("refused", "refused", Q(is_made=False))]
        ),
        query.text("refused_by", "Refused by", "refused_by__istartswith"),
        query.since("at"),
        query.until("at"),
    ),
    sorts=_AT,
    told=_switch_as_json,
    default_sort="-at",
)

BLACKLIST = Listing(
    name="blacklist",
    rows=BlacklistEntry.objects.all,
    filters=(
        FEW_SYMBOLS,
        query.conditions(
            "state",
            "State",
            [("standing", "standing", Q(removed_at=None)), ("removed", "removed", ~Q(removed_at=None))],
        ),
    ),
    sorts={**_AT, "symbol": Sort(column="symbol")},
    told=_entry_as_json,
    default_sort="-at",
)

LOCKS = Listing(
    name="locks",
    rows=PairLock.objects.all,
    filters=(
        FEW_SYMBOLS,
        query.since("until", name="ends_after", label="Ends after"),
        query.conditions(
            "state", "State", [("lifted", "lifted", ~Q(lifted_at=None)), ("kept", "not lifted", Q(lifted_at=None))]
        ),
    ),
    sorts={**_AT, "until": Sort(column="until"), "symbol": Sort(column="symbol")},
    told=_lock_as_json,
    default_sort="-at",
)
