"""Bars of a symbol, their indicators and the marks on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import chart_sheet
from dashboard.api.base import ApiView
from dashboard.chart_sheet import MOST_BARS, USUAL_BARS, Span
from dashboard.listings import BadQuery
from trading import selectors
from trading.core import timeframes

_LAST_MS = 253_402_300_799_000
"""The end of the year 9999: later moments are no datetimes."""


class Candles(ApiView):
    """Closed bars, oldest first, as [opened_ms, open, high, low, close, volume]: ?symbol=, ?timeframe=, ?limit=, ?until=.

    `previous` is the `until` of the bars before these, null where there are none.
    """

    def get(self, request: Request) -> Response:
        span = span_of(request.query_params.dict())
        rows = chart_sheet.bars(span)
        return Response(
            {
                "symbol": span.symbol,
                "timeframe": span.timeframe,
                "candles": rows,
                "previous": int(rows[0][0]) if rows else None,
            },
        )


class Indicators(ApiView):
    """The indicators of the same bars by name, null before their warm-up, with regime and busy session (0: none)."""

    def get(self, request: Request) -> Response:
        span = span_of(request.query_params.dict())
        columns = chart_sheet.indicators(span, selectors.params())
        return Response({"symbol": span.symbol, "timeframe": span.timeframe, "columns": columns})


class Marks(ApiView):
    """Trades of a symbol that closed from ?since= to ?until= or are open, and the setups that were refused there."""

    def get(self, request: Request) -> Response:
        span = span_of(request.query_params.dict())
        usual = span.until - span.limit * timeframes.length(span.timeframe)
        since = _moment(request.query_params, "since") or usual
        return Response(chart_sheet.marks(span, since=since))


def span_of(asked: Mapping[str, str], *, without: Sequence[str] = ()) -> Span:
    """Return the bars that are asked for; `without` names what the caller has understood itself."""
    if unknown := sorted(set(asked) - {"symbol", "timeframe", "until", "since", "limit", *without}):
        raise BadQuery(unknown[0], "is not understood here: use symbol, timeframe, until, since, limit")
    symbol = asked.get("symbol", "").strip()
    if not symbol or len(symbol) > chart_sheet.LONGEST_SYMBOL or not symbol.isprintable():
        raise BadQuery("symbol", "name one, such as BTC/USDT")
    now = timezone.now()
    return Span(
        symbol=symbol,
        timeframe=chart_sheet.checked_timeframe(asked.get("timeframe", "") or selectors.params().timeframe),
        until=min(_moment(asked, "until") or now, now),
        limit=_whole(asked.get("limit", "")),
    )


def _whole(text: str) -> int:
    if not text:
        return USUAL_BARS
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= MOST_BARS):
        raise BadQuery("limit", f"{text[:20]!r} is no whole number from 1 to {MOST_BARS}")
    return int(text)


def _moment(asked: Mapping[str, str], name: str) -> datetime | None:
    """Return a moment: milliseconds since 1970, or ISO text."""
    text = asked.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and int(text[:16]) <= _LAST_MS:
        return timeframes.from_ms(int(text[:16]))
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadQuery(
            name, f"{text[:40]!r} is no moment: give milliseconds since 1970, or 2026-03-01T12:00:00Z"
        ) from None
