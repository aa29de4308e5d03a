"""What the rows of the database say on the overview: words, formatted numbers, and places on a track."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard import formats
from dashboard.formats import NOTHING, TIMES, Signed
from trading.core.params import Params
from trading.models import Bot, DayOpening, Mode, Signal, SignalStatus, SignalVerdict, Trade, TradeStatus, TradingState
from trading.selectors import OpenTrade, Record, Refusals

# core.position.ExitReason by number; importing it here would bring numba into the web process.
STOP_KINDS = ("stop", "break-even", "trailing")
EXIT_WORDS = {"break_even": "break-even", "time": "time stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Mode and state, the loudest words of the screen."""

    mode: str
    state: str
    tone: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key figure; `used` is the part of a limit that is used up, in percent, where there is a limit."""

    key: str
    label: str
    value: str
    tone: str = ""
    delta: Signed | None = None
    note: str = ""
    hint: str = ""
    used: int | None = None


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

    name: str
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
    if bot.trading_state == TradingState.PAUSED:
        return Banner(mode=name, state="PAUSED", tone="paused", note=bot.state_reason)
    return Banner(mode=name, state="RUNNING", tone=mode.value, note=bot.state_reason)


def today(bot: Bot, opening: DayOpening | None) -> tuple[Signed, float] | None:
    """Return what the day has made in quote and as a fraction of its opening equity."""
    if opening is None or opening.equity <= 0:
        return None
    made = bot.equity - opening.equity
    return formats.signed_money(made), float(made / opening.equity)


def figures(
    bot: Bot, opening: DayOpening | None, params: Params, record: Record, trades: Sequence[OpenTrade]
) -> list[Figure]:
    """Return the key figures of an account, in the order of the screen."""
    return [
        _equity(bot, quote_of(params)),
        _today(bot, opening, params),
        _open_risk(bot, params, trades),
        _drawdown(bot, params),
        _win_rate(record),
        _open_trades(params, trades),
    ]


def quote_of(params: Params) -> str:
    """Return the currency of the account: what the watched pairs are quoted in."""
    return params.pairs[0].partition("/")[2]


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
        stop_kind=STOP_KINDS[trade.stop_reason] if trade.stop_reason < len(STOP_KINDS) else STOP_KINDS[0],
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


def _equity(bot: Bot, quote: str) -> Figure:
    since = float(bot.equity / bot.initial_balance - 1) if bot.initial_balance > 0 else 0.0
    return Figure(
        key="equity",
        label=f"Equity, {quote}",
        value=formats.money(bot.equity),
        delta=formats.signed_percent(since),
        note="since the start",
    )


def _today(bot: Bot, opening: DayOpening | None, params: Params) -> Figure:
    made = today(bot, opening)
    limit = f"limit {formats.percent(-params.daily_loss)}"
    hint = "Beyond the limit nothing is entered until 00:00 UTC."
    if made is None:
        return Figure(key="today", label="Today's PnL", value=NOTHING, note=limit, hint=hint)
    value, fraction = made
    return Figure(
        key="today",
        label="Today's PnL",
        value=value.text,
        tone=value.tone,
        delta=formats.signed_percent(fraction),
        note=limit,
        hint=hint,
        used=_used(-fraction, params.daily_loss),
    )


def _open_risk(bot: Bot, params: Params, trades: Sequence[OpenTrade]) -> Figure:
    at_risk = sum((position.loss_at_stop for position in trades), Decimal(0))
    fraction = float(at_risk / bot.equity) if bot.equity > 0 else 0.0
    return Figure(
        key="risk",
        label="Open risk",
        value=formats.percent(fraction),
        note=f"limit {formats.percent(params.max_open_risk)} of equity",
        hint="What is lost if every position leaves at its stop; beyond the limit nothing is entered.",
        used=_used(fraction, params.max_open_risk),
    )


def _drawdown(bot: Bot, params: Params) -> Figure:
    fall = max(0.0, float(1 - bot.equity / bot.peak_equity)) if bot.peak_equity > 0 else 0.0
    steps = (
        (params.drawdown_reduced, params.drawdown_reduced_factor),
        (params.drawdown_cautious, params.drawdown_cautious_factor),
        (params.drawdown_emergency, params.drawdown_emergency_factor),
    )
    limit, factor = next((step for step in steps if fall < step[0]), steps[-1])
    when = f"from {formats.percent(limit)}" if fall < limit else "now"
    return Figure(
        key="drawdown",
        label="Drawdown from peak",
        value=formats.percent(fall),
        note=f"risk {TIMES} {factor:g} {when}",
        used=_used(fall, limit),
    )


def _win_rate(record: Record) -> Figure:
    if not record.closed:
        return Figure(key="wins", label="Win rate", value=NOTHING, note="no closed trade yet")
    return Figure(
        key="wins",
        label="Win rate",
        value=f"{record.won / record.closed:.1%}",
        note=f"{record.won} of {record.closed} closed trades",
    )


def _open_trades(params: Params, trades: Sequence[OpenTrade]) -> Figure:
    known = [position.unrealised for position in trades if position.unrealised is not None]
    return Figure(
        key="open",
        label="Open trades",
        value=f"{len(trades)} of {params.max_open_trades}",
        delta=formats.signed_money(sum(known, Decimal(0))) if known else None,
        note="unrealised" if known else "no price yet" if trades else "none now",
    )


def _used(part: float, limit: float) -> int:
    return round(100 * min(max(part / limit, 0.0), 1.0)) if limit > 0 else 100


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
    return Chip(name=name, passed=verdict.passed, text=verdict.reason if is_named else f"{name}: {verdict.reason}")
