"""Trades as lists ask for them, and one trade whole."""

from __future__ import annotations

from datetime import datetime

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from trading.core.advising import AI, PREDICTOR
from trading.models import ACTIVE, Advice, Fill, Instruction, Order, OrderEvent, Trade, TradeNote, TradeStatus, TradeTag
from trading.models.trades import NET, R

_TAGS = Prefetch("tags", queryset=TradeTag.objects.order_by("name"))


def trades() -> QuerySet[Trade]:
    """Return every trade, its tags included, with `net` (quote, after fees) and `r` (result in units of the first risk) to sort by.

    `ai_confidence` and `win_probability` (the predictor's) are 0 to 1, and None where nobody was asked or had no opinion.
    """
    every = Trade.objects.select_related("signal").prefetch_related(_TAGS)
    return every.annotate(net=NET, r=R, ai_confidence=_said(AI), win_probability=_said(PREDICTOR))


def _said(source: str) -> Subquery:
    """Return an adviser's confidence in the setup of a trade; the unique key of signal and source finds it."""
    return Subquery(Advice.objects.filter(signal=OuterRef("signal_id"), source=source).values("confidence")[:1])


def trade(pk: int) -> Trade | None:
    """Return one trade with its decision, its revision, its notes, what was asked of it, and its orders with steps and fills."""
    whole = Prefetch("orders", queryset=orders().order_by("number"))
    notes = Prefetch("notes", queryset=TradeNote.objects.order_by("pk"))
    asked = Prefetch("instructions", queryset=Instruction.objects.order_by("pk"))
    return trades().select_related("revision").prefetch_related(whole, notes, asked).filter(pk=pk).first()


def trades_on(symbol: str, *, since: datetime, until: datetime) -> QuerySet[Trade]:
    """Return the trades of a symbol that closed in a span, the newest first, after those that are open; with their orders."""
    whole = Prefetch("orders", queryset=orders().order_by("number"))
    over = Q(status=TradeStatus.CLOSED, closed_at__gte=since, closed_at__lte=until)
    found = Trade.objects.filter(over | Q(status__in=ACTIVE), symbol=symbol, created_at__lt=until)
    return found.prefetch_related(whole).order_by("-status", "-closed_at")


def orders() -> QuerySet[Order]:
    """Return every order with its trade, its steps and its fills, oldest step and fill first."""
    return Order.objects.select_related("trade").prefetch_related(
        Prefetch("events", queryset=OrderEvent.objects.order_by("seq")),
        Prefetch("fills", queryset=Fill.objects.order_by("at", "pk")),
    )
