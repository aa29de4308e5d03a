"""Rows for the pages beside the overview: orders with their steps, comparisons, revisions, days; all made up."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests import factories
from trading.core.params import Params
from trading.models import (
    BackupKind,
    BackupRun,
    DayOpening,
    ExternalHolding,
    ExternalOrder,
    Fill,
    InvariantRun,
    Lease,
    Order,
    OrderEvent,
    ParameterRevision,
    ReconcileKind,
    ReconcileRun,
    SideChoice,
    Signal,
    StateChange,
    TickRun,
    Trade,
    TradeStatus,
)
from trading.research import simulate

STEPS = ("intent", "submitting", "open", "filled")
VERDICTS = (
    ("score", 61.0, 40.0, "score 61.00, needs 40.00"),
    ("adx", 27.3, 25.0, "adx 27.30, needs 25.00"),
    ("volume_ratio", 1.31, 0.9, "volume ratio 1.31, needs 0.90"),
    ("confluence", 3.0, 2.0, "confluence 3.00, needs 2.00"),
    ("daily_loss", 0.004, 0.05, "daily loss 0.40%, needs less than 5.00%"),
    ("open_risk", 0.021, 0.06, "open risk 2.10%, needs less than 6.00%"),
)
INDICATORS = {"adx": 27.3, "rsi": 58.12, "fast_sma": 66_910.2, "slow_sma": 66_720.8, "hurst": 0.53, "macd": -12.4}


def order(trade: Trade, at: datetime, *, number: int, role: str, status: str = "filled", **columns: Any) -> Order:
    """Make an order that went through STEPS up to `status`, a second each; a filled one has one fill at `price`."""
    is_long = trade.side == SideChoice.LONG
    price = Decimal(str(columns.pop("at_price", trade.entry_price)))
    values = {
        "reason": "trend",
        "kind": "stop" if role == "stop" else "market",
        "side": "buy" if is_long == (role == "entry") else "sell",
        "quantity": trade.planned_quantity,
        "client_id": f"jlb-{trade.pk}-{number}",
        "created_at": at,
        "permit_at": at + timedelta(seconds=0.4),
        "filled": trade.planned_quantity if status == "filled" else Decimal(0),
    }
    row = Order.objects.create(trade=trade, number=number, role=role, status=status, **{**values, **columns})
    steps = STEPS[: STEPS.index(status) + 1] if status in STEPS else (*STEPS[:3], status)
    for seq, (before, after) in enumerate(zip(("", *steps), steps, strict=False), 1):
        OrderEvent.objects.create(
            order=row, seq=seq, from_status=before, to_status=after, at=at + timedelta(seconds=0.4 * seq)
        )
    if status == "filled":
        Fill.objects.create(
            order=row,
            venue_fill_id=f"fill-{row.pk}",
            quantity=row.quantity,
            price=price,
            fee=row.quantity * price * factories.FEE,
            at=at + timedelta(seconds=1.7),
        )
    return row


def orders_of(trade: Trade) -> None:
    """Make entry, stop, a moved stop and, of a closed trade, its exit."""
    begin = trade.opened_at or trade.created_at
    order(trade, begin, number=1, role="entry", at_price=trade.entry_price)
    is_closed = trade.status == TradeStatus.CLOSED
    moved = begin + ((trade.closed_at or begin + timedelta(minutes=30)) - begin) / 2
    first = Decimal(str(trade.first_stop))
    order(trade, begin + timedelta(seconds=2), number=2, role="stop", status="canceled", reason="stop", trigger=first)
    if is_closed and trade.closed_at:
        left = trade.entry_price + trade.sign * trade.gross_pnl / trade.quantity
        order(trade, trade.closed_at, number=3, role="exit", reason=trade.exit_reason, at_price=left, level=left)
    else:
        order(trade, moved, number=3, role="stop", status="open", reason="stop", trigger=Decimal(str(trade.stop)))


def explained(at: datetime, **columns: Any) -> Signal:
    """Make a decision that was taken, with every indicator and, after those of the factory, six more verdicts."""
    signal = factories.signal(at, indicators=INDICATORS, **columns)
    for position, (name, value, limit, reason) in enumerate(VERDICTS, 10):
        signal.verdicts.create(position=position, name=name, passed=True, value=value, limit=limit, reason=reason)
    return signal


def control(now: datetime) -> None:
    """Make comparisons, checks, revisions, changes of state and days."""
    differences = [
        {"kind": "missed execution", "symbol": "ETH/USDT", "ours": "0", "theirs": "0.21", "action": "booked now"},
        {"kind": "holding besides ours", "symbol": "BNB/USDT", "ours": "0", "theirs": "1.5", "action": "declared"},
    ]
    for number in range(60):
        at = now - timedelta(seconds=12 + 30 * number)
        found = differences if number in (7, 31) else []
        ReconcileRun.objects.create(
            kind=ReconcileKind.RUNNING if number < 59 else ReconcileKind.START,
            epoch=3,
            at=at,
            passed=number != 31,
            problem="the list of executions was cut short" if number == 31 else "",
            orders=4,
            fills=2,
            positions=3,
            differences=found,
        )
    broken = {
        "id": "M4",
        "level": "M",
        "text": "the balance is the ledger's sum",
        "found": "10,212.40 against 10,212.41",
    }
    for number in range(12):
        violations = [broken] if number == 9 else []
        InvariantRun.objects.create(at=now - timedelta(seconds=20 + 60 * number), checked=25, violations=violations)
    ExternalOrder.objects.create(
        venue_order_id="8829134", symbol="DOGE/USDT", side="buy", quantity=Decimal(1200), first_seen_at=now, last_seen_at=now
    )  # fmt: skip
    ExternalHolding.objects.create(symbol="BNB/USDT", quantity=Decimal("1.5"), at=now - timedelta(days=9))
    values = Params.of({"volume_min": 0.8, "risk_fraction": 0.015, "kelly": False}).as_json()
    changes = [
        {"name": "volume_min", "old": 0.9, "new": 0.8},
        {"name": "risk_fraction", "old": 0.02, "new": 0.015},
        {"name": "kelly", "old": True, "new": False},
    ]
    ParameterRevision.objects.create(
        number=2, values=values, changes=changes, reason="Quieter market", author_name="operator", created_at=now - timedelta(hours=5)
    )  # fmt: skip
    states = (
        ("active", "close_only", "the venue was silent for 30 s", ""),
        ("close_only", "active", "it answers again", "operator"),
    )
    for number, (before, after, reason, by) in enumerate(states):
        StateChange.objects.create(
            at=now - timedelta(hours=9 - number), from_state=before, to_state=after, reason=reason, by=by
        )
    for day in range(1, 90):
        made = Decimal((day * 37) % 23 - 10) * 7
        DayOpening.objects.create(date=(now - timedelta(days=day)).date(), equity=Decimal(10_000) + made)
    Lease.objects.create(name="trader", owner="host:4711:abc:def", epoch=3, expires_at=now + timedelta(seconds=3))
    TickRun.objects.create(job="tick", slot=now, owner="host:4711:abc:def", started_at=now)


def follow_the_simulation(now: datetime) -> None:
    """Make a closed trade at the simulated market's own prices, so that it lies on its candles."""
    opened, closed = now - timedelta(hours=8), now - timedelta(hours=1)
    entry, left = (simulate.ticker(seed=7, symbol="BTC/USDT", at=at).price for at in (opened, closed))
    side = SideChoice.LONG if left >= entry else SideChoice.SHORT
    signal = explained(opened - timedelta(minutes=1), side=side)
    row = factories.closed_trade(
        closed,
        entry=str(entry),
        exit=str(left),
        risk=str(round(entry * 0.01, 2)),
        side=side,
        signal=signal,
        opened_at=opened,
    )
    orders_of(row)


def fill(now: datetime) -> None:
    """Fill every page."""
    factories.overview(now)
    for trade in Trade.objects.all():
        orders_of(trade)
    follow_the_simulation(now)
    control(now)
    BackupRun.objects.create(kind=BackupKind.BACKUP, at=now - timedelta(hours=1), passed=True, text="made")
    for number in range(70):
        reason = "volume ratio 0.62, needs 0.90" if number % 3 else "score 38.00, needs 55.00"
        name = "volume_ratio" if number % 3 else "score"
        factories.signal(now - timedelta(hours=7 + 8 * number), symbol="ARB/USDT", refused_by=name, reason=reason)
