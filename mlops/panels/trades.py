"""The panels of trades: what is open, and what closed last."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mlops.gemini.prompts import Value, number, word
from mlops.panels.words import Panel, count, listed, money, multiple, percent, signed, spaced, span
from trading import selectors
from trading.models import Trade, TradeStatus
from trading.selectors import OpenTrade

CLOSED = 10


def positions(now: datetime) -> Panel:
    trades, bot, title = selectors.open_trades(), selectors.bot(), "Open trades"
    if not trades:
        says = [
            "Each trade that holds a position stands here with its stop and targets. Nothing is open, so nothing is at risk."
        ]
        return Panel(title=title, says=says, data={"open_trades": 0})
    at_risk = sum((trade.loss_at_stop for trade in trades), Decimal(0))
    share = float(at_risk / bot.equity) if bot and bot.equity > 0 else 0.0
    says = [
        f"{count(len(trades), 'position')} open. If every stop were hit now, {money(at_risk)} would be lost, {percent(share)} of equity."
    ]
    says += [_described(trade, now) for trade in trades[:5]]
    loose = [trade.trade.symbol for trade in trades if trade.trade.unprotected_at is not None]
    if loose:
        says.append(f"Look at this first: {listed(loose)} has no sure stop at the venue.")
    sides = {trade.trade.side for trade in trades}
    if len(trades) > 1 and len(sides) == 1:
        says.append(f"All of them are {next(iter(sides))}: they tend to win and lose together.")
    data: dict[str, Value] = {
        "open_trades": len(trades),
        "at_risk_fraction": number(share, 4),
        "positions": {
            trade.trade.symbol: {
                "side": word(trade.trade.side),
                "result_r": number(_r(trade), 3),
                "targets_hit": trade.trade.targets_hit,
                "has_sure_stop": trade.trade.unprotected_at is None,
                "minutes_open": int((now - (trade.trade.opened_at or trade.trade.created_at)).total_seconds() // 60),
            }
            for trade in trades
        },
    }
    return Panel(title=title, says=says, data=data)


def closed(now: datetime) -> Panel:
    trades, title = selectors.closed_trades(limit=CLOSED), "Closed trades"
    if not trades:
        return Panel(title=title, says=["The trades that closed last stand here; none has closed yet."], data={})
    made = [trade.pnl for trade in trades]
    won = sum(pnl > 0 for pnl in made)
    best, worst = max(trades, key=lambda trade: trade.pnl), min(trades, key=lambda trade: trade.pnl)
    ways: dict[str, int] = {}
    for trade in trades:
        ways[trade.exit_reason] = ways.get(trade.exit_reason, 0) + 1
    most = max(ways, key=lambda name: ways[name])
    says = [
        f"The last {count(len(trades), 'closed trade')} made {signed(sum(made, Decimal(0)))} after fees; {won} of them won.",
        f"Best was {best.symbol} with {signed(best.pnl)}, worst {worst.symbol} with {signed(worst.pnl)}.",
        f"Most left by {spaced(most) or 'an unknown way'}: {ways[most]} of {len(trades)}.",
    ]
    streak = next((n for n, pnl in enumerate(made) if pnl > 0), len(made))
    if streak >= 2:
        says.append(f"What stands out: the newest {streak} all lost.")
    data: dict[str, Value] = {
        "trades": len(trades),
        "won": won,
        "newest_losses": streak,
        "results_r": [number(_closed_r(trade), 3) for trade in trades],
    }
    return Panel(title=title, says=says, data=data)


def _described(position: OpenTrade, now: datetime) -> str:
    trade, r = position.trade, _r(position)
    state = (
        "waits for its entry"
        if trade.status == TradeStatus.OPENING
        else "has no price yet"
        if r is None
        else f"stands at {multiple(r)}"
    )
    hit = f", {count(trade.targets_hit, 'target')} hit" if trade.targets_hit else ""
    age = span(now - (trade.opened_at or trade.created_at))
    return f"{trade.symbol} {trade.side} {state}{hit}, for {age}."


def _r(position: OpenTrade) -> float | None:
    """Return how far the price has moved from the entry, in units of the first risk."""
    trade, mark = position.trade, position.mark
    risk = abs(float(trade.entry_price) - trade.first_stop)
    if mark is None or risk <= 0 or trade.status != TradeStatus.OPEN:
        return None
    return float(trade.sign) * (mark.price - float(trade.entry_price)) / risk


def _closed_r(trade: Trade) -> float | None:
    risk = abs(float(trade.entry_price) - trade.first_stop) * float(trade.quantity)
    return float(trade.pnl) / risk if risk > 0 else None
