"""Trades and orders as lists and as JSON."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from django.db.models import Q, QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading import selectors
from trading.models import ACTIVE, LIVE, Fill, Order, OrderEvent, OrderRole, OrderStatus, SideChoice, Trade, TradeStatus

# core.position.ExitReason by name, and what else ends a trade; importing it here would bring numba into the web process.
EXITS = (
    ("stop", "stop"),
    ("break_even", "break-even"),
    ("trailing", "trailing stop"),
    ("target_1", "target 1"),
    ("target_2", "target 2"),
    ("target_3", "target 3"),
    ("time", "time stop"),
    ("manual", "by hand"),
    ("unprotected", "sold without a stop"),
    ("dust", "rest too small"),
    ("rest", "rest"),
)
SESSIONS = (("asia", 8), ("europe", 13), ("america", 20), ("late", 24))
"""By name the hour, UTC, in which each ends; the first and the third are those in which most is traded."""
SYMBOL = query.beginning("symbol", "Symbol", "symbol")
FEW_SYMBOLS = query.text("symbol", "Symbol", "symbol__istartswith")
"""For tables that stay small, and so have no index of symbols."""
SIDE = query.choice("side", "Side", "side", SideChoice.choices, is_indexed=True)


def r_of(trade: Trade) -> float | None:
    """Return the result in units of the first risk; None where there was none."""
    risk = abs(trade.entry_price - Decimal(str(trade.first_stop))) * trade.quantity
    return float(trade.pnl / risk) if risk > 0 else None


def best_r(trade: Trade) -> float | None:
    """Return how far the price went in favour, in units of the first risk."""
    risk = abs(float(trade.entry_price) - trade.first_stop)
    return trade.sign * (trade.best - float(trade.entry_price)) / risk if risk > 0 and trade.quantity > 0 else None


def worst_r(trade: Trade) -> float | None:
    """Return how far the price went against the trade, in units of the first risk; None where it was not followed."""
    risk = abs(float(trade.entry_price) - trade.first_stop)
    if trade.worst is None or risk <= 0 or trade.quantity <= 0:
        return None
    return min(0.0, trade.sign * (trade.worst - float(trade.entry_price)) / risk)


def confidence(trade: Trade, name: str) -> float | None:
    """Return what an adviser gave the trade's setup, 0 to 1, by the name under which selectors.trades() reads it."""
    value: float | None = getattr(trade, name)
    return value


def session(trade: Trade) -> str:
    """Return the session in which the trade was entered, by the hour of the day, UTC."""
    hour = (trade.opened_at or trade.created_at).hour
    return next(name for name, end in SESSIONS if hour < end)


def exit_price(trade: Trade) -> Decimal | None:
    """Return the mean price of what has left, in quote; None while all of it is there."""
    left = trade.quantity - trade.remaining
    return trade.entry_price + trade.sign * trade.gross_pnl / left if left > 0 else None


def slippage(trade: Trade) -> float | None:
    """Return how much worse than its plan the entry was filled, a fraction of the price; negative: better."""
    if trade.quantity <= 0 or trade.planned_entry <= 0:
        return None
    return trade.sign * float(trade.entry_price / trade.planned_entry - 1)


def as_json(trade: Trade) -> dict[str, Json]:
    return told.fields(
        id=trade.pk,
        signal=trade.signal_id,
        revision=trade.revision_id,
        mode=trade.mode,
        symbol=trade.symbol,
        side=trade.side,
        status=trade.status,
        is_open=trade.status in ACTIVE,
        strategy=trade.signal.strategy,
        regime=trade.signal.regime,
        session=session(trade),
        ai_confidence=confidence(trade, "ai_confidence"),
        win_probability=confidence(trade, "win_probability"),
        timeframe=trade.signal.timeframe,
        created_at=trade.created_at,
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        exit_reason=trade.exit_reason,
        planned_quantity=trade.planned_quantity,
        planned_entry=trade.planned_entry,
        quantity=trade.quantity,
        remaining=trade.remaining,
        entry_price=trade.entry_price if trade.quantity > 0 else None,
        exit_price=_rounded(exit_price(trade)),
        first_stop=_level(trade.first_stop),
        stop=_level(trade.stop),
        targets=[_level(trade.rules.get(f"target_{number}")) for number in (1, 2, 3)],
        targets_hit=trade.targets_hit,
        gross_pnl=trade.gross_pnl,
        fees=trade.fees,
        pnl=trade.pnl,
        r=r_of(trade),
        best_r=best_r(trade),
        worst_r=worst_r(trade),
        entry_slippage_fraction=slippage(trade),
        equity_at_entry=trade.equity_at_entry,
        risk_fraction=trade.risk_fraction,
        bars=trade.bars,
        tags=[tag.name for tag in trade.tags.all()],
    )


