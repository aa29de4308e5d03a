"""The account: what it is worth, what it made, and how much of each limit is used up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from notifications import formats
from notifications.rendering import Line, table, text
from notifications.services import summaries
from notifications.services.registry import BadRequest, Reply, Request, command, whole
from trading import selectors
from trading.models import Bot, DayOpening
from trading.selectors import Group, Limit

GROUP = "Account"
_NONE_YET = "No trade has closed yet."


def account() -> Bot:
    """Return the account, or say that there is none."""
    bot = selectors.bot()
    if bot is None:
        raise BadRequest("there is no account yet: it begins with the first tick")
    return bot


@command("balance", group=GROUP, help="Balance, equity, peak")
def balance(request: Request) -> Reply:
    bot = account()
    since = float(bot.equity / bot.initial_balance - 1) if bot.initial_balance > 0 else 0.0
    rows = [
        ("Equity", formats.money(bot.equity)),
        ("Balance", formats.money(bot.balance)),
        ("Unrealised", formats.signed(bot.equity - bot.balance)),
        ("Peak", formats.money(bot.peak_equity)),
        ("Began with", formats.money(bot.initial_balance)),
        ("Since then", formats.signed_percent(since)),
    ]
    return Reply(
        title=f"Balance, {selectors.params().pairs[0].partition('/')[2]}", lines=table(rows), is_refreshed=True
    )


@command("pnl", group=GROUP, help="What was made today, this week and in all")
def pnl(request: Request) -> Reply:
    bot, today = account(), request.now.date()
    monday = today - timedelta(days=today.weekday())
    rows = [
        ("Today", *_since(bot, today)),
        ("This week", *_since(bot, monday)),
        ("In all", formats.signed(bot.equity - bot.initial_balance), _change(bot.equity, bot.initial_balance)),
        ("Unrealised", formats.signed(bot.equity - bot.balance), ""),
    ]
    return Reply(title="PnL", lines=table(rows), is_refreshed=True)


@command("profit", group=GROUP, usage="[days]", help="What closed trades made, in all or lately")
def profit(request: Request) -> Reply:
    days = whole(request.args, default=0, most=3650)
    since = request.now - timedelta(days=days) if days else None
    made = selectors.adder().summary(since=since, now=request.now)
    title = f"Profit of {days} days" if days else "Profit"
    if made is None:
        return Reply(title=title, lines=text("No trade closed in that time." if days else _NONE_YET))
    rows = [
        ("PnL", formats.signed(made.total.pnl)),
        ("Fees", formats.money(made.fees)),
        ("Trades", f"{made.total.trades}"),
        ("Won", _won(made.total)),
        ("Best", formats.signed(made.best.pnl)),
        ("Worst", formats.signed(made.worst.pnl)),
    ]
    return Reply(title=title, lines=table(rows), is_refreshed=True)


@command("daily", group=GROUP, usage="[n]", help="PnL of the last days")
def daily(request: Request) -> Reply:
    return _periods(request, "Day by day", lambda day: day, timedelta(days=1), default=7)


@command("weekly", group=GROUP, usage="[n]", help="PnL of the last weeks")
def weekly(request: Request) -> Reply:
    return _periods(
        request, "Week by week", lambda day: day - timedelta(days=day.weekday()), timedelta(days=7), default=8
    )


@command("monthly", group=GROUP, usage="[n]", help="PnL of the last months")
def monthly(request: Request) -> Reply:
    return _periods(request, "Month by month", lambda day: day.replace(day=1), timedelta(days=31), default=6)


@command("stats", group=GROUP, help="Win rate, profit factor, mean R, durations, exits")
def stats(request: Request) -> Reply:
    made = selectors.adder().summary(since=None, now=request.now)
    if made is None:
        return Reply(title="Statistics", lines=text(_NONE_YET))
    factor = made.total.profit_factor
    rows = [
        ("Trades", f"{made.total.trades}"),
        ("Won", _won(made.total)),
        ("Profit factor", "no loss yet" if factor is None else f"{factor:.2f}"),
        ("Mean", formats.multiple(made.total.mean_r)),
        ("Mean win", formats.multiple(made.mean_win_r)),
        ("Mean loss", formats.multiple(made.mean_loss_r)),
        ("PnL a trade", formats.signed(made.expectancy)),
        ("Lasted, mean", formats.span(made.held)),
        ("In a row", f"{made.wins_in_row} won, {made.losses_in_row} lost at most"),
    ]
    return Reply(title="Statistics", lines=[*table(rows), *text("", "By exit:"), *_groups(made.groups["exit"])])


@command("performance", group=GROUP, help="What each symbol made")
def performance(request: Request) -> Reply:
    made = selectors.adder().summary(since=None, now=request.now)
    if made is None:
        return Reply(title="Performance", lines=text(_NONE_YET))
    ordered = sorted(made.groups["symbol"], key=lambda group: group.pnl, reverse=True)
    return Reply(title="Performance", lines=_groups(ordered))


@command("risk", group=GROUP, help="How much of each limit is left")
def risk(request: Request) -> Reply:
    bot, params, trades = account(), selectors.params(), selectors.open_trades()
    limits = selectors.limits(bot=bot, params=params, trades=trades, now=request.now)
    rows = [
        (formats.words(limit.name), _measure(limit.value, limit), _measure(limit.limit, limit), _left(limit))
        for limit in limits
    ]
    reached = [f"{formats.words(limit.name)}: {limit.effect}." for limit in limits if limit.is_reached]
    lines = [*table(rows, head=("", "now", "limit", "left")), *text(*(reached or ["No limit is reached."]))]
    return Reply(title="Risk", lines=lines, is_refreshed=True)


@command("summary", group=GROUP, usage="[days]", help="The summary of today, or of the last days")
def summary(request: Request) -> Reply:
    days, today = whole(request.args, default=1, most=366), request.now.date()
    title = "Summary of today" if days == 1 else f"Summary of {days} days"
    lines = summaries.lines(today - timedelta(days=days - 1), today + timedelta(days=1))
    return Reply(title=title, lines=lines, is_refreshed=True)


def _periods(request: Request, title: str, begin: Callable[[date], date], span: timedelta, *, default: int) -> Reply:
    count = whole(request.args, default=default, most=366)
    made = selectors.adder().periods(begin, since=request.now - span * (count + 1), now=request.now)
    rows = [
        (f"{first}", formats.signed(of.total.pnl), f"{of.total.trades}", _won(of.total))
        for first, of in reversed(made[-count:])
    ]
    lines = table(rows, head=("from", "PnL", "trades", "won")) if rows else text("No trade closed in that time.")
    return Reply(title=title, lines=lines, is_refreshed=True)


def _groups(groups: Sequence[Group]) -> list[Line]:
    rows = [(formats.words(of.name), formats.signed(of.pnl), f"{of.trades}", _won(of)) for of in groups]
    return table(rows, head=("", "PnL", "trades", "won"))


def _won(group: Group) -> str:
    return formats.percent(group.won / group.trades)


def _since(bot: Bot, first: date) -> tuple[str, str]:
    opening = DayOpening.objects.filter(date__gte=first).order_by("date").first()
    if opening is None:
        return formats.NOTHING, ""
    return formats.signed(bot.equity - opening.equity), _change(bot.equity, opening.equity)


def _change(now: Decimal, before: Decimal) -> str:
    return formats.signed_percent(float(now / before - 1)) if before > 0 else ""


def _measure(value: float, limit: Limit) -> str:
    return formats.percent(value) if limit.unit == "fraction" else f"{value:.4g}"


def _left(limit: Limit) -> str:
    # What is left of a cool-down is its value, and there is nothing to use up.
    return formats.NOTHING if limit.unit == "minutes" else _measure(max(0.0, limit.limit - limit.value), limit)
