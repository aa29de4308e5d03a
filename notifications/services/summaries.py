"""The summaries of a day and of a week with their pictures, once each, some minutes after it is over; and of some hours."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, time, timedelta

from notifications import formats
from notifications.adapters.painter import NotDrawn
from notifications.kinds import threshold
from notifications.models import Delivery, Severity
from notifications.rendering import Line, table, text
from notifications.services import documents, push, reporting
from trading import selectors
from trading.models import DayOpening, EquityPoint, Signal, SignalStatus

AFTER = timedelta(minutes=5)
"""Fills of the last minute may be settled a little later."""
LATEST = timedelta(hours=20)
"""A summary that could not be made for so long is of no interest any more."""
PATIENCE = timedelta(minutes=20)
"""So long after midnight a summary waits for its picture; then it goes without."""
INTERVAL_LATEST = timedelta(minutes=20)
EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday: spans that divide a day or a week begin with it."""

logger = logging.getLogger(__name__)


def send_due(*, now: datetime) -> None:
    """Write the summaries of yesterday and of last week down, and that of the last hours, unless they were.

    Nothing is told of a time in which nothing was running.
    """
    bot, today = selectors.bot(), now.date()
    if bot is None or bot.is_replaying:
        return
    _send_interval(now)
    midnight = datetime.combine(today, time(), tzinfo=UTC)
    if not midnight + AFTER <= now < midnight + LATEST:
        return
    is_late = now >= midnight + PATIENCE
    yesterday, monday = today - timedelta(days=1), today - timedelta(days=7)
    _send("daily", f"Summary of {yesterday:%A %Y-%m-%d}", yesterday, today, now, is_late=is_late)
    if today.weekday() == 0:
        _send("weekly", f"Summary of the week from {monday:%Y-%m-%d}", monday, today, now, is_late=is_late)


def lines(first: date, until: date) -> list[Line]:
    """Return what happened from the day `first` up to the day `until`, which is not part of it."""
    since, end = (datetime.combine(day, time(), tzinfo=UTC) for day in (first, until))
    return _told(since, end, *_equity(first, until))


def _told(since: datetime, end: datetime, *more: tuple[str, str]) -> list[Line]:
    made = selectors.summary(selectors.closed(since=since, until=end))
    signals = Signal.objects.filter(decided_at__gte=since, decided_at__lt=end)
    rows = [
        *(_results(made) if made is not None else [("Trades", "0")]),
        ("Setups", f"{signals.count()}"),
        ("Taken", f"{signals.filter(status=SignalStatus.TAKEN).count()}"),
        *more,
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


def _send(name: str, title: str, first: date, until: date, now: datetime, *, is_late: bool) -> None:
    key = f"{name}:{first}"
    if not DayOpening.objects.filter(date__gte=first, date__lt=until).exists() or not _is_wanted("summary", key):
        return
    try:
        report = reporting.report(first, until, title=title, now=now)
        picture = documents.made(report, "png", name=documents.name(first, until))
    except NotDrawn as why:
        logger.warning("the %s summary has no picture: %s", name, why)
        if not is_late:
            return  # the next look tries again
        picture = None
    told = lines(first, until)
    push.everywhere("summary", key=key, title=title, lines=told, now=now, severity=Severity.INFO, file=picture)


def _send_interval(now: datetime) -> None:
    """Write the summary of the last hours, as often as the operator wants it."""
    hours = threshold("interval")
    if not hours:
        return
    span = timedelta(hours=hours)
    end = EPOCH + span * ((now - EPOCH) // span)
    key = f"interval:{end:%Y-%m-%dT%H:%M}"
    ran = EquityPoint.objects.filter(at__gte=end - span, at__lt=end)
    if now - end > INTERVAL_LATEST or not ran.exists() or not _is_wanted("interval", key):
        return
    title = f"The last {formats.span(span)}"
    push.everywhere("interval", key=key, title=title, lines=_told(end - span, end), now=now, severity=Severity.INFO)


def _is_wanted(kind: str, key: str) -> bool:
    return bool(push.channels(kind, Severity.INFO)) and not Delivery.objects.filter(key=key).exists()
