"""The overview as values and as HTML: the same panels for the first paint and for every push."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from dashboard import figures, frame, positions, presenters
from trading import selectors
from trading.models import Bot
from trading.selectors import OpenTrade

PANELS = ("status", "figures", "open", "refusals", "journal", "decisions", "closed")
LIVE = (*PANELS, "positions", "bell")
"""What is pushed: the overview's panels, and those of other pages."""
DECISIONS, CLOSED, EVENTS = 15, 10, 10
REFUSED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Every panel's HTML by name, and the equity curve as (seconds since 1970, quote)."""

    panels: dict[str, str]
    equity: list[tuple[int, float]]


def context(now: datetime) -> dict[str, Any]:
    """Return what the panels' templates need."""
    bot, params, trades = selectors.bot(), selectors.params(), selectors.open_trades()
    # While the past is replayed, its last day is what is of interest.
    moment = bot.last_tick_at if bot and bot.is_replaying and bot.last_tick_at else now
    return {
        "bot": bot,
        "open_trades": trades,
        "symbols": list(params.pairs),
        "quote": figures.quote_of(params),
        "banner": presenters.banner(bot, presenters.mode_of(settings.BROKER)),
        "figures": figures.figures(bot, selectors.day_opening(), params, selectors.record(), trades) if bot else [],
        "unseen": frame.unseen(),
        "open_rows": [presenters.open_row(trade) for trade in trades],
        "closed_rows": [presenters.closed_row(trade) for trade in selectors.closed_trades(limit=CLOSED)],
        "decisions": [
            presenters.decision_row(signal, signal.verdicts.all()) for signal in selectors.signals(limit=DECISIONS)
        ],
        "refusals": presenters.refusal_rows(selectors.refusals(since=moment - REFUSED_WITHIN)),
        "events": selectors.events(limit=EVENTS),
        "equity": [(int(point.at.timestamp()), float(point.equity)) for point in selectors.equity_curve()],
    }


def cards(trades: list[OpenTrade], bot: Bot | None) -> list[positions.HoldingCard]:
    """Return the open positions in full; one query."""
    return positions.cards(selectors.holdings(trades), bot.equity if bot else Decimal(0))


def render(now: datetime) -> Rendered:
    """Return every panel as the first paint of its page would show it now."""
    values = context(now)
    values["cards"] = cards(values["open_trades"], values["bot"])
    return Rendered(
        panels={name: render_to_string(f"dashboard/panels/{name}.html", values) for name in LIVE},
        equity=values["equity"],
    )
