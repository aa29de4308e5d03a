"""The levels that open trades wait for; without what follows them, so that the stream needs none of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from trading.core.sieve import Level
from trading.models import Trade, TradeStatus

_TARGETS = 3


def of_open_trades() -> dict[str, tuple[Level, ...]]:
    """Return by symbol the stop and the next target of everything that is held and not being left."""
    found: dict[str, list[Level]] = {}
    for trade in Trade.objects.filter(status=TradeStatus.OPEN, remaining_fraction__gt=0):
        target = trade.rules.get(f"target_{min(trade.targets_hit + 1, _TARGETS)}")
        level = Level(
            trade=trade.pk, sign=trade.sign, stop=trade.stop, target=math.nan if target is None else float(target)
        )
        found.setdefault(trade.symbol, []).append(level)
    return {symbol: tuple(levels) for symbol, levels in found.items()}


def reached(levels: Mapping[str, tuple[Level, ...]], prices: Mapping[str, float]) -> list[int]:
    """Return the trades whose level the price of their symbol has reached."""
    return [level.trade for symbol in prices for level in levels.get(symbol, ()) if level.is_crossed(prices[symbol])]
