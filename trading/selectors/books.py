"""What venues told of pairs, as scans recorded it: for features, in operation and in research alike."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Q

from trading.core import book_history, timeframes
from trading.core.book_history import BookHistory
from trading.models import Scan, ScanRow

LONGEST = timedelta(hours=1)
"""From when a scan was begun to when it was ranked; one that takes longer is given up."""
_TOLD = ("imbalance", "funding_rate", "open_interest")


def books_at(symbols: Collection[str], moment: datetime) -> Mapping[str, BookHistory]:
    """Return by symbol all records that say something about one moment; one query."""
    return _histories(symbols, book_history.spans(moment))


def books_between(symbol: str, start: datetime, end: datetime) -> BookHistory | None:
    """Return all records of a pair that say something about any moment between the two; None where there are none."""
    return _histories([symbol], [(start - book_history.REACH, end)]).get(symbol)


def _histories(symbols: Collection[str], spans: Collection[tuple[datetime, datetime]]) -> Mapping[str, BookHistory]:
    within = Q()
    for start, end in spans:
        within |= Q(at__range=(start - LONGEST, end), finished_at__range=(start, end))  # found by its index of `at`
    rows = ScanRow.objects.filter(scan__in=Scan.objects.filter(within), symbol__in=symbols)
    columns = rows.order_by("scan__finished_at", "scan_id").values_list("symbol", "scan__finished_at", "book")
    lines: dict[str, list[tuple[float, ...]]] = {}
    for symbol, at, told in columns:
        if at is not None and told:
            lines.setdefault(symbol, []).append((timeframes.to_ms(at), *(_number(told.get(name)) for name in _TOLD)))
    return {symbol: _history(each) for symbol, each in lines.items()}


def _history(lines: list[tuple[float, ...]]) -> BookHistory:
    at, imbalance, funding_rate, open_interest = np.array(lines, dtype=np.float64).T
    return BookHistory(
        at=at.astype(np.int64), imbalance=imbalance, funding_rate=funding_rate, open_interest=open_interest
    )


def _number(value: Any) -> float:
    """Return what a record says, NaN where it says nothing."""
    return float(value) if isinstance(value, int | float) else math.nan
