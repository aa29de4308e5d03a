"""The AI's proposals by the API: each is confirmed or rejected by a person, once."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import switch
from dashboard.api.base import ApiView, problem
from dashboard.listings.proposals import as_json
from trading.models import Proposal
from trading.services import proposals


class Decide(ApiView):
    """POST confirms or rejects a proposal, with {"reason"} if wanted; 409 says why nothing can be changed any more.

    To confirm asks for a fresh proof, or a token that may admin.
    """

    needs = switch.PERMISSION
    asks: ClassVar[dict[str, Any]] = {"reason": "news at noon"}
    act: ClassVar[str] = ""

    def post(self, request: Request, pk: int) -> Response:
        if not Proposal.objects.filter(pk=pk).exists():
            raise Http404("there is no such proposal")
        who, now = request.user.get_username(), timezone.now()
        reason = request.data.get("reason", "") if isinstance(request.data, dict) else ""
        if not isinstance(reason, str) or len(reason) > switch.LONGEST_REASON:
            return problem(422, "Nothing was changed", detail="is no short text", field="reason")
        if self.act == "confirm":
            self.prove(request)
        try:
            if self.act == "confirm":
                decided = proposals.confirm(pk, who=who, now=now)
            else:
                decided = proposals.reject(pk, who=who, now=now, reason=reason.strip())
        except proposals.NotOpen as refusal:
            return problem(409, "Nothing was changed", detail=str(refusal))
        return Response(as_json(decided))
