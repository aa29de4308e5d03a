"""Ranks pairs and keeps each ranking with what was refused and why, so that later nobody has to guess what was known then.

A scan is a row that says what is asked. Its pairs are measured in one go, or in parts by several workers; whoever adds
the last part ranks them all. Every step may be repeated: rows have a unique key, and a scan is ranked once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from trading import events
from trading.core import pair_filters, portfolio, timeframes
from trading.core.book import Book, Books
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.strategies import Strategy
from trading.core.types import Verdict
from trading.models import Scan, ScanRow
from trading.services import pair_locks, pair_measures, watching
from trading.services.pair_measures import Measured

logger = logging.getLogger(__name__)

PART = 250
"""So many pairs are measured by one task."""
OVERDUE = timedelta(minutes=2)
"""A part that has not come for so long is asked for again."""
PATIENCE = timedelta(minutes=10)
"""A scan of which a part is missing for so long is ranked without it."""
MOST_COMPARED = 300
"""Correlations are measured of so many, those with the best scores; who ranks lower is not known and refused."""
SHOWN = 20
"""So many pairs are kept with all their correlations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a scan gets what it measures."""

    market_data: MarketData
    strategies: Sequence[Strategy]
    books: Books | None = None
    clock: Callable[[], datetime] | None = None
    """The time now, in operation: a ranking is known from when it is written, not from when its scan was begun."""

    def moment(self, now: datetime) -> datetime:
        return max(now, self.clock()) if self.clock else now


def scan(*, market_data: MarketData, strategies: Sequence[Strategy], params: Params, now: datetime) -> Scan | None:
    """Score the pairs and store the ranking in one go; None where no pair could be scored."""
    return scan_with(Sources(market_data=market_data, strategies=strategies), params=params, now=now)


def scan_with(sources: Sources, *, params: Params, now: datetime) -> Scan | None:
    """Scan as `scan` does, with what the venue tells besides its bars."""
    made, is_new = begin(sources, params=params, now=now)
    return made if not is_new or fill(made, sources, params=params, now=now) else None


def fill(made: Scan, sources: Sources, *, params: Params, now: datetime) -> bool:
    """Measure and rank all of a scan that was begun; False where no pair could be scored, and then it is forgotten."""
    measured = _measure(made.symbols, sources, params, made.at)
    if not any(each.is_scored for each in measured):
        made.delete()
        return False
    measured.sort(key=lambda each: (-each.score, each.symbol))
    banned = pair_locks.banned()
    others = [_judged(made, each, math.nan, params, banned) for each in measured[MOST_COMPARED:]]
    return _rank(made, measured[:MOST_COMPARED], others, params, sources.moment(now))


def begin(sources: Sources, *, params: Params, now: datetime) -> tuple[Scan, bool]:
    """Return the scan of this minute and whether it is new."""
    slot = now.replace(second=0, microsecond=0)
    symbols = universe(sources, params=params, now=now)
    return Scan.objects.get_or_create(at=slot, defaults={"timeframe": params.timeframe, "symbols": symbols})


def parts(made: Scan) -> list[int]:
    """Return where each part of a scan begins."""
    return list(range(0, len(made.symbols), PART))


def measure_part(pk: int, start: int, sources: Sources, *, params: Params, now: datetime) -> bool:
    """Measure one part of a scan and, where it was the last one, rank all; return whether this call ranked."""
    made = Scan.objects.filter(pk=pk, finished_at=None).first()
    if made is None:
        return False
    asked = made.symbols[start : start + PART]
    there = set(made.rows.filter(symbol__in=asked).values_list("symbol", flat=True))
    measured = _measure([symbol for symbol in asked if symbol not in there], sources, params, made.at)
    banned = pair_locks.banned()
    rows = [_judged(made, each, math.nan, params, banned) for each in measured]
    with transaction.atomic():
        # Whoever ranks takes the same row: nothing comes after the ranking.
        if not Scan.objects.filter(pk=pk, finished_at=None).update(timeframe=made.timeframe):
            return False
        ScanRow.objects.bulk_create(rows, ignore_conflicts=True)
    if made.rows.count() < len(made.symbols):
        return False
    return finish(made, sources, params=params, now=now)


def lost_parts(*, now: datetime) -> list[tuple[int, int]]:
    """Return the scan and the begin of each part that should have come long ago: its message or its worker was lost.

    Where all have come and nobody has ranked them, whoever is given any part does.
    """
    found = []
    for made in Scan.objects.filter(finished_at=None, at__lte=now - OVERDUE, at__gt=now - PATIENCE).order_by("at"):
        there = set(made.rows.values_list("symbol", flat=True))
        missing = [start for start in parts(made) if not there.issuperset(made.symbols[start : start + PART])]
        found += [(made.pk, start) for start in missing or [0]]
    return found


def finish_late(sources: Sources, *, params: Params, now: datetime) -> None:
    """Rank scans of which a part has not come: its worker was lost."""
    for made in Scan.objects.filter(finished_at=None, at__lte=now - PATIENCE, at__gt=now - 6 * PATIENCE).order_by("at"):
        if made.rows.exists():
            finish(made, sources, params=params, now=now)


def finish(made: Scan, sources: Sources, *, params: Params, now: datetime) -> bool:
    """Rank the rows that are there; False where another worker has.

    Only the best are read and judged again, with what they are compared with: whoever ranks holds all others up.
    """
    told = made.rows.values_list("score", "symbol", "refused_by")
    order = sorted(told, key=lambda each: (-each[0], each[1]))
    best = [symbol for _, symbol, _ in order[:MOST_COMPARED]]
    rows = {row.symbol: row for row in made.rows.filter(symbol__in=best)}
    compared = [_read(rows[symbol]) for symbol in best]
    for each in compared:
        if each.is_scored:
            each.candles = pair_measures.bars(
                each.symbol, params.correlation_bars + 1, sources.market_data, params, made.at
            )
    others = [
        ScanRow(scan=made, symbol=symbol, score=score, parts={}, refused_by=refused_by)
        for score, symbol, refused_by in order[MOST_COMPARED:]
    ]
    return _rank(made, compared, others, params, sources.moment(now))


def universe(sources: Sources, *, params: Params, now: datetime) -> list[str]:
    """Return what is scanned: the listed and the watched pairs, or the venue's most traded with the same quote."""
    listed = list(dict.fromkeys((*params.pairs, *watching.symbols(params))))
    if params.scan_universe == "pairs":
        return listed
    quote = params.pairs[0].partition("/")[2]
    others = [name for name in sources.market_data.markets() if name.endswith(f"/{quote}") and name not in listed]
    books = sources.books.read(others, now=now) if sources.books else {}
    others.sort(key=lambda name: (-_number(books.get(name)), name))
    return [*listed, *others][: max(params.scan_most, len(listed))]


