"""Reads for everyone above: typed values, each with a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Prefetch, Q

from trading.core.params import SPECS, Params
from trading.models import (
    ACTIVE,
    Bot,
    DayOpening,
    EquityPoint,
    Event,
    LastPrice,
    ParameterRevision,
    Signal,
    SignalStatus,
    SignalVerdict,
    Trade,
    TradeStatus,
)

CURVE_POINTS = 500
_CURVE_MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How many trades have closed, and how many of them made money after fees."""

    closed: int
    won: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrade:
    """A trade that holds or is about to hold a position, with the last price seen of its symbol, if any."""

    trade: Trade
    mark: LastPrice | None

    @property
    def unrealised(self) -> Decimal | None:
        """Return what the open rest would make at the mark before fees, in quote."""
        if self.mark is None:
            return None
        return self.trade.sign * (Decimal(str(self.mark.price)) - self.trade.entry_price) * self.trade.remaining

    @property
    def loss_at_stop(self) -> Decimal:
        """Return what the trade would lose if all that is open left at its stop, fees included, in quote.

        The fee rate is what the trade has paid so far on what it has turned over; the guards ask the venue.
        """
        trade, stop = self.trade, Decimal(str(self.trade.stop))
        is_opening = trade.status == TradeStatus.OPENING
        size, entry = (
            (trade.planned_quantity, trade.planned_entry) if is_opening else (trade.remaining, trade.entry_price)
        )
        sold = trade.entry_price * (trade.quantity - trade.remaining) + trade.sign * trade.gross_pnl
        turnover = trade.entry_price * trade.quantity + sold
        fee_rate = trade.fees / turnover if turnover > 0 else Decimal(0)
        return max(Decimal(0), (trade.sign * (entry - stop) + fee_rate * (entry + stop)) * size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How often one filter or guard was the first to refuse."""

    name: str
    count: int


def bot() -> Bot | None:
    """Return the account's row; None before the first tick of all."""
    return Bot.objects.filter(pk=1).first()


def params() -> Params:
    """Return the parameters in force: the newest revision, the defaults for what it does not name."""
    revision = ParameterRevision.objects.order_by("-number").first()
    values = revision.values if revision else {}
    return Params.of({name: value for name, value in values.items() if name in SPECS})


def day_opening() -> DayOpening | None:
    """Return the newest day's opening equity: while the past is replayed, that day is not today."""
    return DayOpening.objects.order_by("-date").first()


def record() -> Record:
    """Return the count of closed trades and of wins among them."""
    won = Count("pk", filter=Q(gross_pnl__gt=F("fees")))
    counts = Trade.objects.filter(status=TradeStatus.CLOSED).aggregate(closed=Count("pk"), won=won)
    return Record(closed=counts["closed"], won=counts["won"])


def open_trades() -> list[OpenTrade]:
    """Return every active trade, oldest first."""
    trades = list(Trade.objects.filter(status__in=ACTIVE).order_by("pk"))
    marks = {mark.symbol: mark for mark in LastPrice.objects.filter(symbol__in=[trade.symbol for trade in trades])}
    return [OpenTrade(trade=trade, mark=marks.get(trade.symbol)) for trade in trades]


def closed_trades(*, limit: int) -> list[Trade]:
    """Return the trades that closed last, newest first."""
    return list(Trade.objects.filter(status=TradeStatus.CLOSED).order_by("-closed_at", "-pk")[:limit])


def signals(*, limit: int) -> list[Signal]:
    """Return the last decisions, newest first, each with its verdicts in the order asked."""
    verdicts = Prefetch("verdicts", queryset=SignalVerdict.objects.order_by("position"))
    return list(Signal.objects.order_by("-decided_at", "-pk").prefetch_related(verdicts)[:limit])


def refusals(*, since: datetime) -> list[Refusals]:
    """Return who refused how many setups decided from `since` on, most first."""
    refused = Signal.objects.filter(status=SignalStatus.REFUSED, decided_at__gte=since)
    rows = refused.values("refused_by").annotate(count=Count("pk")).order_by("-count", "refused_by")
    return [Refusals(name=row["refused_by"], count=row["count"]) for row in rows]


def events(*, limit: int) -> list[Event]:
    """Return the newest journal rows, newest first."""
    return list(Event.objects.order_by("-at", "-pk")[:limit])


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
