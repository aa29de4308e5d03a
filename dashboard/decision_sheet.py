"""One decision as a line of steps, from the candle to the fills, and the funnel of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import mlops.selectors
from dashboard import advice_sheet, formats
from dashboard.advice_sheet import AdviceRow
from dashboard.formats import NOTHING
from dashboard.presenters import decision_row
from mlops.models import ShadowOutcome
from mlops.selectors import Became
from trading import selectors
from trading.core import timeframes
from trading.models import Order, OrderStatus, Signal, SignalVerdict, Trade
from trading.selectors import Funnel


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """One answer with value against limit; `spare` is how far it was from turning, a fraction of the limit."""

    name: str
    passed: bool
    value: str
    limit: str
    spare: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One step of an order or a fill; `waited` is the time since the step before."""

    at: datetime
    text: str
    waited: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    signal: Signal
    strategy: str
    regime: str
    outcome: str
    tone: str
    closed_at: datetime
    price: str
    atr: str
    atr_share: str
    indicators: Sequence[tuple[str, str]]
    verdicts: Sequence[VerdictRow]
    refusing: int
    trade: Trade | None
    plan: Sequence[tuple[str, str]]
    moments: Sequence[Moment]
    shadow: ShadowOutcome | None
    shadow_facts: Sequence[tuple[str, str]]
    became: Became | None
    """What became of it, traded or followed."""
    advices: Sequence[AdviceRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRow:
    """One step of the funnel; `share` is what was left of all setups, in percent."""

    name: str
    key: str
    stopped: int
    left: int
    share: int


def sheet(signal: Signal) -> Sheet:
    shown = decision_row(signal, [])
    verdicts = [_verdict(verdict) for verdict in signal.verdicts.all()]
    trade: Trade | None = getattr(signal, "trade", None)
    shadow: ShadowOutcome | None = getattr(signal, "shadow", None)
    orders = list(selectors.orders().filter(trade=trade).order_by("number")) if trade else []
    return Sheet(
        signal=signal,
        strategy=shown.strategy,
        regime=shown.regime,
        outcome=shown.outcome,
        tone=shown.tone,
        closed_at=_closed_at(signal),
        price=formats.price(signal.price),
        atr=formats.price(signal.atr),
        atr_share=formats.percent(signal.atr / signal.price) if signal.price > 0 else NOTHING,
        indicators=[(formats.words(name), number(value)) for name, value in sorted(signal.indicators.items())],
        verdicts=verdicts,
        refusing=sum(not verdict.passed for verdict in verdicts),
        trade=trade,
        plan=_plan(trade) if trade else [],
        moments=_moments(orders),
        shadow=shadow,
        shadow_facts=_shadow_facts(shadow) if shadow else [],
        became=mlops.selectors.became(signal),
        advices=advice_sheet.rows(signal),
    )


def funnel_rows(funnel: Funnel) -> list[FunnelRow]:
    """Return the steps that stopped something, and what each left."""
    whole = max(1, funnel.setups)
    return [
        FunnelRow(
            name=formats.words(step.name) or "unnamed",
            key=step.name,
            stopped=step.stopped,
            left=step.left,
            share=round(100 * step.left / whole),
        )
        for step in funnel.steps
        if step.stopped
    ]


def number(value: object) -> str:
    """Return a measured value with what digits say something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING if value is None else str(value)
    text = f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"
    return text.replace("-", formats.MINUS)


def _closed_at(signal: Signal) -> datetime:
    try:
        return signal.bar_at + timeframes.length(signal.timeframe)
    except timeframes.UnknownTimeframe:
        return signal.bar_at


def _verdict(verdict: SignalVerdict) -> VerdictRow:
    value, limit = verdict.value, verdict.limit
    spare = NOTHING
    if value is not None and limit:
        distance = abs(value - limit) / abs(limit)
        spare = f"{distance:.0%} {'to spare' if verdict.passed else 'short'}"
    return VerdictRow(
        name=formats.words(verdict.name),
        passed=verdict.passed,
        value=number(value),
        limit=number(limit),
        spare=spare,
        reason=verdict.reason,
    )


def _plan(trade: Trade) -> list[tuple[str, str]]:
    targets = [level for n in (1, 2, 3) if (level := trade.rules.get(f"target_{n}")) is not None]
    factors = ", ".join(
        f"{formats.words(name)} {formats.TIMES} {value:g}" for name, value in trade.risk_factors.items()
    )
    return [
        ("Size", formats.quantity(trade.planned_quantity)),
        ("Entry", formats.price(trade.planned_entry)),
        ("Stop", formats.price(trade.first_stop)),
        ("Targets", ", ".join(formats.price(level) for level in targets) or NOTHING),
        ("Risk", f"{formats.percent(trade.risk_fraction)} of {formats.money(trade.equity_at_entry)}"),
        ("Factors", factors or "none"),
    ]


def _shadow_facts(shadow: ShadowOutcome) -> list[tuple[str, str]]:
    """Return the trade that a refused setup would have been; empty before its first bar has closed."""
    if shadow.entry is None:
        return []
    facts = [
        ("Size", formats.quantity(Decimal(shadow.plan["quantity"]))),
        ("Entry", formats.price(shadow.entry)),
        ("Stop", formats.price(shadow.plan["stop"])),
    ]
    if shadow.exit is not None and shadow.pnl is not None:
        facts += [
            ("Exit", f"{formats.price(shadow.exit)}, {formats.words(shadow.end_reason)}"),
            ("PnL after costs", formats.signed_money(shadow.pnl).text),
            ("Held", f"{shadow.bars} bars"),
        ]
    return facts


def _moments(orders: Sequence[Order]) -> list[Moment]:
    """Return every permit, step and fill of the orders in the order of time, with the pauses between them."""
    found: list[tuple[datetime, str, str]] = []
    for order in orders:
        who = f"{order.get_role_display()} {order.number}"
        for step in order.events.all():
            found.append((step.at, f"{who}: {_status(step.to_status)}", step.note))
        for fill in order.fills.all():
            text = f"{who}: {formats.quantity(fill.quantity)} at {formats.price(fill.price)}"
            found.append((fill.at, text, f"fee {formats.money(fill.fee)}"))
    found.sort(key=lambda each: each[0])
    moments: list[Moment] = []
    before: datetime | None = None
    for at, text, note in found:
        waited = _waited(at - before) if before is not None else ""
        moments.append(Moment(at=at, text=text, waited=waited, note=note))
        before = at
    return moments


def _waited(pause: timedelta) -> str:
    seconds = pause.total_seconds()
    return f"+{seconds:.1f} s" if seconds < 60 else f"+{formats.span(pause)}"


def _status(name: str) -> str:
    return OrderStatus(name).label if name in OrderStatus.values else formats.words(name)
