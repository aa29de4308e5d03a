"""Another person's consent by the API: given with a fresh proof, or refused."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import switch
from dashboard.api.base import ApiView
from dashboard.listings.consents import as_json
from dashboard.problems import Conflict
from trading.models import Consent
from trading.services import consenting


class AnswerConsent(ApiView):
    """POST consents to what another person asked for, which is done at once, or refuses; 403 to who asked, 409 says why nothing was done."""

    needs = switch.PERMISSION
    act: ClassVar[str] = "give"

    def post(self, request: Request, pk: int) -> Response:
        assert isinstance(request.user, User)
        if not Consent.objects.filter(pk=pk).exists():
            raise Http404("there is no such request")
        if self.act == "give":
            self.prove(request)
        answer = consenting.give if self.act == "give" else consenting.refuse
        try:
            return Response(as_json(answer(pk, by=request.user, now=timezone.now())))
        except consenting.NotYours as refusal:
            self.permission_denied(request, f"{str(refusal).capitalize()}.")
        except consenting.ConsentRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        raise AssertionError("permission_denied raises")
