"""Ranks the watched pairs and keeps each ranking, so that later nobody has to guess what was known then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from django.db import transaction

from trading import events
from trading.core import decision, pair_score
from trading.core.analysis import analyse
from trading.core.params import Params
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.strategies import Strategy, first_entries
from trading.core.types import REGIMES
from trading.models import Scan, ScanRow

logger = logging.getLogger(__name__)


def scan(*, market_data: MarketData, strategies: Sequence[Strategy], params: Params, now: datetime) -> Scan | None:
    """Score every watched pair and store the ranking; None where no pair could be scored."""
    rows = []
    for symbol in params.pairs:
        try:
            row = _score(symbol, market_data=market_data, strategies=strategies, params=params, now=now)
        except (MarketDataUnavailable, UnknownSymbol) as error:
            logger.warning("%s is left out of the scan: %s", symbol, error)
            continue
        if row is not None:
            rows.append(row)
    if not rows:
        return None
    rows.sort(key=lambda row: (-row.score, row.symbol))
    slot = now.replace(second=0, microsecond=0)
    with transaction.atomic():
        made, created = Scan.objects.get_or_create(at=slot, defaults={"timeframe": params.timeframe})
        if not created:
            return made
        for rank, row in enumerate(rows, 1):
            row.scan, row.rank = made, rank
        ScanRow.objects.bulk_create(rows)
        best = rows[0]
        events.emit("scan", at=now, text=f"Scanned {len(rows)} pairs, best {best.symbol} with {best.score:.0f} points")
    return made


def _score(
    symbol: str, *, market_data: MarketData, strategies: Sequence[Strategy], params: Params, now: datetime
) -> ScanRow | None:
    limit = decision.history_bars(params, strategies)
    candles = market_data.candles(symbol, params.timeframe, now=now, limit=limit)
    if not len(candles):
        return None
    analysis = analyse(candles, params)
    sides, _ = first_entries(strategies, candles, analysis, params)
    found = np.flatnonzero(sides)
    since = len(candles) - 1 - int(found[-1]) if len(found) else None
    price = float(candles.close[-1])
    parts = pair_score.parts(analysis, price=price, bars_since_setup=since)
    if parts is None:
        return None
    return ScanRow(
        symbol=symbol,
        score=sum(parts.values()),
        price=price,
        regime=REGIMES[analysis.regime[-1]],
        parts={name: round(points, 4) for name, points in parts.items()},
    )
