"""The summary of a day and of a week, once each, some minutes after it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from notifications import formats
from notifications.models import Severity
from notifications.rendering import Line, table, text
from notifications.services import push
from trading import selectors
from trading.models import DayOpening, Signal, SignalStatus

AFTER = timedelta(minutes=5)
"""Fills of the last minute may be settled a little later."""
LATEST = timedelta(hours=20)
"""A summary that could not be made for so long is of no interest any more."""


def send_due(*, now: datetime) -> None:
    """Write the summaries of yesterday and of last week down, unless they were or nothing was running then."""
    bot, today = selectors.bot(), now.date()
    midnight = datetime.combine(today, time(), tzinfo=UTC)
    if bot is None or bot.is_replaying or not midnight + AFTER <= now < midnight + LATEST:
        return
    _send("daily", today - timedelta(days=1), today, now)
    if today.weekday() == 0:
        _send("weekly", today - timedelta(days=7), today, now)


def lines(first: date, until: date) -> list[Line]:
    """Return what happened from the day `first` up to the day `until`, which is not part of it."""
    since, end = (datetime.combine(day, time(), tzinfo=UTC) for day in (first, until))
    made = selectors.summary([result for result in selectors.results(since=since) if result.closed_at < end])
    signals = Signal.objects.filter(decided_at__gte=since, decided_at__lt=end)
    rows = [
        *(_results(made) if made is not None else [("Trades", "0")]),
        ("Setups", f"{signals.count()}"),
        ("Taken", f"{signals.filter(status=SignalStatus.TAKEN).count()}"),
        *_equity(first, until),
    ]
    told = table(rows)
    if made is not None:
        best, worst = (f"{result.symbol} {formats.signed(result.pnl)}" for result in (made.best, made.worst))
        told += text(f"Best {best}, worst {worst}")
    open_ = selectors.open_trades()
    return [*told, *text(f"Open now: {', '.join(p.trade.symbol for p in open_) or 'nothing'}")]


def _results(made: selectors.Summary) -> list[tuple[str, str]]:
    return [
        ("PnL", formats.signed(made.total.pnl)),
        ("Fees", formats.money(made.fees)),
        ("Trades", f"{made.total.trades}"),
        ("Won", formats.percent(made.total.won / made.total.trades)),
        ("Mean", formats.multiple(made.total.mean_r)),
    ]


def _equity(first: date, until: date) -> list[tuple[str, str]]:
    begun = DayOpening.objects.filter(date__gte=first, date__lt=until).order_by("date").first()
    ended = DayOpening.objects.filter(date__gte=until).order_by("date").first()
    bot = selectors.bot()
    if begun is None or bot is None:
        return []
    end = ended.equity if ended else bot.equity
    change = float(end / begun.equity - 1) if begun.equity > 0 else 0.0
    return [("Equity", f"{formats.money(end)}"), ("Change", formats.signed_percent(change))]


def _send(name: str, first: date, until: date, now: datetime) -> None:
    if not DayOpening.objects.filter(date__gte=first, date__lt=until).exists():
        return
    title = f"Summary of {first:%A %Y-%m-%d}" if name == "daily" else f"Summary of the week from {first:%Y-%m-%d}"
    push.everywhere(
        "summary",
        key=f"{name}:{first}",
        title=title,
        lines=lines(first, until),
        now=now,
        severity=Severity.INFO,
    )
