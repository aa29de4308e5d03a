"""Open positions in full, pushed as they change."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import by_hand, frame, switch
from dashboard import overview as page
from trading.models import TradeStatus


@never_cache
@require_safe
def positions(request: HttpRequest) -> HttpResponse:
    around = frame.context()
    cards = page.cards(around["open_trades"], around["bot"])
    holding = [card.row.trade for card in cards if card.row.trade.status == TradeStatus.OPEN]
    return frame.page(
        request,
        "dashboard/positions.html",
        place="positions",
        known=around,
        cards=cards,
        by_hand=holding if request.user.has_perm(switch.PERMISSION) else [],
        by_hand_news=by_hand.KINDS,
        press=uuid.uuid4().hex,
    )