def lists(*, start: datetime, end: datetime, count: int) -> list[tuple[datetime, tuple[str, ...]]]:
    """Return (when it was known, the best pairs) of every scan in between, and of the last one before; oldest first."""
    before = Scan.objects.filter(finished_at__lte=start).order_by("-finished_at").first()
    first = before.finished_at if before else start
    found: dict[int, tuple[datetime, list[str]]] = {
        made.pk: (made.finished_at, [])
        for made in Scan.objects.filter(finished_at__gte=first, finished_at__lte=end).order_by("finished_at", "pk")
        if made.finished_at is not None
    }
    rows = ScanRow.objects.filter(scan__in=found, refused_by="", rank__gt=0, rank__lte=count).order_by("rank")
    for pk, symbol in rows.values_list("scan", "symbol"):
        found[pk][1].append(symbol)
    return [(at, tuple(symbols)) for at, symbols in found.values()]


def _number(book: Book | None) -> float:
    return book.volume if book is not None and book.volume > 0 else 0.0


def _measure(symbols: Sequence[str], sources: Sources, params: Params, now: datetime) -> list[Measured]:
    books = sources.books.read(symbols, now=now) if sources.books else {}
    leaders: dict[str, Candles | None] = {}
    found = []
    for symbol in symbols:
        try:
            found.append(
                pair_measures.measure(
                    symbol,
                    market_data=sources.market_data,
                    strategies=sources.strategies,
                    params=params,
                    now=now,
                    book=books.get(symbol, Book()),
                    leaders=leaders,
                )
            )
        except (MarketDataUnavailable, UnknownSymbol) as error:
            logger.warning("%s has no place in the scan: %s", symbol, error)
            found.append(Measured.without(symbol, str(error)))
    return found


