"""Parts of open positions closed by hand, and their stops moved, by the API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import by_hand, idempotency, switch
from dashboard.api.base import ApiView
from dashboard.problems import Conflict, Unprocessable
from trading.models import InstructedAct, Trade
from trading.services import instructing

NUMBER: dict[str, Any] = {"type": "string", "maxLength": 40, "pattern": r"^[0-9]+(\.[0-9]+)?$"}


class _Instruct(ApiView):
    needs = switch.PERMISSION
    act: ClassVar[InstructedAct]

    def post(self, request: Request, pk: int) -> Response:
        if not Trade.objects.filter(pk=pk).exists():
            raise Http404("there is no such trade")
        key = by_hand.key_of(idempotency.asker(request), request.headers.get(idempotency.HEADER, ""))
        who, now = request.user.get_username(), timezone.now()
        body: Any = request.data  # an object, as bodies.check has seen
        try:
            asked = by_hand.ask(self.act, pk, body, by=who, key=key, now=now)
        except instructing.InstructionRefused as refusal:
            if refusal.field:
                raise Unprocessable(refusal.field, str(refusal)) from refusal
            raise Conflict(f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.") from refusal
        return Response({"instruction": by_hand.as_json(asked)}, status=202)


class ClosePart(_Instruct):
    """POST {"fraction"} (of what is open) or {"quantity"} (base) has a part closed at the market by the next tick, rounded down to the venue's lot; GET trades/{id} tells what became of it."""

    act = InstructedAct.PART
    takes: ClassVar[dict[str, Any]] = {"fraction": NUMBER, "quantity": NUMBER}
    asks: ClassVar[dict[str, Any]] = {"fraction": "0.5"}


class MoveStop(_Instruct):
    """POST {"price", "reason"} has the stop moved by the next tick; the reason is needed where it risks more than was planned."""

    act = InstructedAct.STOP
    body: ClassVar[dict[str, Any]] = {"price": NUMBER}
    takes: ClassVar[dict[str, Any]] = {"reason": {"type": "string", "maxLength": instructing.LONGEST_REASON}}
    asks: ClassVar[dict[str, Any]] = {"price": "97.5", "reason": "the low of the day"}


class BreakEven(_Instruct):
    """POST has the stop put by the next tick to where the trade leaves without a loss, its costs included."""

    act = InstructedAct.BREAK_EVEN
