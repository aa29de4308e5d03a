"""What tests of the gate share: proposals, and comparisons that are finished as told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trading import runs
from trading.models import ParameterDraft, ParameterRevision
from trading.services import backtesting, gate, parameters
from trading.services.parameters import Proposed

NOW = datetime(2026, 3, 10, tzinfo=UTC)
USUAL: dict[str, Any] = {
    "closed_trades": 40,
    "win_rate": 0.5,
    "pnl": "12.5",
    "fees": "3",
    "return_fraction": 0.01,
    "profit_factor": 1.5,
    "sharpe": 1.0,
    "sortino": 1.4,
    "calmar": 2.0,
    "drawdown_fraction": 0.1,
    "expectancy_r": 0.1,
    "exposure_fraction": 0.2,
    "parts": [0.0, 0.01, 0.0, 0.0],
}


def propose(values: dict[str, Any], expected: int = 1, **how: Any) -> Proposed:
    return parameters.propose(
        values=values, reason="because", expected_number=expected, now=NOW, **{"author": None, "by": "ann", **how}
    )


def draft_of(values: dict[str, Any], **how: Any) -> ParameterDraft:
    draft = propose(values, **how).draft
    assert draft is not None
    return draft


def compare(**candidate: Any) -> None:
    """Finish the comparison that waits: usual figures in force, those of the candidate as told."""
    work = backtesting.claim(owner="one", clock=lambda: NOW)
    assert work is not None
    bars = {"bars": 5000, "symbols": ["BTC/USDT"], "from": "a", "to": "b"}
    work.finish({**bars, "active": USUAL, "candidate": {**USUAL, **candidate}}, data_hash="x", code_version="1")
    gate.settle(margins=runs.margins(), now=NOW)


def in_force() -> ParameterRevision:
    return parameters.current(now=NOW)
