"""What the closed trades amount to, and the days as a calendar."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from dashboard import frame, performance_sheet, results
from notifications.adapters.painter import NotDrawn
from notifications.services import documents
from trading import selectors

SPANS = {
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
    "all": ("all", None),
}
CALENDAR_DAYS = 7 * 26
REPORT_DAYS = {"1": "today", "7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}
REPORT_FORMATS = {"pdf": "PDF", "html": "one HTML page", "png": "a picture"}


@never_cache
@require_safe
def performance(request: HttpRequest) -> HttpResponse:
    span = request.GET.get("span", "")
    span = span if span in SPANS else "all"
    length = SPANS[span][1]
    now = timezone.now()
    sums = results.sums(since=now - length if length else None, now=now)
    points = [(int(point.at.timestamp()), float(point.equity)) for point in selectors.equity_curve()]
    days = selectors.days(limit=CALENDAR_DAYS)
    return frame.page(
        request,
        "dashboard/performance.html",
        place="performance",
        sheet=performance_sheet.sheet(sums, points, days),
        span=span,
        spans=[(key, label) for key, (label, _) in SPANS.items()],
        report_days=REPORT_DAYS.items(),
        report_formats=REPORT_FORMATS.items(),
    )


@never_cache
@require_GET
def report(request: HttpRequest) -> HttpResponse:
    """Answer with the report of the last days as a file, as /report sends it by message."""
    days, format = request.GET.get("days", "7"), request.GET.get("format", "pdf")
    if days not in REPORT_DAYS or format not in REPORT_FORMATS:
        raise Http404(f"there is no report of {days} days as {format}")
    try:
        file = documents.of_days(int(days), format, now=timezone.now())
    except NotDrawn as why:
        messages.error(request, f"There is no report: {why}.")
        return redirect("performance")
    named = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return HttpResponse(file.content, content_type=file.media, headers=named)
