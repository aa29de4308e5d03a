"""The health of every part."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import frame, health_sheet
from trading import selectors


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    now, known = timezone.now(), frame.context()
    checks = health_sheet.checks(known["bot"], now=now)
    return frame.page(
        request,
        "dashboard/health.html",
        place="health",
        known=known,
        now=now,
        checks=checks,
        overall=health_sheet.overall(checks),
        pauses=selectors.pauses(now=now),
        version=settings.CODE_VERSION,
        venue=settings.EXCHANGE,
    )