def order_as_json(order: Order) -> dict[str, Json]:
    return told.fields(
        id=order.pk,
        trade=order.trade_id,
        symbol=order.trade.symbol,
        number=order.number,
        role=order.role,
        reason=order.reason,
        kind=order.kind,
        side=order.side,
        quantity=order.quantity,
        filled=order.filled,
        price=order.price,
        trigger=order.trigger,
        level=order.level,
        status=order.status,
        client_id=order.client_id,
        venue_order_id=order.venue_order_id,
        created_at=order.created_at,
        permit_at=order.permit_at,
        note=order.note,
        steps=[_step_as_json(step) for step in order.events.all()],
        fills=[fill_as_json(fill) for fill in order.fills.all()],
    )


def fill_as_json(fill: Fill) -> dict[str, Json]:
    return told.fields(
        id=fill.venue_fill_id,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        base_fee=fill.base_fee,
        at=fill.at,
    )


def _step_as_json(step: OrderEvent) -> dict[str, Json]:
    return told.fields(seq=step.seq, from_status=step.from_status, to_status=step.to_status, at=step.at, note=step.note)


def _level(price: float | None) -> Decimal | None:
    return Decimal(str(price)) if price is not None else None


def _rounded(price: Decimal | None) -> Decimal | None:
    return round(price, 12) if price is not None else None


def _rows() -> QuerySet[Trade]:
    """Return every trade without what no list tells of its decision."""
    return _every().all()


@cache
def _every() -> QuerySet[Trade]:
    """Return the same, put together once: what is annotated takes longer to say than fifty rows to read."""
    return selectors.trades().defer("signal__indicators", "signal__reason", "risk_factors")


TRADES = Listing(
    name="trades",
    rows=_rows,
    filters=(
        SYMBOL,
        SIDE,
        query.conditions(
            "status",
            "Status",
            [
                ("open", "open", Q(status__in=ACTIVE)),
                ("closed", "closed", Q(status=TradeStatus.CLOSED)),
                ("canceled", "canceled", Q(status=TradeStatus.CANCELED)),
            ],
            is_indexed=True,
        ),
        query.choice("reason", "Left by", "exit_reason", EXITS, is_indexed=True),
        query.conditions(
            "result",
            "Result",
            [
                ("won", "won", Q(status=TradeStatus.CLOSED, net__gt=0)),
                ("lost", "lost", Q(status=TradeStatus.CLOSED, net__lte=0)),
            ],
        ),
        query.text("tag", "Tag", "tags__name"),
        query.since("created_at"),
        query.until("created_at"),
    ),
    sorts={
        "id": Sort(column="pk"),
        "created": Sort(column="created_at"),
        "closed": Sort(column="closed_at", is_nullable=True),
        "symbol": Sort(column="symbol"),
        "pnl": Sort(column="net"),
        "r": Sort(column="r", is_nullable=True),
        "fees": Sort(column="fees"),
    },
    told=as_json,
    default_sort="-created",
)

ORDERS = Listing(
    name="orders",
    rows=selectors.orders,
    filters=(
        query.beginning("symbol", "Symbol", "trade__symbol"),
        query.choice("role", "Role", "role", OrderRole.choices, is_indexed=True),
        query.choice("status", "Status", "status", OrderStatus.choices, is_indexed=True),
        query.conditions(
            "live",
            "Live",
            [("true", "live", Q(status__in=LIVE)), ("false", "final", ~Q(status__in=LIVE))],
            is_indexed=True,
        ),
        query.since("created_at"),
        query.until("created_at"),
    ),
    sorts={"id": Sort(column="pk"), "created": Sort(column="created_at")},
    told=order_as_json,
    default_sort="-created",
)
