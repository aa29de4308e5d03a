"""What the closed trades amount to: in total and by symbol, regime, side, way out, hour and weekday.

`closed` reads the trades of a span, `adder` tells of all of them at the cost of the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from statistics import fmean
from typing import Protocol

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from trading.models import Trade, TradeStatus

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One closed trade: money in quote after fees, `r` in units of its first risk (None: it had none)."""

    symbol: str
    side: str
    exit_reason: str
    pnl: Decimal
    fees: Decimal
    r: float | None
    opened_at: datetime
    closed_at: datetime
    regime: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The results that share something; `profit_factor` is None where nothing was lost."""

    name: str
    trades: int
    won: int
    pnl: Decimal
    profit_factor: float | None
    mean_r: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All results together. Expectancies are per trade; streaks count trades."""

    total: Group
    gained: Decimal
    lost: Decimal
    fees: Decimal
    expectancy: Decimal
    mean_win_r: float | None
    mean_loss_r: float | None
    best: Result
    worst: Result
    held: timedelta
    wins_in_row: int
    losses_in_row: int
    groups: dict[str, list[Group]]
    """By symbol, regime, side, exit, hour and weekday (of the exit, UTC)."""


class Adder(Protocol):
    """Adds up every closed trade there ever was; settings.ADDER names it."""

    def summary(self, *, since: datetime | None, now: datetime) -> Summary | None:
        """Return what closed from `since` on (None: ever) amounts to; None where nothing did."""

    def periods(
        self, begin: Callable[[date], date], *, since: datetime, now: datetime
    ) -> Sequence[tuple[date, Summary]]:
        """Return what closed from `since` on by periods, the oldest first; `begin` is the first day of a day's period, UTC."""


_GROUPS: dict[str, Callable[[Result], str]] = {
    "symbol": lambda result: result.symbol,
    "regime": lambda result: result.regime,
    "side": lambda result: result.side,
    "exit": lambda result: result.exit_reason,
    "hour": lambda result: f"{result.closed_at.hour:02}",
    "weekday": lambda result: WEEKDAYS[result.closed_at.weekday()],
}


_COLUMNS = (
    "symbol", "side", "exit_reason", "gross_pnl", "fees", "entry_price", "first_stop", "quantity", "opened_at", "closed_at",
    "signal__regime",
)  # fmt: skip


def adder() -> Adder:
    made: Adder = import_string(settings.ADDER)()
    return made


def closed(*, since: datetime | None, until: datetime | None) -> list[Result]:
    """Return every trade that closed from `since` on (None: ever) and before `until` (None: now), oldest first."""
    rows = _closed(since).filter(closed_at__lt=until) if until else _closed(since)
    return [_result(*row) for row in rows.order_by("closed_at", "pk").values_list(*_COLUMNS)]


def summary(results: Sequence[Result]) -> Summary | None:
    """Return what the results amount to; None where there are none."""
    if not results:
        return None
    gained = sum((result.pnl for result in results if result.pnl > 0), Decimal(0))
    lost = -sum((result.pnl for result in results if result.pnl <= 0), Decimal(0))
    wins, losses = _streaks(results)
    total = _group("all", results)
    return Summary(
        total=total,
        gained=gained,
        lost=lost,
        fees=sum((result.fees for result in results), Decimal(0)),
        expectancy=total.pnl / len(results),
        mean_win_r=_mean_r([result for result in results if result.pnl > 0]),
        mean_loss_r=_mean_r([result for result in results if result.pnl <= 0]),
        best=max(results, key=lambda result: result.pnl),
        worst=min(results, key=lambda result: result.pnl),
        held=sum((result.closed_at - result.opened_at for result in results), timedelta()) / len(results),
        wins_in_row=wins,
        losses_in_row=losses,
        groups={name: _grouped(results, key) for name, key in _GROUPS.items()},
    )


def _closed(since: datetime | None) -> QuerySet[Trade]:
    found = Trade.objects.filter(status=TradeStatus.CLOSED, closed_at__isnull=False, opened_at__isnull=False)
    return found.filter(closed_at__gte=since) if since else found


def _result(  # one row of values_list
    symbol: str,
    side: str,
    exit_reason: str,
    gross: Decimal,
    fees: Decimal,
    entry: Decimal,
    first_stop: float,
    quantity: Decimal,
    opened_at: datetime | None,
    closed_at: datetime | None,
    regime: str,
) -> Result:
    assert opened_at is not None  # the query asked for those that have both
    assert closed_at is not None
    risk = abs(float(entry) - first_stop) * float(quantity)
    return Result(
        symbol=symbol,
        side=side,
        exit_reason=exit_reason,
        pnl=gross - fees,
        fees=fees,
        r=float(gross - fees) / risk if risk > 0 else None,
        opened_at=opened_at,
        closed_at=closed_at,
        regime=regime,
    )


def _grouped(results: Sequence[Result], key: Callable[[Result], str]) -> list[Group]:
    ordered = sorted(results, key=key)
    return [_group(name, list(members)) for name, members in groupby(ordered, key=key)]


def _group(name: str, members: Sequence[Result]) -> Group:
    gained = sum((float(member.pnl) for member in members if member.pnl > 0), 0.0)
    lost = -sum((float(member.pnl) for member in members if member.pnl <= 0), 0.0)
    return Group(
        name=name,
        trades=len(members),
        won=sum(member.pnl > 0 for member in members),
        pnl=sum((member.pnl for member in members), Decimal(0)),
        profit_factor=gained / lost if lost > 0 else None,
        mean_r=_mean_r(members),
    )


def _mean_r(members: Sequence[Result]) -> float | None:
    known = [member.r for member in members if member.r is not None]
    return fmean(known) if known else None


def _streaks(results: Sequence[Result]) -> tuple[int, int]:
    """Return the longest runs of wins and of losses."""
    longest = {True: 0, False: 0}
    for won, run in groupby(results, key=lambda result: result.pnl > 0):
        longest[won] = max(longest[won], sum(1 for _ in run))
    return longest[True], longest[False]
