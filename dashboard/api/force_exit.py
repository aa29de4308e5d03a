"""Leaving by hand, as freqtrade's clients ask for it: one trade, a part of one, or all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import by_hand, idempotency, switch
from dashboard.api.base import ApiView
from dashboard.problems import Conflict, Unprocessable
from trading.models import InstructedAct, Trade
from trading.services import manual
from trading.services.instructing import InstructionRefused

MARKET = "market"


class ForceExit(ApiView):
    """POST {"tradeid"} closes one trade, "all" every open one; {"amount"} a part of one (base), as freqtrade calls it.

    An amount of all that is open, or more, closes the trade. Everything leaves at the market.
    """

    needs = switch.PERMISSION
    body: ClassVar[dict[str, Any]] = {
        "tradeid": {
            "oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^(all|[1-9][0-9]{0,17})$"}]
        }
    }
    takes: ClassVar[dict[str, Any]] = {
        "amount": {
            "oneOf": [
                {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                {"type": "string", "maxLength": 40, "pattern": r"^[0-9]+(\.[0-9]+)?$"},
            ],
            "nullable": True,
        },
        "ordertype": {"type": "string", "enum": [MARKET], "nullable": True},
    }
    asks: ClassVar[dict[str, Any]] = {"tradeid": "7", "ordertype": MARKET, "amount": "0.05"}

    def post(self, request: Request) -> Response:
        asked: Any = request.data  # an object, as bodies.check has seen
        if (asked.get("ordertype") or MARKET) != MARKET:
            raise Unprocessable("ordertype", "is no way to leave here: everything leaves at the market, leave it out")
        if asked.get("price") is not None:
            raise Unprocessable("price", "is none that can be asked for: everything leaves at the market, leave it out")
        amount, wanted = asked.get("amount"), asked.get("tradeid")
        if wanted == "all":
            if amount is not None:
                raise Unprocessable("amount", "belongs to one trade: name it, or leave the amount out")
            closed = manual.request_close_all(by=request.user.get_username(), now=timezone.now())
            return _done(f"{len(closed)} trades are closed with the next tick.", closed)
        number = _number(wanted)
        return self._close(request, number) if amount is None else self._part(request, number, amount)

    def _close(self, request: Request, number: int) -> Response:
        if not manual.request_close(number, by=request.user.get_username(), now=timezone.now()):
            raise Conflict(f"Trade {number} is not open, or leaves already.")
        return _done(f"Trade {number} is closed with the next tick.", [number])

    def _part(self, request: Request, number: int, amount: Any) -> Response:
        if isinstance(amount, bool) or not isinstance(amount, int | float | str):
            raise Unprocessable("amount", "is no number")
        trade = Trade.objects.filter(pk=number).first()
        if trade is None:
            raise Conflict(f"Trade {number} is not open, or leaves already.")
        key = by_hand.key_of(idempotency.asker(request), request.headers.get(idempotency.HEADER, ""))
        who, now = request.user.get_username(), timezone.now()
        try:
            quantity = by_hand.number({"amount": amount}, "amount") or Decimal(0)
            if quantity >= trade.remaining > 0:
                return self._close(request, number)
            made = by_hand.ask(InstructedAct.PART, number, {"quantity": f"{quantity:f}"}, by=who, key=key, now=now)
        except InstructionRefused as refusal:
            if refusal.field:
                raise Unprocessable(refusal.field.replace("quantity", "amount"), str(refusal)) from refusal
            raise Conflict(f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.") from refusal
        text = f"{quantity.normalize():f} of trade {number} are closed with the next tick."
        return _done(text, [number], instruction=by_hand.as_json(made))


def _done(text: str, trades: list[int], **more: Any) -> Response:
    return Response({"result": text, "trades": trades, **more}, status=202)


def _number(wanted: Any) -> int:
    text = str(wanted) if not isinstance(wanted, bool) else ""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) < 2**63):
        raise Unprocessable("tradeid", "is missing: give the number of a trade, or all")
    return int(text)
