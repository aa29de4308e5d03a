"""The account: its row, its parameters, its record and its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Min, Q, Subquery, Value
from django.db.models.functions import Greatest

from trading.core.params import SPECS, Params
from trading.models import ACTIVE, Bot, DayOpening, EquityPoint, ParameterRevision, Trade, TradeStatus
from trading.models.trades import NET

CURVE_POINTS = 500
_CURVE_MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How many trades have closed, and how many of them made money after fees."""

    closed: int
    won: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tally:
    """The trades up to one key, counted once for good in this process."""

    upto: int = 0
    closed: int = 0
    won: int = 0


DAYS_AT_ONCE = 200
MOVING = 2000
"""So many of the newest trades are counted anew each time: a late fill changes a trade during the day after it."""
_tally = _Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the account made on one UTC day, realised or not, in quote; `fraction` is of the equity it began with."""

    date: date
    opening: Decimal
    pnl: Decimal
    trades: int
    """How many trades closed on it."""

    @property
    def fraction(self) -> float:
        return float(self.pnl / self.opening) if self.opening > 0 else 0.0


def bot() -> Bot | None:
    """Return the account's row; None before the first tick of all."""
    return Bot.objects.filter(pk=1).first()


def params() -> Params:
    """Return the parameters in force: the newest revision, the defaults for what it does not name."""
    newest = revision()
    values = newest.values if newest else {}
    return Params.of({name: value for name, value in values.items() if name in SPECS})


def revision() -> ParameterRevision | None:
    """Return the newest revision of the parameters; None before the first tick of all."""
    return ParameterRevision.objects.order_by("-number").first()


def day_opening() -> DayOpening | None:
    """Return the newest day's opening equity: while the past is replayed, that day is not today."""
    return DayOpening.objects.order_by("-date").first()


def record() -> Record:
    """Return the count of closed trades and of wins among them.

    One query over the newest trades: what lies before them was counted before, so a million costs no more than a few.
    """
    global _tally
    known = _tally
    found = _counted(known.upto)
    newest = found["newest"] or 0
    if newest <= known.upto and known.upto:
        # Fewer trades than were counted: it is another database.
        _tally = _Tally()
        return record()
    if newest - known.upto <= 2 * MOVING:
        return Record(closed=known.closed + found["closed"], won=known.won + found["won"])
    whole = _whole()
    oldest_active = Trade.objects.filter(status__in=ACTIVE).aggregate(oldest=Min("pk"))["oldest"]
    if oldest_active is None or oldest_active > newest - MOVING:
        upto = newest - MOVING
        rest = _counted(upto)
        _tally = _Tally(upto=upto, closed=whole.closed - rest["closed"], won=whole.won - rest["won"])
    return whole


def _counted(after: int) -> dict[str, Any]:
    """Return the counts of the trades after a key, but of no more than 2 * MOVING of the newest."""
    is_closed = Q(status=TradeStatus.CLOSED)
    newest = Subquery(Trade.objects.order_by("-pk").values("pk")[:1])
    return Trade.objects.filter(pk__gt=Greatest(Value(after), newest - 2 * MOVING)).aggregate(
        closed=Count("pk", filter=is_closed),
        won=Count("pk", filter=is_closed & Q(gross_pnl__gt=F("fees"))),
        newest=Max("pk"),
    )


def _whole() -> Record:
    """Count every trade from indexes alone: no row is read but those of open trades."""
    won = Trade.objects.annotate(net=NET).filter(net__gt=0)
    return Record(
        closed=Trade.objects.filter(status=TradeStatus.CLOSED).count(),
        won=won.count() - won.filter(status__in=ACTIVE).count(),
    )


def equity_curve(*, limit: int = CURVE_POINTS) -> Sequence[EquityPoint]:
    """Return at most `limit` points over the whole history, oldest first, evenly spaced in time.

    The points are looked up by their minutes, so a year of them costs no more than a day.
    """
    first, last = EquityPoint.objects.order_by("at").first(), EquityPoint.objects.order_by("-at").first()
    if first is None or last is None:
        return []
    # The first and the newest point are shown besides those on the grid.
    wanted = (last.at - first.at) / timedelta(minutes=max(1, limit - 3))
    step = timedelta(minutes=next((minutes for minutes in _CURVE_MINUTES if minutes >= wanted), _CURVE_MINUTES[-1]))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begin = epoch + step * ((first.at - epoch) // step)
    grid = [begin + step * number for number in range((last.at - begin) // step + 1)][2 - limit :]
    return list(EquityPoint.objects.filter(at__in=[first.at, *grid, last.at]).order_by("at"))


def days(*, limit: int) -> list[Day]:
    """Return at most `limit` days, oldest first; the newest one is measured at the account's equity now."""
    account, openings = bot(), list(DayOpening.objects.order_by("-date")[:limit])[::-1]
    if account is None or not openings:
        return []
    counts = _closed_on([row.date for row in openings])
    ends = [*(following.equity for following in openings[1:]), account.equity]
    return [
        Day(date=row.date, opening=row.equity, pnl=end - row.equity, trades=counts.get(row.date, 0))
        for row, end in zip(openings, ends, strict=True)
    ]


def _closed_on(dates: Sequence[date]) -> dict[date, int]:
    """Return how many trades closed on each day; days without any are left out.

    Each day is a stretch of an index. To ask each trade for its day would take a minute where there are a million.
    """
    quote, trade = connection.ops.quote_name, Trade._meta  # noqa: SLF001 - Django says so itself
    closed_at, status = quote("closed_at"), quote("status")
    counted = (
        f"SELECT %s, COUNT(*) FROM {quote(trade.db_table)} "  # noqa: S608 - names of ours
        f"WHERE {status} = %s AND {closed_at} >= %s AND {closed_at} < %s"
    )
    found: dict[date, int] = {}
    with connection.cursor() as cursor:
        for begin in range(0, len(dates), DAYS_AT_ONCE):
            part = dates[begin : begin + DAYS_AT_ONCE]
            values = [value for number, day in enumerate(part) for value in (number, TradeStatus.CLOSED, *_bounds(day))]
            cursor.execute(" UNION ALL ".join([counted] * len(part)), values)
            found |= {part[int(number)]: count for number, count in cursor.fetchall() if count}
    return found


def _bounds(day: date) -> tuple[Any, Any]:
    begin = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    adapt = connection.ops.adapt_datetimefield_value
    return adapt(begin), adapt(begin + timedelta(days=1))
