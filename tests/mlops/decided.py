"""Decisions with what became of them, as rows: refused ones with a shadow, taken ones with a trade."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops.models import ShadowOutcome, ShadowState
from tests import factories
from trading.models import Advice, Signal

RISK = 1000
"""Quote that one unit of the trades made here risks; they hold a tenth of one."""


def refused(at: datetime, *, r: float, by: tuple[str, ...] = ("adx",), **columns: Any) -> Signal:
    """Make a signal that every name in `by` refused, and its shadow, which came to `r`."""
    signal = factories.signal(at, refused_by=by[0], reason=f"{by[0]} said no", **columns)
    for position, name in enumerate(by[1:], 10):
        signal.verdicts.create(position=position, name=name, passed=False, reason="no")
    ShadowOutcome.objects.create(
        signal=signal,
        refused_by=by[0],
        state=ShadowState.CLOSED,
        due_at=at,
        next_bar_at=at,
        opened_at=at,
        ended_at=at,
        plan={"side": "long", "quantity": "0.02", "entry": "67000", "stop": 66_000.0},
        entry=67_000,
        exit=67_000 + int(r * RISK),
        r=r,
        pnl=round(20 * r, 8),
        won=r > 0,
        bars=4,
        end_reason="target_3" if r > 0 else "stop",
    )
    return signal


def taken(at: datetime, *, r: float, **columns: Any) -> Signal:
    """Make a signal that was taken, and its closed trade, which came to `r` less its fees."""
    signal = factories.signal(at, **columns)
    factories.closed_trade(at, exit=str(67_000 + r * RISK), signal=signal, symbol=signal.symbol, risk=str(RISK))
    return signal


def advice(
    signal: Signal, source: str, *, approve: bool | None, confidence: float | None = 0.8, **columns: Any
) -> Advice:
    values = {"reason": "so it is", "at": signal.decided_at, "model": "rules-1", "prompt": "filter-1 0a1b2c"}
    return Advice.objects.create(
        signal=signal, source=source, approve=approve, confidence=confidence, **{**values, **columns}
    )