def _rank(made: Scan, compared: Sequence[Measured], others: Sequence[ScanRow], params: Params, now: datetime) -> bool:
    """Judge the best by what they are compared with, rank all and write it at once; False where that is done already.

    `others` come after them, judged; of those that are in the table only the rank is written.
    """
    moves = _moves(compared, params, made.at)
    judged = _compared(made, compared, portfolio.correlations(moves), params)
    rows = sorted([*judged, *others], key=lambda row: bool(row.refused_by))  # both parts stay ordered by score
    for rank, row in enumerate(rows, 1):
        row.rank = rank
    shown = _correlations(compared, moves, params)
    with transaction.atomic():
        if not Scan.objects.filter(pk=made.pk, finished_at=None).update(finished_at=now, correlations=shown):
            return False
        _write(judged, "rank", "refused_by", "reason", "verdicts")
        _write(others, "rank")
        made.rows.filter(rank=0).delete()  # of a part that was given up and came while the others were ranked
        made.finished_at, made.correlations = now, shown
        best, passed = rows[0], sum(not row.refused_by for row in rows)
        text = f"Scanned {len(rows)} pairs, {passed} passed, best {best.symbol} with {best.score:.0f} points"
        events.emit("scan", at=now, text=text)
    return True


def _write(rows: Sequence[ScanRow], *columns: str) -> None:
    """Insert rows, or write these columns where they are there."""
    ScanRow.objects.bulk_create(rows, update_conflicts=True, unique_fields=["scan", "symbol"], update_fields=columns)


def _compared(made: Scan, measured: Sequence[Measured], matrix: Floats, params: Params) -> list[ScanRow]:
    """Return the rows by score; a pair is compared with the better ones that passed."""
    banned, rows = pair_locks.banned(), []
    passed: list[int] = []
    for place, each in enumerate(measured):
        row = _judged(made, each, float(matrix[place][passed].max(initial=-1.0)), params, banned)
        if not row.refused_by:
            passed.append(place)
        rows.append(row)
    return rows


def _judged(made: Scan, each: Measured, correlation: float, params: Params, banned: Collection[str]) -> ScanRow:
    """Return the row of a pair with the filters' verdicts; `correlation` is NaN where it was compared with nothing."""
    row = _row(made, each)
    if each.is_scored:
        verdicts = pair_filters.evaluate(each.pair(correlation=correlation), params, banned)
    else:
        verdicts = (Verdict(name=pair_filters.DATA, passed=False, value=0.0, limit=1.0, reason=each.problem),)
    row.verdicts = [_as_json(verdict) for verdict in verdicts]
    refusing = next((verdict for verdict in verdicts if not verdict.passed), None)
    if refusing is not None:
        row.refused_by, row.reason = refusing.name, refusing.reason[:200]
    return row


def _moves(measured: Sequence[Measured], params: Params, at: datetime) -> Floats:
    closed_at_ms = timeframes.to_ms(timeframes.bar_open(at, params.timeframe))
    series = [each.candles or pair_measures.nothing(each.symbol, params.timeframe) for each in measured]
    return portfolio.returns(series, closed_at_ms=closed_at_ms, window=params.correlation_bars)


def _correlations(measured: Sequence[Measured], moves: Floats, params: Params) -> dict[str, Any]:
    """Return what the pages show: the correlations of what is watched, and of the best beside it."""
    places = {each.symbol: place for place, each in enumerate(measured) if each.is_scored}
    wanted = [*(symbol for symbol in watching.symbols(params) if symbol in places), *places]
    symbols = list(dict.fromkeys(wanted))[:SHOWN]
    matrix = portfolio.correlations(moves[[places[symbol] for symbol in symbols]]) if symbols else moves[:0, :0]
    clusters = portfolio.clusters(matrix, params.cluster_correlation)
    cells = [[round(value, 3) if math.isfinite(value) else None for value in line] for line in matrix.tolist()]
    return {
        "symbols": symbols,
        "rows": cells,
        "clusters": [list(group) for group in clusters],
        "bars": params.correlation_bars,
    }


def _row(made: Scan, each: Measured) -> ScanRow:
    return ScanRow(
        scan=made,
        symbol=each.symbol,
        score=each.score,
        price=each.price,
        regime=each.regime,
        parts={name: round(points, 4) for name, points in each.parts.items()},
        volume=each.volume,
        measures=dict(each.measures),
        book=dict(each.book),
    )


def _read(row: ScanRow) -> Measured:
    """Return what a row keeps, to be ranked."""
    return Measured(
        symbol=row.symbol,
        score=row.score,
        price=row.price,
        regime=row.regime,
        parts=row.parts,
        volume=row.volume,
        measures=row.measures,
        book=row.book,
        problem="" if row.parts else row.reason,
    )


def _as_json(verdict: Verdict) -> Mapping[str, Any]:
    value = verdict.value if math.isfinite(verdict.value) else None
    return {
        "name": verdict.name,
        "passed": verdict.passed,
        "value": value,
        "limit": verdict.limit,
        "reason": verdict.reason,
    }
