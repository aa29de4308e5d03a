"""Which pairs move together right now, for the limit of what is at risk in them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from trading.core import portfolio, timeframes
from trading.core.candles import Candles
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.services.context import Context

logger = logging.getLogger(__name__)


def allies(context: Context, held: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Return, for each watched and held symbol, those that count as one risk with it, itself included.

    As of the last closed bar; a symbol without bars counts with all. Empty where nothing limits clusters.
    """
    params = context.params
    if params.max_cluster_risk >= 1.0:
        return {}
    symbols = list(dict.fromkeys((*params.pairs, *held)))
    window = params.correlation_bars
    moves = np.full((len(symbols), window), np.nan)
    closed_at_ms = timeframes.to_ms(timeframes.bar_open(context.now, params.timeframe))
    for row, symbol in enumerate(symbols):
        if (candles := _bars(symbol, window + 1, context)) is not None:
            moves[row] = portfolio.returns([candles], closed_at_ms=closed_at_ms, window=window)[0]
    together = portfolio.allies(portfolio.correlations(moves), params.cluster_correlation)
    return {
        symbol: frozenset(other for other, is_ally in zip(symbols, together[row], strict=True) if is_ally)
        for row, symbol in enumerate(symbols)
    }


def _bars(symbol: str, count: int, context: Context) -> Candles | None:
    try:
        return context.ports.market_data.candles(symbol, context.params.timeframe, now=context.now, limit=count)
    except (MarketDataUnavailable, UnknownSymbol) as error:
        logger.warning("%s counts as moving with every pair: %s", symbol, error)
        return None
