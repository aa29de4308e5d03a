"""The account, its days, its curve and its results."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import ClassVar

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import figures, health_sheet, parameter_sheet, performance_sheet, presenters, results, risk_sheet, told
from dashboard.api.base import ApiView
from dashboard.listings import BadQuery
from dashboard.told import Json
from trading import selectors
from trading.models import Bot
from trading.selectors import Day, Group, OpenTrade, Summary

API_VERSION = 1
MOST_DAYS, MOST_POINTS = 1100, 2000
SPANS = {"7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90), "all": None}


class Status(ApiView):
    """Mode, state, ages and what the account is worth; 404 before the first tick of all."""

    def get(self, request: Request) -> Response:
        bot, opening, trades = _bot(), selectors.day_opening(), selectors.open_trades()
        return Response(
            told.fields(
                mode=presenters.mode_of(settings.BROKER),
                venue=bot.venue,
                state=bot.trading_state,
                reason=bot.state_reason,
                is_replaying=bot.is_replaying,
                tick_at=bot.last_tick_at,
                data_at=bot.data_at,
                equity=bot.equity,
                today_pnl=bot.equity - opening.equity if opening else None,
                open_trades=len(trades),
            )
        )


class Balance(ApiView):
    def get(self, request: Request) -> Response:
        bot, params = _bot(), selectors.params()
        return Response(
            told.fields(
                currency=figures.quote_of(params),
                balance=bot.balance,
                equity=bot.equity,
                unrealised=bot.equity - bot.balance,
                initial_balance=bot.initial_balance,
                peak_equity=bot.peak_equity,
            )
        )


class Positions(ApiView):
    """Every open position with its mark, what it would make there, and what it would lose at its stop."""

    def get(self, request: Request) -> Response:
        held = selectors.holdings(selectors.open_trades())
        return Response(
            {"results": [{**_position(each.position), **told.fields(stop_at=each.stop_since)} for each in held]}
        )


class Performance(ApiView):
    """What the closed trades of a span amount to: ?span=7d, 30d, 90d or all; null where none closed."""

    def get(self, request: Request) -> Response:
        span = request.query_params.get("span", "all")
        if span not in SPANS:
            raise BadQuery("span", f"{span[:20]!r} is none of {', '.join(SPANS)}")
        length, now = SPANS[span], timezone.now()
        summary = results.sums(since=now - length if length else None, now=now).summary()
        curve = [(int(point.at.timestamp()), float(point.equity)) for point in selectors.equity_curve()]
        deepest = -min((fall for _, fall in performance_sheet.drawdown(curve)), default=0.0) / 100
        return Response({"span": span, "deepest_drawdown": deepest, "summary": _summary(summary) if summary else None})


class Days(ApiView):
    """What each day, week or month made, newest first, open positions included; ?limit=, or ?timescale= as freqtrade calls it."""

    period: ClassVar[str] = "day"

    def get(self, request: Request) -> Response:
        limit = _limit(request, "timescale" if "timescale" in request.query_params else "limit", default=30, high=366)
        length = {"day": 1, "week": 7, "month": 31}[self.period]
        days = selectors.days(limit=min(MOST_DAYS, (limit + 1) * length))
        spans = [_span(list(members)) for _, members in groupby(days, key=lambda day: self._begin(day.date))]
        return Response({"results": spans[::-1][:limit]})

    def _begin(self, day: date) -> date:
        if self.period == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.period == "month" else day


class Equity(ApiView):
    """At most ?limit= points of the curve, oldest first, evenly spaced in time."""

    def get(self, request: Request) -> Response:
        points = selectors.equity_curve(limit=max(4, _limit(request, default=selectors.CURVE_POINTS, high=MOST_POINTS)))
        return Response({"results": [told.fields(at=p.at, equity=p.equity, balance=p.balance) for p in points]})


class Risk(ApiView):
    def get(self, request: Request) -> Response:
        bot, trades = _bot(), selectors.open_trades()
        limits = selectors.limits(bot=bot, params=selectors.params(), trades=trades, now=timezone.now())
        return Response(
            {
                "state": bot.trading_state,
                "reason": bot.state_reason,
                "limits": [risk_sheet.as_json(limit) for limit in limits],
                "positions": [_position(position) for position in trades],
            }
        )


class Parameters(ApiView):
    """The parameters in force, each with default, range and help."""

    def get(self, request: Request) -> Response:
        revision = selectors.revision()
        return Response(
            {
                "revision": revision.number if revision else None,
                "results": parameter_sheet.as_json(selectors.params()),
            }
        )


class Health(ApiView):
    """Every check; 503 where one of them is bad."""

    def get(self, request: Request) -> Response:
        checks = health_sheet.checks(selectors.bot(), now=timezone.now())
        state = health_sheet.overall(checks)
        results = [
            told.fields(name=check.name, state=check.state, text=check.text, seen_at=check.at, advice=_advice(check))
            for check in checks
        ]
        return Response({"status": state, "checks": results}, status=503 if state == health_sheet.BAD else 200)


class Version(ApiView):
    def get(self, request: Request) -> Response:
        return Response({"version": settings.CODE_VERSION, "api_version": API_VERSION})


def _bot() -> Bot:
    bot = selectors.bot()
    if bot is None:
        raise Http404("there is no account yet: the first tick makes it")
    return bot


def _limit(request: Request, name: str = "limit", *, default: int, high: int) -> int:
    text = request.query_params.get(name, "") or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= high):
        raise BadQuery(name, f"{text[:20]!r} is no whole number from 1 to {high}")
    return int(text)


def _advice(check: health_sheet.Check) -> str:
    return check.advice if check.state != health_sheet.OK else ""


def _position(position: OpenTrade) -> dict[str, Json]:
    trade, mark = position.trade, position.mark
    return told.fields(
        trade=trade.pk,
        symbol=trade.symbol,
        side=trade.side,
        status=trade.status,
        opened_at=trade.opened_at,
        quantity=trade.quantity,
        remaining=trade.remaining,
        entry_price=trade.entry_price if trade.quantity > 0 else None,
        mark=Decimal(str(mark.price)) if mark else None,
        mark_at=mark.at if mark else None,
        unrealised=position.unrealised,
        realised=trade.gross_pnl,
        fees=trade.fees,
        stop=Decimal(str(trade.stop)),
        targets_hit=trade.targets_hit,
        loss_at_stop=round(position.loss_at_stop, 8),
        unprotected_at=trade.unprotected_at,
        regime=trade.signal.regime,
        revision=trade.revision.number,
    )


def _span(days: list[Day]) -> dict[str, Json]:
    opening, pnl = days[0].opening, sum((day.pnl for day in days), Decimal(0))
    return told.fields(
        date=days[0].date,
        opening=opening,
        pnl=pnl,
        fraction=float(pnl / opening) if opening > 0 else 0.0,
        trades=sum(day.trades for day in days),
    )


def _summary(summary: Summary) -> dict[str, Json]:
    return {
        **_group(summary.total),
        **told.fields(
            gained=summary.gained,
            lost=summary.lost,
            fees=summary.fees,
            expectancy=round(summary.expectancy, 8),
            mean_win_r=summary.mean_win_r,
            mean_loss_r=summary.mean_loss_r,
            best=summary.best.pnl,
            worst=summary.worst.pnl,
            mean_held_s=summary.held,
            wins_in_row=summary.wins_in_row,
            losses_in_row=summary.losses_in_row,
        ),
        "by": {name: [_group(group) for group in groups] for name, groups in summary.groups.items()},
    }


def _group(group: Group) -> dict[str, Json]:
    return told.fields(
        name=group.name,
        trades=group.trades,
        won=group.won,
        win_rate=group.won / group.trades,
        pnl=group.pnl,
        profit_factor=group.profit_factor,
        mean_r=group.mean_r,
    )
