"""What rows say on the overview: words, formatted numbers, and places on a track."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard import formats
from dashboard.formats import NOTHING, Signed
from trading.models import Bot, Mode, Signal, SignalStatus, SignalVerdict, Trade, TradeStatus, TradingState
from trading.selectors import OpenTrade, Refusals

# core.position.ExitReason by number; importing it here would bring numba into the web process.
STOP_KINDS = {1: "break-even", 2: "trailing"}
EXIT_WORDS = {"break_even": "break-even", "time": "time stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Mode and state, the loudest words of the screen."""

    mode: str
    state: str
    tone: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    name: str
    price: str
    is_hit: bool
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Where stop, entry, mark and targets lie, 0 to 100 from the worst to the best price for the side."""

    stop: float
    entry: float
    mark: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRow:
    trade: Trade
    quantity: str
    notional: str
    entry: str
    mark: str
    mark_at: datetime | None
    pnl: Signed | None
    r: Signed | None
    stop: str
    stop_kind: str
    targets: Sequence[Target]
    track: Track
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRow:
    trade: Trade
    entry: str
    exit: str
    reason: str
    pnl: Signed
    r: Signed | None
    held: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One verdict, told apart by shape as well as by colour."""

    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    signal: Signal
    strategy: str
    regime: str
    score: str
    outcome: str
    tone: str
    chips: Sequence[Chip]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    name: str
    count: int
    share: int


def mode_of(broker: str) -> Mode:
    """Return the mode of a broker's dotted path; what is not known to be paper is shown as live."""
    return Mode.PAPER if broker.endswith(".PaperBroker") else Mode.LIVE


def banner(bot: Bot | None, mode: Mode) -> Banner:
    name = mode.value.upper()
    if bot is None:
        return Banner(mode=name, state="STARTING", tone="waiting")
    if bot.is_replaying:
        return Banner(mode=name, state="REPLAYING THE PAST", tone="waiting")
    if bot.trading_state == TradingState.CLOSE_ONLY:
        return Banner(mode=name, state="EXITS ONLY", tone="paused", note=bot.state_reason)
    if bot.trading_state == TradingState.HALTED:
        return Banner(mode=name, state="HALTED", tone="paused", note=bot.state_reason)
    return Banner(mode=name, state="RUNNING", tone=mode.value, note=bot.state_reason)


def open_row(position: OpenTrade) -> OpenRow:
    trade, mark = position.trade, position.mark
    is_open = trade.status == TradeStatus.OPEN
    entry = trade.entry_price if is_open else trade.planned_entry
    amount = trade.remaining if is_open else trade.planned_quantity
    risk, price = abs(float(entry) - trade.first_stop), mark.price if mark else None
    moved = trade.sign * (price - float(entry)) if price is not None and is_open else None
    targets, track = _ladder(trade, float(entry), price)
    return OpenRow(
        trade=trade,
        quantity=formats.quantity(amount),
        notional=formats.money(amount * entry),
        entry=formats.price(entry),
        mark=formats.price(price) if price is not None else NOTHING,
        mark_at=mark.at if mark else None,
        pnl=formats.signed_money(position.unrealised) if position.unrealised is not None and is_open else None,
        r=formats.multiple(moved / risk) if moved is not None and risk > 0 else None,
        stop=formats.price(trade.stop),
        stop_kind=STOP_KINDS.get(trade.stop_reason, "stop"),
        targets=targets,
        track=track,
        since=trade.opened_at or trade.created_at,
    )


def closed_row(trade: Trade) -> ClosedRow:
    risk = abs(trade.entry_price - Decimal(str(trade.first_stop))) * trade.quantity
    exit_price = trade.entry_price + trade.sign * trade.gross_pnl / trade.quantity if trade.quantity else Decimal(0)
    lasted = trade.closed_at - trade.opened_at if trade.closed_at and trade.opened_at else None
    return ClosedRow(
        trade=trade,
        entry=formats.price(trade.entry_price),
        exit=formats.price(exit_price),
        reason=EXIT_WORDS.get(trade.exit_reason, formats.words(trade.exit_reason)),
        pnl=formats.signed_money(trade.pnl),
        r=formats.multiple(float(trade.pnl / risk)) if risk > 0 else None,
        held=formats.span(lasted) if lasted is not None else NOTHING,
    )


def decision_row(signal: Signal, verdicts: Iterable[SignalVerdict]) -> DecisionRow:
    """Return a decision; its chips begin with what refused."""
    chips = [_chip(verdict) for verdict in verdicts]
    outcome, tone = {
        SignalStatus.TAKEN: ("Taken", "taken"),
        SignalStatus.REFUSED: (f"Refused: {signal.reason}", "refused"),
        SignalStatus.EXPIRED: (f"Expired: {signal.reason}" if signal.reason else "Expired", "expired"),
        SignalStatus.AWAITING: ("Waits for advice", "expired"),
    }[SignalStatus(signal.status)]
    return DecisionRow(
        signal=signal,
        strategy=formats.words(signal.strategy),
        regime=formats.words(signal.regime),
        score=f"{signal.score:.0f}",
        outcome=outcome,
        tone=tone,
        chips=sorted(chips, key=lambda chip: chip.passed),
    )


def refusal_rows(refusals: Sequence[Refusals]) -> list[RefusalRow]:
    """Return the refusals with bars that are relative to the most frequent one."""
    most = max((row.count for row in refusals), default=1)
    return [
        RefusalRow(name=formats.words(row.name), count=row.count, share=round(100 * row.count / most))
        for row in refusals
    ]


def _ladder(trade: Trade, entry: float, mark: float | None) -> tuple[list[Target], Track]:
    rules: Mapping[str, float | None] = trade.rules
    levels = [level for number in (1, 2, 3) if (level := rules.get(f"target_{number}")) is not None]
    seen = [entry, trade.stop, trade.first_stop, *levels, *([mark] if mark is not None else [])]
    low, high = min(seen), max(seen)

    def x(value: float) -> float:
        """Return the place of a price; a short's track is mirrored, so that right is always better."""
        share = (value - low) / (high - low) if high > low else 0.5
        return round(100 * (share if trade.sign > 0 else 1 - share), 1)

    targets = [
        Target(name=f"T{number}", price=formats.price(level), is_hit=number <= trade.targets_hit, x=x(level))
        for number, level in enumerate(levels, 1)
    ]
    return targets, Track(stop=x(trade.stop), entry=x(entry), mark=x(mark) if mark is not None else None)


def _chip(verdict: SignalVerdict) -> Chip:
    name = formats.words(verdict.name)
    is_named = name in verdict.reason.replace("-", " ").lower()
    return Chip(passed=verdict.passed, text=verdict.reason if is_named else f"{name}: {verdict.reason}")
