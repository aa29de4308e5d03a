"""The key figures of the account: what it is worth, what it risks, and how much of each limit is used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard import formats
from dashboard.formats import NOTHING, TIMES, Signed
from trading.core.params import Params
from trading.models import Bot, DayOpening
from trading.selectors import OpenTrade, Record


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
    label, limit = "Today's PnL", f"limit {formats.percent(-params.daily_loss)}"
    hint = "Beyond the limit nothing is entered until 00:00 UTC."
    if opening is None or opening.equity <= 0:
        return Figure(key="today", label=label, value=NOTHING, note=limit, hint=hint)
    made = bot.equity - opening.equity
    value, fraction = formats.signed_money(made), float(made / opening.equity)
    return Figure(
        key="today",
        label=label,
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
