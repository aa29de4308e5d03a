"""What the closed trades amount to, and the days as a calendar."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import frame, performance_sheet
from trading import selectors

SPANS = {
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
    "all": ("all", None),
}
CALENDAR_DAYS = 7 * 26


@never_cache
@require_safe
def performance(request: HttpRequest) -> HttpResponse:
    span = request.GET.get("span", "")
    span = span if span in SPANS else "all"
    length = SPANS[span][1]
    results = selectors.results(since=timezone.now() - length if length else None)
    points = [(int(point.at.timestamp()), float(point.equity)) for point in selectors.equity_curve()]
    days = selectors.days(limit=CALENDAR_DAYS)
    return frame.page(
        request,
        "dashboard/performance.html",
        place="performance",
        sheet=performance_sheet.sheet(results, points, days),
        span=span,
        spans=[(key, label) for key, (label, _) in SPANS.items()],
        is_cut=len(results) == selectors.MOST_TRADES,
        most=selectors.MOST_TRADES,
    )
