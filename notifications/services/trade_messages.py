"""What is said of a trade: opened with its plan and reasons, target hit, stop moved, closed with what it made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from notifications import formats
from notifications.models import Severity, ToldStop
from notifications.rendering import text
from notifications.services import push
from trading.models import Event, Signal, SignalStatus, Trade, TradeStatus

STOP_KINDS = {0: "stop", 1: "break-even stop", 2: "trailing stop"}
"""core.position.ExitReason by number; importing it here would bring numba into this process."""
STEP_R = Decimal("0.25")
"""A trailing stop moves every bar; it is told when it has moved so much of the first risk."""


def tell(event: Event, *, now: datetime) -> None:
    """Say what an event of the journal means to people; what is of no interest is passed over."""
    if event.kind == "signal":
        _refused(event, now)
    elif event.kind == "entry_canceled":
        _push("entry_canceled", f"event:{event.pk}", f"{event.symbol} was not entered", [event.text], now)
    else:
        trade = Trade.objects.select_related("signal").filter(pk=event.payload.get("trade")).first()
        if trade is not None:
            _of_trade(event, trade, now)


def tell_moved_stops(*, now: datetime) -> None:
    """Tell of the stops of open trades that have moved since they were last told of."""
    told = {row.trade_id: row for row in ToldStop.objects.all()}
    for trade in Trade.objects.filter(status=TradeStatus.OPEN):
        known = told.pop(trade.pk, None)
        if known is None:
            ToldStop.objects.get_or_create(trade=trade, defaults={"stop": trade.first_stop, "reason": 0})
            known = ToldStop.objects.get(trade=trade)
        if _is_worth_telling(trade, known):
            _stop_moved(trade, known, now)
    ToldStop.objects.filter(pk__in=[row.pk for row in told.values()]).delete()


def r_of(trade: Trade) -> float | None:
    """Return what a trade made in units of its first risk; None where it risked nothing."""
    risk = abs(trade.entry_price - Decimal(str(trade.first_stop))) * trade.quantity
    return float(trade.pnl / risk) if risk > 0 else None


def _of_trade(event: Event, trade: Trade, now: datetime) -> None:
    if event.kind == "entry":
        _opened(trade, now)
    elif event.kind == "trade_closed":
        _closed(trade, now)
    elif event.kind == "exit" and str(event.payload.get("reason", "")).startswith("target_"):
        _target_hit(event, trade, now)


def _target_hit(event: Event, trade: Trade, now: datetime) -> None:
    reason, price = str(event.payload["reason"]), Decimal(event.payload["price"])
    done = "sold" if trade.sign > 0 else "bought back"
    lines = [
        f"{formats.quantity(Decimal(event.payload['quantity']))} were {done} at {formats.price(price)}.",
        f"{formats.quantity(trade.remaining)} are left, the stop is at {formats.price(trade.stop)}.",
    ]
    _push("target", f"target:{trade.pk}:{reason}", f"{trade.symbol}: {formats.words(reason)} hit", lines, now)


def _opened(trade: Trade, now: datetime) -> None:
    signal, rules = trade.signal, trade.rules
    targets = [rules.get(f"target_{number}") for number in (1, 2, 3)]
    passed = signal.verdicts.filter(passed=True).order_by("position").values_list("reason", flat=True)
    score = "-" if signal.score is None else f"{signal.score:.0f}"
    size = f"{formats.quantity(trade.planned_quantity)} planned"
    worth = formats.money(trade.planned_quantity * trade.planned_entry)
    lines = [
        f"Entry {formats.price(trade.entry_price or trade.planned_entry)}, {size}, {worth} in all",
        f"Stop {formats.price(trade.first_stop)}, {formats.percent(trade.risk_fraction)} of equity at risk",
        f"Targets {', '.join(formats.price(level) for level in targets if level is not None)}",
        f"Because of {formats.words(signal.strategy)}, score {score}, regime {formats.words(signal.regime)}:",
        *(f"· {reason}" for reason in passed),
    ]
    _push("opened", f"opened:{trade.pk}", f"Opened {trade.side} {trade.symbol}", lines, now)


def _closed(trade: Trade, now: datetime) -> None:
    lasted = trade.closed_at - trade.opened_at if trade.closed_at and trade.opened_at else None
    lines = [
        f"PnL {formats.signed(trade.pnl)} after fees, {formats.multiple(r_of(trade))}",
        f"Fees {formats.money(trade.fees)}, lasted {formats.span(lasted) if lasted is not None else formats.NOTHING}",
        f"Left by {formats.words(trade.exit_reason)}, entered at {formats.price(trade.entry_price)}",
    ]
    _push("closed", f"closed:{trade.pk}", f"Closed {trade.side} {trade.symbol}", lines, now)


def _refused(event: Event, now: datetime) -> None:
    signal = Signal.objects.filter(pk=event.payload.get("signal"), status=SignalStatus.REFUSED).first()
    if signal is not None:
        title = f"{signal.symbol} {signal.side} was refused"
        _push("refused", f"event:{event.pk}", title, [f"{formats.words(signal.refused_by)}: {signal.reason}"], now)


def _is_worth_telling(trade: Trade, known: ToldStop) -> bool:
    risk = abs(float(trade.planned_entry) - trade.first_stop)
    moved = abs(trade.stop - known.stop)
    return trade.stop_reason != known.reason or (risk > 0 and moved >= float(STEP_R) * risk)


def _stop_moved(trade: Trade, known: ToldStop, now: datetime) -> None:
    name = STOP_KINDS.get(trade.stop_reason, "stop")
    words = [f"From {formats.price(known.stop)} to {formats.price(trade.stop)}: {name}."]
    with transaction.atomic():
        same = ToldStop.objects.filter(pk=known.pk, stop=known.stop)
        if same.update(stop=trade.stop, reason=trade.stop_reason):
            _push("stop", f"stop:{trade.pk}:{trade.stop!r}", f"{trade.symbol}: stop moved", words, now)


def _push(kind: str, key: str, title: str, lines: list[str], now: datetime) -> None:
    push.everywhere(kind, key=key, title=title, lines=text(*lines), now=now, severity=Severity.INFO)
