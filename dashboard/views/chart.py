"""The chart of any watched symbol; its bars and marks come by the API."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import chart_sheet, frame
from trading.core import timeframes


@never_cache
@require_safe
def chart(request: HttpRequest) -> HttpResponse:
    known = frame.context()
    params = known["params"]
    offered = chart_sheet.symbols(params)
    asked = request.GET.get("symbol", "").strip()[: chart_sheet.LONGEST_SYMBOL]
    symbol = asked or offered[0]
    kept = chart_sheet.kept_timeframes(symbol)
    wanted = request.GET.get("timeframe", "")
    timeframe = wanted if wanted in timeframes.MILLISECONDS else params.timeframe
    here = offered.index(symbol) if symbol in offered else 0

    def link(**changed: str) -> str:
        return "?" + urlencode({"symbol": symbol, "timeframe": timeframe, **changed})

    now = timezone.now()
    return frame.page(
        request,
        "dashboard/chart.html",
        place="chart",
        known=known,
        now=now,
        symbol=symbol,
        timeframe=timeframe,
        offered=list(dict.fromkeys([symbol, *offered])) if symbol not in offered else offered,
        timeframes=[(name, link(timeframe=name), name in kept) for name in timeframes.MILLISECONDS],
        previous=link(symbol=offered[here - 1]),
        following=link(symbol=offered[(here + 1) % len(offered)]),
        setup={
            "symbol": symbol,
            "timeframe": timeframe,
            "bar_ms": timeframes.milliseconds(timeframe),
            "limit": chart_sheet.USUAL_BARS,
        },
    )
