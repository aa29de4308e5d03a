"""What a question in words is answered from: the whole state for Gemini, the panels that the words mean for the rules."""

from __future__ import annotations

import re
from datetime import datetime

from mlops import panels
from mlops.gemini.prompts import Value
from mlops.panels import Panel
from trading import selectors

WHOLE = ("figures", "open", "closed", "decisions", "refusals", "risk", "performance", "market", "health", "ai")
USUAL = ("figures", "open", "refusals")
"""What the rules tell where the words mean no panel."""
MOST = 3
MEANT = {
    "refusals": ("why", "refus", "no trade", "not trad", "filter", "blocked", "signal", "setup", "skip"),
    "risk": ("risk", "limit", "drawdown", "exposure", "cool", "safe"),
    "open": ("position", "open", "holding", "stop", "target", "exposed"),
    "closed": ("closed", "last trade", "recent", "lost", "loss"),
    "performance": ("perform", "profit", "expectancy", "win rate", "stat", "result", "better", "worst", "best"),
    "figures": ("balance", "equity", "money", "pnl", "today", "worth", "account", "status"),
    "market": ("market", "regime", "trend", "scan", "pair", "symbol", "volatil", "price"),
    "health": ("health", "tick", "running", "alive", "late", "stale", "wrong", "error", "redis", "worker"),
    "reconciliation": ("reconcil", "comparison", "books", "venue", "exchange"),
    "journal": ("journal", "happened", "event", "log"),
    "ai": ("gemini", "adviser", "confidence", "approv", "veto"),
}
"""Beginnings of words, by the panel that answers them."""


def whole(*, now: datetime) -> dict[str, Value]:
    """Return the numbers of every panel that a question may be about."""
    bot = selectors.bot()
    state: Value = bot.trading_state if bot and bot.trading_state in ("active", "close_only", "halted") else None
    return {"trading_state": state, **{name: panels.snapshot(name, now=now).data for name in WHOLE}}


def about(question: str, now: datetime) -> Panel:
    """Return what the rules have to say: about a symbol that is named, else about the panels that the words mean."""
    words = question.lower()
    if symbol := _named(question):
        return panels.symbol(symbol, now)
    counts = {name: sum(bool(re.search(rf"\b{re.escape(each)}", words)) for each in MEANT[name]) for name in MEANT}
    meant = [name for name, count in sorted(counts.items(), key=lambda item: -item[1]) if count][:MOST]
    shown = [panels.snapshot(name, now=now) for name in meant or USUAL]
    says = [line for panel in shown for line in (f"{panel.title}:", *panel.says)]
    if not meant:
        says.insert(0, "I read words for what they are about and found none, so this is the state in general.")
    return Panel(title="State", says=says, data={})


def _named(question: str) -> str | None:
    """Return the watched symbol whose name stands in the question, in capitals as people write it."""
    said = set(re.findall(r"[A-Z0-9]{2,15}(?:/[A-Z]{3,5})?", question))
    return next((pair for pair in selectors.params().pairs if said & {pair, pair.partition("/")[0]}), None)
