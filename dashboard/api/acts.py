"""What people and programs do to trading: the state under its own names, closing by hand, and a decision computed again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import replays, run_form, switch
from dashboard.api.base import ApiView, problem, text_of
from dashboard.api.state import told_state
from dashboard.models import Scope
from dashboard.problems import Conflict
from trading import selectors
from trading.models import Signal, Trade, TradingState
from trading.services import backtesting, manual


class StateAct(ApiView):
    """POST {"reason"} sets the trading state that the address names; one that allows more asks for a fresh proof, or a token that may admin."""

    needs = switch.PERMISSION
    state: ClassVar[str] = TradingState.CLOSE_ONLY
    takes: ClassVar[dict[str, Any]] = {"reason": {"type": "string", "maxLength": switch.LONGEST_REASON}}
    asks: ClassVar[dict[str, Any]] = {"reason": "looks odd"}

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        reason = text_of(request, "reason", most=switch.LONGEST_REASON, default="asked by the API")
        if switch.is_looser(self.state):
            self.prove(request)
        try:
            bot = switch.change(state=self.state, reason=reason, by=request.user, now=timezone.now())
        except switch.Refused as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response({**told_state(bot), "status": f"The trading state is {bot.trading_state}."})


class CloseTrade(ApiView):
    """POST asks for a trade to be closed at the market; the next tick does it, as every exit. 409: it is closed, or leaves already."""

    needs = switch.PERMISSION

    def post(self, request: Request, pk: int) -> Response:
        if not Trade.objects.filter(pk=pk).exists():
            raise Http404("there is no such trade")
        if not manual.request_close(pk, by=request.user.get_username(), now=timezone.now()):
            raise Conflict(f"Trade {pk} is closed, or leaves already.")
        return Response({"result": f"Trade {pk} is closed with the next tick.", "trades": [pk]}, status=202)


class ForceEnter(ApiView):
    """Julaba enters nothing past its guards: 409 says what to do instead."""

    needs = switch.PERMISSION
    scope = Scope.ADMIN

    def post(self, request: Request) -> Response:
        raise Conflict(
            "Nothing is entered by hand, for no risk check would stand in between: confirm a proposal at "
            "/api/v1/proposals/{id}/confirm, or propose other parameters at /api/v1/parameters/drafts."
        )


class ReloadConfig(ApiView):
    """Every tick reads the parameters in force, so there is nothing to reload: tells which revision that is."""

    needs = switch.PERMISSION

    def post(self, request: Request) -> Response:
        revision = selectors.revision()
        number = revision.number if revision else None
        return Response({"status": "Each tick reads the parameters in force.", "revision": number})


class Replay(ApiView):
    """The newest replay of a decision, null before there is one; POST has it computed again from its stored inputs, in a worker."""

    needs = run_form.PERMISSION

    def get(self, request: Request, pk: int) -> Response:
        _signal(pk)
        run = replays.newest(pk)
        return Response({"replay": replays.as_json(run) if run else None})

    def post(self, request: Request, pk: int) -> Response:
        assert isinstance(request.user, User)
        try:
            run = replays.ask(_signal(pk), user=request.user, now=timezone.now())
        except backtesting.RunRefused as refusal:
            return problem(409, "Not replayed", detail=str(refusal))
        return Response({"replay": replays.as_json(run)}, status=202)


def _signal(pk: int) -> Signal:
    signal = Signal.objects.filter(pk=pk).select_related("revision").first()
    if signal is None:
        raise Http404("there is no such decision")
    return signal
