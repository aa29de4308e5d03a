"""The account's panels: key figures, curve, performance and limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from mlops.gemini.prompts import Value, number
from mlops.panels.words import Panel, count, money, multiple, percent, signed, signed_percent, spaced, span
from trading import selectors
from trading.selectors import Group, Limit

NEAR = 0.75
"""A limit that is used up to this part is worth a word."""
FEW = 30
"""Below so many trades, ratios are mostly chance."""
NO_ACCOUNT = "There is no account yet: the first tick makes it."


def figures(now: datetime) -> Panel:
    bot, opening, record = selectors.bot(), selectors.day_opening(), selectors.record()
    title, trades = "Key figures", selectors.open_trades()
    if bot is None:
        return Panel(title=title, says=[NO_ACCOUNT], data={})
    today = bot.equity - opening.equity if opening else Decimal(0)
    day = float(today / opening.equity) if opening and opening.equity > 0 else 0.0
    fall = float(1 - bot.equity / bot.peak_equity) if bot.peak_equity > 0 else 0.0
    made = float(bot.equity / bot.initial_balance - 1) if bot.initial_balance > 0 else 0.0
    unrealised = bot.equity - bot.balance
    says = [
        (
            f"These figures say what the account is worth now: {money(bot.equity)}, of which {signed(unrealised)} is in "
            f"{count(len(trades), 'open trade')} and not yet realised."
        ),
        f"Since midnight UTC it made {signed(today)} ({signed_percent(day)}); since the start {signed_percent(made)}.",
    ]
    if record.closed:
        says.append(
            f"{record.won} of {count(record.closed, 'closed trade')} made money after fees, "
            f"{percent(record.won / record.closed)}; alone that says little, since wins and losses differ in size."
        )
    if fall > 0.05:
        says.append(f"What stands out: equity is {percent(fall)} below its peak, and new trades risk less for it.")
    elif fall < 0.001:
        says.append("What stands out: equity is at its peak.")
    if bot.losses_in_row >= 2:
        says.append(f"The last {bot.losses_in_row} trades lost in a row; the cool-down and smaller risk apply.")
    data: dict[str, Value] = {
        "day_fraction": number(day, 4),
        "since_start_fraction": number(made, 4),
        "drawdown_fraction": number(max(0.0, fall), 4),
        "unrealised_fraction": number(float(unrealised / bot.equity), 4) if bot.equity > 0 else None,
        "open_trades": len(trades),
        "closed_trades": record.closed,
        "won_trades": record.won,
        "losses_in_a_row": bot.losses_in_row,
    }
    return Panel(title=title, says=says, data=data)


def equity(now: datetime) -> Panel:
    points, title = selectors.equity_curve(), "Equity"
    if len(points) < 2:
        says = [
            "The curve shows what the account was worth at each moment; it begins with the second minute of trading."
        ]
        return Panel(title=title, says=says, data={})
    values = [float(point.equity) for point in points]
    peak, deepest, deepest_at, high = values[0], 0.0, points[0].at, values[0]
    for point, value in zip(points, values, strict=True):
        high = max(high, value)
        fall = 1 - value / high if high > 0 else 0.0
        if fall > deepest:
            deepest, deepest_at = fall, point.at
        peak = max(peak, value)
    change = values[-1] / values[0] - 1 if values[0] > 0 else 0.0
    below = 1 - values[-1] / peak if peak > 0 else 0.0
    says = [
        (
            f"The curve shows what the account was worth, open positions included, over {span(points[-1].at - points[0].at)}: "
            f"from {values[0]:,.2f} to {values[-1]:,.2f}, {signed_percent(change)}."
        ),
        f"The deepest fall from a peak was {percent(deepest)}, with its low on {deepest_at:%d %b, %H:%M} UTC.",
        f"Now it stands {percent(below)} below its highest point."
        if below > 0.0005
        else "Now it is at its highest point.",
    ]
    data: dict[str, Value] = {
        "days": number((points[-1].at - points[0].at) / timedelta(days=1), 3),
        "change_fraction": number(change, 4),
        "deepest_fall_fraction": number(deepest, 4),
        "below_peak_fraction": number(below, 4),
    }
    return Panel(title=title, says=says, data=data)


def performance(now: datetime) -> Panel:
    summary, title = selectors.adder().summary(since=None, now=now), "Performance"
    if summary is None:
        return Panel(title=title, says=["No trade has closed yet; what they amount to will stand here."], data={})
    total = summary.total
    factor = total.profit_factor
    says = [
        (
            f"This page adds up {count(total.trades, 'closed trade')}: {signed(total.pnl)} after fees of "
            f"{money(summary.fees)}, {percent(total.won / total.trades)} of them won."
        )
    ]
    if factor is not None:
        verdict = "more was gained than lost" if factor > 1 else "more was lost than gained"
        says.append(f"The profit factor of {factor:.2f} is what was gained over what was lost: {verdict}.")
    if total.mean_r is not None:
        says.append(f"A trade made {multiple(total.mean_r)} on average, counted in units of its first risk.")
    says += _extremes(summary.groups["symbol"])
    if summary.losses_in_row >= 3:
        says.append(f"The longest run of losses was {summary.losses_in_row}; such runs will come again.")
    if total.trades < FEW:
        says.append(f"With fewer than {FEW} trades these ratios are mostly chance.")
    data: dict[str, Value] = {
        "trades": total.trades,
        "won": total.won,
        "profit_factor": number(factor, 4),
        "mean_r": number(total.mean_r, 4),
        "mean_win_r": number(summary.mean_win_r, 4),
        "mean_loss_r": number(summary.mean_loss_r, 4),
        "longest_wins": summary.wins_in_row,
        "longest_losses": summary.losses_in_row,
        "held_minutes": number(summary.held / timedelta(minutes=1), 4),
        "by_symbol": {
            group.name: {"trades": group.trades, "won": group.won, "mean_r": number(group.mean_r, 3)}
            for group in summary.groups["symbol"][:40]
        },
    }
    return Panel(title=title, says=says, data=data)


def risk(now: datetime) -> Panel:
    bot, title = selectors.bot(), "Limits"
    if bot is None:
        return Panel(title=title, says=[NO_ACCOUNT], data={})
    limits = selectors.limits(bot=bot, params=selectors.params(), trades=selectors.open_trades(), now=now)
    reached = [limit for limit in limits if limit.is_reached]
    near = [limit for limit in limits if not limit.is_reached and _used(limit) >= NEAR]
    says = [
        f"Each bar is one of {len(limits)} limits that are checked before every entry; exits and stops are never held back."
    ]
    says += [f"Reached: {spaced(limit.name)}, so {limit.effect}." for limit in reached]
    says += [
        f"Close: {spaced(limit.name)} is used to {percent(_used(limit))}; at the limit {limit.effect}."
        for limit in near
    ]
    if not reached and not near:
        most = max(limits, key=_used)
        says.append(
            f"Nothing is close: the most used one is {spaced(most.name)}, at {percent(_used(most))} of its limit."
        )
    data: dict[str, Value] = {
        limit.name: {"used": number(_used(limit), 3), "is_reached": limit.is_reached} for limit in limits
    }
    return Panel(title=title, says=says, data=data)


def _used(limit: Limit) -> float:
    return min(1.0, max(0.0, limit.value / limit.limit)) if limit.limit > 0 else float(limit.is_reached)


def _extremes(groups: list[Group]) -> list[str]:
    """Return what the best and the worst pair made, where there are several."""
    if len(groups) < 2:
        return []
    best, worst = max(groups, key=lambda group: group.pnl), min(groups, key=lambda group: group.pnl)
    return [f"Best was {best.name} with {signed(best.pnl)}, worst {worst.name} with {signed(worst.pnl)}."]
