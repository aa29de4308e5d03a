"""Every panel that can be explained, by the name that its button carries."""

from __future__ import annotations

from datetime import datetime

from mlops.panels import account, control, decisions, learning, system, trades
from mlops.panels.guides import GUIDES
from mlops.panels.words import Panel, Snapshot

__all__ = ["GUIDES", "NAMES", "PANELS", "Panel", "Snapshot", "snapshot", "symbol"]

PANELS: dict[str, Snapshot] = {
    "figures": account.figures,
    "equity": account.equity,
    "performance": account.performance,
    "risk": account.risk,
    "open": trades.positions,
    "closed": trades.closed,
    "decisions": decisions.decisions,
    "refusals": decisions.refusals,
    "market": decisions.market,
    "health": system.health,
    "reconciliation": system.reconciliation,
    "journal": system.journal,
    "ai": system.ai,
    "scorecard": learning.scorecard,
    "models": learning.models,
    "parameters": control.parameters,
    "pairs": control.pairs,
    "runs": control.runs,
}

NAMES = (*PANELS, *GUIDES)
"""Of every panel, with figures or without."""

symbol = decisions.symbol


def snapshot(name: str, *, now: datetime) -> Panel:
    """Return the panel as it is now; KeyError where there is none of this name."""
    return GUIDES[name] if name in GUIDES else PANELS[name](now)
