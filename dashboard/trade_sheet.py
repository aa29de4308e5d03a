"""One trade as its page shows it: key figures, the plan beside what came of it, orders with every step, a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard import candles, formats, presenters
from dashboard.figures import Figure
from dashboard.formats import NOTHING
from dashboard.listings import trades as listing
from dashboard.presenters import Chip
from trading import selectors
from trading.models import ACTIVE, Order, OrderRole, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the plan: what was meant and what came of it."""

    name: str
    meant: str
    came: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSheet:
    order: Order
    prices: str
    quantity: str
    filled: str
    mean: str
    slip: str
    """How much worse than its level it was filled."""
    fees: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    trade: Trade
    figures: Sequence[Figure]
    facts: Sequence[Fact]
    orders: Sequence[OrderSheet]
    chips: Sequence[Chip]
    chart: dict[str, Any]
    """What trade.js draws: candles, levels, the stop's life and the fills."""


def sheet(trade: Trade, *, now: datetime) -> Sheet:
    """Return the whole sheet; orders, steps, fills and verdicts are those that were fetched with the trade."""
    orders = list(trade.orders.all())
    chart = _chart(trade, orders, now)
    return Sheet(
        trade=trade,
        figures=_figures(trade, now, worst_r(trade, chart["candles"], now=now)),
        facts=_facts(trade),
        orders=[_order(order, trade) for order in orders],
        chips=presenters.decision_row(trade.signal, trade.signal.verdicts.order_by("position")).chips,
        chart=chart,
    )


def worst_r(trade: Trade, bars: Sequence[candles.Bar], *, now: datetime) -> float | None:
    """Return how far the price went against the trade, in units of its first risk; None where neither it was followed nor all its bars are kept."""
    if (followed := listing.worst_r(trade)) is not None:
        return followed
    risk = abs(float(trade.entry_price) - trade.first_stop)
    if trade.opened_at is None or risk <= 0:
        return None
    begin, end = trade.opened_at.timestamp(), (trade.closed_at or now).timestamp()
    held = [low if trade.sign > 0 else high for at, _, high, low, _ in bars if begin <= at < end]
    if not held or bars[0][0] > begin:
        return None
    return min(0.0, min(trade.sign * (price - float(trade.entry_price)) for price in held) / risk)


def _left_by(trade: Trade) -> str:
    return dict(listing.EXITS).get(trade.exit_reason, formats.words(trade.exit_reason))


def _figures(trade: Trade, now: datetime, worst: float | None) -> list[Figure]:
    r, best, slip = listing.r_of(trade), listing.best_r(trade), listing.slippage(trade)
    pnl = formats.signed_money(trade.pnl)
    lasted = (trade.closed_at or now) - trade.opened_at if trade.opened_at else None
    exit_price = listing.exit_price(trade)
    return [
        Figure(
            key="pnl",
            label="PnL, realised",
            value=pnl.text,
            tone=pnl.tone,
            delta=formats.multiple(r) if r is not None else None,
            note="after fees",
        ),
        Figure(key="entry", label="Entry", value=formats.price(trade.entry_price), note=f"plan {formats.price(trade.planned_entry)}"),
        Figure(
            key="exit",
            label="Exit",
            value=formats.price(exit_price) if exit_price is not None else NOTHING,
            note=_left_by(trade) or "still open",
        ),
        Figure(
            key="fees",
            label="Fees",
            value=formats.money(trade.fees),
            note=f"entry slipped {formats.basis_points(slip)}" if slip is not None else "nothing filled yet",
            hint="A basis point is a hundredth of a percent; plus is worse than planned.",
        ),
        Figure(
            key="best",
            label="Best seen",
            value=formats.multiple(best).text if best is not None else NOTHING,
            note=f"worst {formats.multiple(worst).text}" if worst is not None else f"{trade.targets_hit} of 3 targets hit",
            hint="How far the price went for and against the trade while it was held, by closed bars, in units of its "
            "first risk.",
        ),
        Figure(key="held", label="Held", value=formats.span(lasted) if lasted is not None else NOTHING, note=f"{trade.bars} bars"),
    ]  # fmt: skip


