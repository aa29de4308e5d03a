"""Closed trades as numbers, as a whole and by what they share: hour, weekday, session, regime, symbol, entry, exit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trading.core.candles import Floats
from trading.core.params import Params
from trading.research import metrics
from trading.research.results import TradeResult

Label = Callable[[TradeResult], str]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def labels(params: Params) -> Mapping[str, Label]:
    """Return by what trades are grouped; hours, weekdays and sessions are those of the entry, UTC."""
    return {
        "hour": lambda trade: f"{_entry(trade).hour:02d}",
        "weekday": lambda trade: _WEEKDAYS[_entry(trade).weekday()],
        "session": lambda trade: _session(_entry(trade).hour, params),
        "regime": lambda trade: trade.regime,
        "symbol": lambda trade: trade.symbol,
        "side": lambda trade: trade.side,
        "strategy": lambda trade: trade.strategy,
        "exit_reason": lambda trade: trade.exit_reason,
        "revision": lambda trade: "" if trade.revision is None else str(trade.revision),
    }


def groups(closed: Sequence[TradeResult], params: Params) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the figures of each group of closed trades, as JSON values; weekdays begin on Monday, others are sorted."""
    found = {}
    for name, label in labels(params).items():
        if name == "revision" and all(trade.revision is None for trade in closed):
            continue
        parts: dict[str, list[TradeResult]] = {}
        for trade in closed:
            parts.setdefault(label(trade), []).append(trade)
        order = [day for day in _WEEKDAYS if day in parts] if name == "weekday" else sorted(parts)
        found[name] = {each: figures(parts[each]) for each in order}
    return found


def figures(closed: Sequence[TradeResult]) -> dict[str, Any]:
    """Return how closed trades did: money in quote after fees, R in risks of the entry, durations in seconds."""
    won, in_r = money(closed), multiples(closed)
    spent = [(trade.closed_at - _entry(trade)).total_seconds() for trade in closed if trade.closed_at]
    return {
        "trades": len(closed),
        "wins": int((won > 0).sum()),
        "win_rate": metrics.rounded(float((won > 0).mean()) if len(won) else None),
        "pnl": metrics.rounded(float(won.sum())),
        "fees": metrics.rounded(float(sum(trade.fees for trade in closed))),
        "profit_factor": metrics.rounded(metrics.profit_factor(won)),
        "expectancy": metrics.rounded(metrics.expectancy(won)),
        "expectancy_r": metrics.rounded(metrics.expectancy(in_r)),
        "average_seconds": metrics.rounded(sum(spent) / len(spent) if spent else None),
    }


def money(closed: Sequence[TradeResult]) -> Floats:
    """Return each result in quote, fees paid."""
    return np.array([float(trade.pnl) for trade in closed], dtype=np.float64)


def multiples(closed: Sequence[TradeResult]) -> Floats:
    """Return each result in R: over what the way from fill to first stop is worth; where there was none, left out."""
    found = []
    for trade in closed:
        risked = float(trade.quantity) * abs(float(trade.entry_price) - trade.stop)
        if risked > 0:
            found.append(float(trade.pnl) / risked)
    return np.array(found, dtype=np.float64)


def _entry(trade: TradeResult) -> Any:
    return trade.opened_at or trade.signal_bar


def _session(hour: int, params: Params) -> str:
    """Return the busy session of an hour, as the volume filter has them."""
    if params.session_one_start <= hour < params.session_one_end:
        return "one"
    return "two" if params.session_two_start <= hour < params.session_two_end else "quiet"
