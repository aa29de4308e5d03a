"""The trading state: told to everybody, changed by those with the permission."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import switch
from dashboard.api.base import ApiView, problem
from trading import selectors
from trading.models import Bot


class TradingState(ApiView):
    """GET tells the trading state, POST {"state", "reason"} sets it at once; 422 names the field and the cause."""

    needs = switch.PERMISSION
    asks = {"state": "halted", "reason": "looks odd"}

    def get(self, request: Request) -> Response:
        return Response(told_state(selectors.bot()))

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        asked: Any = request.data if isinstance(request.data, dict) else {}
        if switch.is_looser(asked.get("state")):
            self.prove(request)
        try:
            bot = switch.change(
                state=asked.get("state"), reason=asked.get("reason"), by=request.user, now=timezone.now()
            )
        except switch.Refused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response(told_state(bot))


def told_state(bot: Bot | None) -> dict[str, str | None]:
    """Return the state as JSON; it is null before there is an account."""
    return {"state": bot.trading_state if bot else None, "reason": bot.state_reason if bot else ""}