def _facts(trade: Trade) -> list[Fact]:
    factors = ", ".join(f"{formats.words(name)} {value:g}" for name, value in trade.risk_factors.items())
    targets = [level for number in (1, 2, 3) if (level := trade.rules.get(f"target_{number}")) is not None]
    return [
        Fact(name="Size", meant=formats.quantity(trade.planned_quantity), came=formats.quantity(trade.quantity)),
        Fact(name="Entry", meant=formats.price(trade.planned_entry), came=formats.price(trade.entry_price)),
        Fact(name="Stop", meant=formats.price(trade.first_stop), came=formats.price(trade.stop)),
        *(
            Fact(
                name=f"Target {number}",
                meant=formats.price(level),
                came="✓ hit" if number <= trade.targets_hit else "not hit",
            )
            for number, level in enumerate(targets, 1)
        ),
        Fact(name="Risk", meant=f"{formats.percent(trade.risk_fraction)} of {formats.money(trade.equity_at_entry)}"),
        Fact(name="Risk factors", meant=factors or "none"),
        Fact(name="Parameters", meant=f"revision {trade.revision.number}"),
    ]


def _order(order: Order, trade: Trade) -> OrderSheet:
    fills = list(order.fills.all())
    filled = sum((fill.quantity for fill in fills), start=order.filled * 0)
    mean = sum((fill.quantity * fill.price for fill in fills), start=filled * 0) / filled if filled > 0 else None
    aim = (
        order.level or order.trigger or order.price or (trade.planned_entry if order.role == OrderRole.ENTRY else None)
    )
    worse = (1 if order.side == "buy" else -1) * float(mean / aim - 1) if mean is not None and aim else None
    asked = [
        f"{name} {formats.price(price)}"
        for name, price in (("trigger", order.trigger), ("limit", order.price), ("level", order.level))
        if price is not None
    ]
    return OrderSheet(
        order=order,
        prices=", ".join(asked) or "market",
        quantity=formats.quantity(order.quantity),
        filled=formats.quantity(filled),
        mean=formats.price(mean) if mean is not None else NOTHING,
        slip=formats.basis_points(worse) if worse is not None else NOTHING,
        fees=formats.money(sum((fill.fee for fill in fills), start=filled * 0)) if fills else NOTHING,
    )


def _chart(trade: Trade, orders: Sequence[Order], now: datetime) -> dict[str, Any]:
    begin = trade.opened_at or trade.created_at
    end = trade.closed_at or now
    bars = candles.around(trade.symbol, trade.signal.timeframe, begin=begin, end=end, now=now)
    marks = [
        {
            "time": int(fill.at.timestamp()),
            "price": float(fill.price),
            "text": f"{order.get_role_display()} {formats.quantity(fill.quantity)} at {formats.price(fill.price)}",
            "buys": order.side == "buy",
        }
        for order in orders
        for fill in order.fills.all()
    ]
    return {
        "begin": int(begin.timestamp()),
        "end": int(end.timestamp()),
        "candles": bars,
        "entry": float(trade.entry_price or trade.planned_entry),
        "targets": [level for n in (1, 2, 3) if (level := trade.rules.get(f"target_{n}")) is not None],
        "stops": stops(trade, orders, begin, end),
        "marks": sorted(marks, key=lambda mark: mark["time"]),
        "last": _last(trade, end),
    }


def stops(trade: Trade, orders: Sequence[Order], begin: datetime, end: datetime) -> list[tuple[int, float]]:
    """Return the stop over its life as (seconds, price): as first planned, as each stop order asked, as it is now."""
    moved = [
        (int(order.created_at.timestamp()), float(order.trigger))
        for order in orders
        if order.role == OrderRole.STOP and order.trigger is not None
    ]
    first = (int(begin.timestamp()), trade.first_stop)
    return [first, *sorted(moved), (int(end.timestamp()), trade.stop)]


def _last(trade: Trade, end: datetime) -> list[float]:
    """Return where the position ended or is now, as (seconds, price); empty where no price is known."""
    if trade.status in ACTIVE:
        mark = next((position.mark for position in selectors.open_trades() if position.trade.pk == trade.pk), None)
        return [mark.at.timestamp() // 1, mark.price] if mark else []
    price = listing.exit_price(trade)
    return [end.timestamp() // 1, float(price)] if price is not None else []
