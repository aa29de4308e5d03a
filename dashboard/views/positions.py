"""Open positions in full, pushed as they change."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import frame
from dashboard import overview as page


@never_cache
@require_safe
def positions(request: HttpRequest) -> HttpResponse:
    around = frame.context()
    cards = page.cards(around["open_trades"], around["bot"])
    return frame.page(request, "dashboard/positions.html", place="positions", known=around, cards=cards)
