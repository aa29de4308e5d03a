"""The key figures of the account itself, as a backtest has them, and by the revision of the parameters too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from trading.core.params import Params
from trading.models import EquityPoint, ParameterRevision, Trade, TradeStatus
from trading.research import performance
from trading.services import parameters, replay_report


def build(*, since: datetime | None) -> dict[str, Any]:
    """Return the figures of the trades that closed since then, all where None, and of the equity at each day's end."""
    trades = Trade.objects.filter(status=TradeStatus.CLOSED).select_related("signal", "revision").order_by("closed_at")
    points = EquityPoint.objects.order_by("at")
    if since is not None:
        trades, points = trades.filter(closed_at__gte=since), points.filter(at__gte=since)
    closed = [replace(replay_report.result_of(trade, ()), revision=trade.revision.number) for trade in trades]
    daily: dict[date, float] = {}
    for at, equity in points.values_list("at", "equity").iterator():
        daily[at.date()] = float(equity)
    newest = ParameterRevision.objects.order_by("-number").first()
    return performance.of_account(closed, daily, params=parameters.params_of(newest) if newest else Params())
