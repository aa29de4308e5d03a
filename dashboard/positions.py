"""Open positions in full: what they are worth, what they risk, and what protects them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard import formats, presenters
from dashboard.formats import Signed
from dashboard.presenters import OpenRow
from trading.models import TradeStatus
from trading.selectors import Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingCard:
    """One position; `stop_since` is None where no stop rests at the venue."""

    row: OpenRow
    share: Signed | None
    """Of the price at entry."""
    realised: Signed
    fees: str
    at_risk: str
    at_risk_share: str
    stop_since: datetime | None
    is_unprotected: bool
    best: Signed | None
    to_stop: str
    strategy: str
    regime: str
    revision: int


def cards(holdings: list[Holding], equity: Decimal) -> list[HoldingCard]:
    return [_card(holding, equity) for holding in holdings]


def _card(holding: Holding, equity: Decimal) -> HoldingCard:
    trade, mark = holding.position.trade, holding.position.mark
    entry, risk = float(trade.entry_price), abs(float(trade.entry_price) - trade.first_stop)
    is_open = trade.status == TradeStatus.OPEN and entry > 0
    lost = holding.position.loss_at_stop
    moved = trade.sign * (mark.price - entry) if mark and is_open else None
    return HoldingCard(
        row=presenters.open_row(holding.position),
        share=formats.signed_percent(moved / entry) if moved is not None else None,
        realised=formats.signed_money(trade.gross_pnl),
        fees=formats.money(trade.fees),
        at_risk=formats.money(lost),
        at_risk_share=formats.percent(float(lost / equity)) if equity > 0 else formats.NOTHING,
        stop_since=holding.stop_since,
        is_unprotected=trade.unprotected_at is not None,
        best=formats.multiple(trade.sign * (trade.best - entry) / risk) if is_open and risk > 0 else None,
        to_stop=formats.percent(abs(mark.price - trade.stop) / mark.price)
        if mark and mark.price > 0
        else formats.NOTHING,
        strategy=formats.words(trade.signal.strategy),
        regime=formats.words(trade.signal.regime),
        revision=trade.revision.number,
    )
