"""The report of a span put together: what a picture shows of it, and what a document holds besides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string

from notifications import formats, rendering
from notifications.drawing.spec import Figure, Report, Table
from notifications.ports import Reporter
from trading import selectors
from trading.models import DayOpening, EquityPoint, Signal, SignalStatus
from trading.selectors import Group, Result, Summary

POINTS = 300
MOST_TRADES = 400
MOST_GROUPS = 20


def report(first: date, until: date, *, title: str, now: datetime) -> Report:
    """Return what happened from the day `first` up to the day `until`, which is not part of it."""
    since, end = (datetime.combine(day, time(), tzinfo=UTC) for day in (first, until))
    results = selectors.closed(since=since, until=end)
    made, curve = selectors.summary(results), equity(since, min(end, now))
    last = until - timedelta(days=1)
    span = f"{first:%d %B %Y}" if last <= first else f"{first:%d %B} to {last:%d %B %Y}"
    return Report(
        title=title,
        note=f"{rendering.mode()} · {span}, UTC · made {now:%d %b %H:%M}",
        figures=_figures(made, curve),
        equity=curve,
        trades=[[result.closed_at.timestamp(), float(result.pnl)] for result in results],
        hours=[[int(group.name), float(group.pnl), group.trades] for group in made.groups["hour"]] if made else [],
        advice=_advice(since, end, days=(until - first).days),
        tables=_tables(made, results, since, end),
    )


def equity(since: datetime, end: datetime) -> list[list[float]]:
    """Return the curve as [at, quote], at most POINTS of it; by days where no finer one is kept."""
    minutes = max(1, int((end - since) / timedelta(minutes=1)))
    step = timedelta(minutes=-(-minutes // POINTS))
    grid = [since + step * number for number in range(minutes // (step // timedelta(minutes=1)) + 1)]
    rows = list(EquityPoint.objects.filter(at__in=grid).order_by("at").values_list("at", "equity"))
    newest = EquityPoint.objects.filter(at__gte=since, at__lte=end).order_by("-at").values_list("at", "equity").first()
    rows += [newest] if newest is not None and (not rows or newest[0] > rows[-1][0]) else []
    if len(rows) < 2:
        days = DayOpening.objects.filter(date__gte=since.date(), date__lte=end.date()).order_by("date")
        rows = [(datetime.combine(day.date, time(), tzinfo=UTC), day.equity) for day in days]
        account = selectors.bot()
        rows += [(end, account.equity)] if account is not None and rows and end.date() == rows[-1][0].date() else []
    return [[at.timestamp(), float(worth)] for at, worth in rows]


def _figures(made: Summary | None, curve: Sequence[Sequence[float]]) -> list[Figure]:
    begun, ended = (curve[0][1], curve[-1][1]) if curve else (0.0, 0.0)
    change, fall = (ended / begun - 1 if begun > 0 else 0.0), deepest(curve)
    account = [
        Figure(label="Return", value=formats.signed_percent(change), tone=_tone(change)),
        Figure(label="Equity", value=f"{ended:,.2f}" if curve else formats.NOTHING),
        Figure(label="Deepest fall", value=formats.percent(fall), tone="loss" if fall > 0 else ""),
    ]
    if made is None:
        return [Figure(label="Trades closed", value="0"), *account]
    total = made.total
    factor = "no loss" if total.profit_factor is None else f"{total.profit_factor:.2f}"
    return [
        Figure(label="PnL after fees", value=formats.signed(total.pnl), tone=_tone(float(total.pnl))),
        *account[:2],
        Figure(label="Trades closed", value=f"{total.trades}"),
        Figure(label="Won", value=formats.percent(total.won / total.trades)),
        Figure(label="Mean", value=formats.multiple(total.mean_r), tone=_tone(total.mean_r or 0.0)),
        Figure(label="Profit factor", value=factor),
        account[2],
        Figure(label="Fees", value=formats.money(made.fees)),
    ]


def deepest(curve: Sequence[Sequence[float]]) -> float:
    """Return the largest fall from a peak, a fraction of it."""
    worth = [point[1] for point in curve]
    return max(
        (1 - value / peak for value, peak in zip(worth, accumulate(worth, max), strict=True) if peak > 0), default=0.0
    )


def _tone(value: float) -> str:
    return "gain" if value > 0 else "loss" if value < 0 else ""


def _advice(since: datetime, end: datetime, *, days: int) -> list[tuple[str, str]]:
    asker: Reporter = import_string(settings.REPORTER)()
    signals = Signal.objects.filter(decided_at__gte=since, decided_at__lt=end)
    taken = signals.filter(status=SignalStatus.TAKEN).count()
    return [*asker.brief(days=days), ("Setups / taken", f"{signals.count()} / {taken}")]


def _tables(made: Summary | None, results: Sequence[Result], since: datetime, end: datetime) -> list[Table]:
    tables = []
    if made is not None:
        for name, title in (("symbol", "By pair"), ("exit", "By exit"), ("side", "By side"), ("weekday", "By weekday")):
            tables.append(_groups(title, made.groups[name]))
    refused = Signal.objects.filter(decided_at__gte=since, decided_at__lt=end, status=SignalStatus.REFUSED)
    counts = refused.values_list("refused_by").annotate(count=Count("pk")).order_by("-count")[:MOST_GROUPS]
    if rows := [(formats.words(name) or formats.NOTHING, f"{count}") for name, count in counts]:
        tables.append(Table(title="What refused setups", head=("Filter", "Setups"), rows=rows))
    if results:
        tables.append(_trades(results))
    return tables


def _groups(title: str, groups: Sequence[Group]) -> Table:
    ordered = sorted(groups, key=lambda group: -group.pnl)[:MOST_GROUPS]
    rows = [
        (
            formats.words(group.name) or formats.NOTHING,
            f"{group.trades}",
            formats.percent(group.won / group.trades),
            formats.signed(group.pnl),
            formats.multiple(group.mean_r),
        )
        for group in ordered
    ]
    return Table(title=title, head=("", "Trades", "Won", "PnL", "Mean"), rows=rows)


def _trades(results: Sequence[Result]) -> Table:
    shown = results[-MOST_TRADES:]
    more = f", the last {MOST_TRADES} of {len(results)}" if len(results) > len(shown) else ""
    rows = [
        (
            formats.moment(result.closed_at),
            result.symbol,
            result.side,
            formats.span(result.closed_at - result.opened_at),
            formats.signed(result.pnl),
            formats.multiple(result.r),
            formats.words(result.exit_reason),
        )
        for result in shown
    ]
    head = ("Closed, UTC", "Pair", "Side", "Lasted", "PnL", "R", "Left by")
    return Table(title=f"Closed trades{more}", head=head, rows=rows)
