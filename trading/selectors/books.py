"""What venues told of pairs, as scans recorded it: for features, in operation and in research alike."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from trading.core import book_history, timeframes
from trading.core.book_history import BookHistory
from trading.models import Scan, ScanRow

LONGEST = timedelta(hours=1)
"""From when a scan was begun to when it was ranked; one that takes longer is given up."""
_TOLD = ("imbalance", "funding_rate", "open_interest")
Span = tuple[datetime, datetime]
Line = tuple[float, ...]
"""Milliseconds, then what was told, in the order of `_TOLD`; NaN where nothing was."""


def books_at(symbols: Collection[str], moment: datetime) -> Mapping[str, BookHistory]:
    """Return by symbol all records that say something about one moment; two queries.

    A decision waits meanwhile, so what newer records make silent is not even read out of its JSON.
    """
    spans = book_history.spans(moment)
    unknown = {(symbol, span): set(range(1, 1 + len(_TOLD))) for symbol in symbols for span in spans}
    lines: dict[str, list[Line]] = {}
    for symbol, at, text in _records(symbols, spans):
        still = unknown[symbol, next(span for span in spans if span[0] <= at <= span[1])]
        if still and (line := _line(at, text)):
            lines.setdefault(symbol, []).append(line)
            still -= {place for place in still if math.isfinite(line[place])}
    return {symbol: _history(each) for symbol, each in lines.items()}


def books_between(symbol: str, start: datetime, end: datetime) -> BookHistory | None:
    """Return all records of a pair that say something about any moment between the two; None where there are none."""
    records = _records([symbol], [(start - book_history.REACH, end)])
    lines = [line for _, at, text in records if (line := _line(at, text))]
    return _history(lines) if lines else None


def _records(symbols: Collection[str], spans: Collection[Span]) -> Iterator[tuple[str, datetime, str]]:
    """Yield symbol, when it was ranked and the JSON of what was told, newest first."""
    within = Q()
    for start, end in spans:
        within |= Q(at__range=(start - LONGEST, end), finished_at__range=(start, end))  # found by its index of `at`
    scans = Scan.objects.filter(within)
    rows = ScanRow.objects.filter(scan__in=scans, symbol__in=symbols)
    # A thousand rows: what Django makes of a time and of JSON costs ten times what the database does.
    texts = {
        (scan, symbol): text for scan, symbol, text in rows.values_list("scan_id", "symbol", Cast("book", TextField()))
    }
    for scan, at in scans.order_by("-finished_at", "-pk").values_list("pk", "finished_at"):
        if at is not None:
            yield from ((symbol, at, texts[scan, symbol]) for symbol in symbols if (scan, symbol) in texts)


def _line(at: datetime, text: str) -> Line | None:
    told = json.loads(text)
    if not told:
        return None
    values = (told.get(name) for name in _TOLD)
    return timeframes.to_ms(at), *(float(each) if isinstance(each, int | float) else math.nan for each in values)


def _history(newest_first: list[Line]) -> BookHistory:
    at, imbalance, funding_rate, open_interest = np.array(newest_first[::-1], dtype=np.float64).T
    return BookHistory(
        at=at.astype(np.int64), imbalance=imbalance, funding_rate=funding_rate, open_interest=open_interest
    )
