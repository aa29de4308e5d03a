"""Trades and stretches for the tests of figures and studies, made small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.unit.core_values import MONDAY
from trading.adapters.stored_market import StoredMarket
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.strategies import BandReversion, Strategy, TrendCross
from trading.research.performance import Stretch
from trading.research.results import ExitFill, TradeResult
from trading.research.trials import Field

FREE_DOORS: dict[str, Any] = {
    name: 0
    for name in Params().as_json()
    if name.startswith(("score_min_", "adx_min_")) or name in ("volume_min", "confluence_min", "cost_multiple")
}
BAR = timedelta(minutes=15)


def trade(*, opened: int, closed: int | None, entry: float, exit: float, **others: Any) -> TradeResult:
    """Make a long of 1 BTC with a stop 10 below its entry, by ticks of 15 minutes from Monday on; fees 1 each way."""
    one = Decimal(1)
    usual = TradeResult(
        symbol="BTC/USDT",
        side="long",
        strategy="trend",
        regime="trend",
        signal_bar=MONDAY + (opened - 1) * BAR,
        opened_at=MONDAY + opened * BAR,
        entry_price=Decimal(str(entry)),
        quantity=one,
        stop=entry - 10.0,
        targets=[],
        risk_fraction=0.01,
        exits=[],
        closed_at=None,
        exit_reason="",
        fees=one,
        gross_pnl=Decimal(0),
    )
    made = replace(usual, **others)
    if closed is None:
        return made
    at, price = MONDAY + closed * BAR, Decimal(str(exit))
    sign = 1 if made.side == "long" else -1
    return replace(
        made,
        exits=[ExitFill(at=at, price=price, quantity=made.quantity, reason="target", fee=one)],
        closed_at=at,
        exit_reason=others.get("exit_reason", "target"),
        fees=2 * one,
        gross_pnl=sign * (price - made.entry_price) * made.quantity,
    )


def field(
    candles: Candles,
    *,
    strategies: Sequence[Strategy] = (TrendCross(), BandReversion()),
    first: datetime | None = None,
    fee_rate: str = "0.001",
    **values: Any,
) -> Field:
    """Make a field over one series, its filters wide open but where `values` say otherwise."""
    fixed = {"timeframe": candles.timeframe, "pairs": [candles.symbol]}
    series = {candles.symbol: candles}
    return Field(
        stretch=Stretch(
            params=Params.of(FREE_DOORS | values | fixed),
            series=series,
            first=first or candles.closed_at(0),
            last=candles.closed_at(len(candles) - 1),
        ),
        markets=StoredMarket(series, fee_rate=Decimal(fee_rate)).markets(),
        strategies=strategies,
        balance=Decimal(10_000),
    )


def silent(done: int, of: int) -> None:
    assert 0 < done <= of
