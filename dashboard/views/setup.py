"""The set-up: from the demo to real money, step by step."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import frame, setup_sheet


@never_cache
@require_safe
def setup(request: HttpRequest) -> HttpResponse:
    now, known = timezone.now(), frame.context()
    found = setup_sheet.stages(known["bot"], known["params"], now=now)
    return frame.page(
        request,
        "dashboard/setup.html",
        place="setup",
        known=known,
        now=now,
        stages=found,
        next_step=setup_sheet.next_step(found),
    )
