"""Every limit with what is left of it, what each position risks, and the trading state."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import frame, pairs_sheet, risk_sheet
from dashboard import overview as page
from trading import selectors
from trading.models import StateChange, TradingState

CHANGES = 8
LABELS = {str(value): label for value, label in TradingState.choices}


@never_cache
@require_safe
def risk(request: HttpRequest) -> HttpResponse:
    now, known = timezone.now(), frame.context()
    bot, trades = known["bot"], known["open_trades"]
    newest = selectors.latest_scan()
    limits = selectors.limits(bot=bot, params=known["params"], trades=trades, now=now) if bot else []
    return frame.page(
        request,
        "dashboard/risk.html",
        place="risk",
        known=known,
        now=now,
        limits=[risk_sheet.bar(limit) for limit in limits],
        cards=page.cards(trades, bot),
        changes=[
            (change, LABELS.get(change.to_state)) for change in StateChange.objects.order_by("-at", "-pk")[:CHANGES]
        ],
        pauses=selectors.pauses(now=now),
        scan=newest,
        correlations=pairs_sheet.matrix(newest.correlations) if newest else [],
    )
