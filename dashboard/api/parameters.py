"""Changing parameters by the API: checked, proposed to the gate, put in force against it, given up, and rolled back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import draft_sheet, looser, told
from dashboard.api.base import ApiView, problem, text_of
from dashboard.api.lists import ListView
from dashboard.listings.drafts import DRAFTS, as_json
from dashboard.problems import Conflict, Unprocessable
from trading.core import caution
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.models import ParameterDraft, ParameterRevision
from trading.services import gate, parameters

PROPOSE, OVERRULE = "trading.add_parameterrevision", "trading.overrule_gate"
VALUES: dict[str, Any] = {
    "type": "object",
    "description": "Parameters by name; what is left out stays.",
    "minProperties": 1,
}
REASON: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 500}


class Drafts(ListView):
    """GET lists proposals; POST proposes values: 201 in force at once, since they only lower the risk, 202 being compared.

    The latter asks for a fresh proof, or a token that may admin.
    """

    listing = DRAFTS
    needs = PROPOSE
    body: ClassVar[dict[str, Any]] = {"values": VALUES, "reason": REASON}
    takes: ClassVar[dict[str, Any]] = {"revision": {"type": "integer", "minimum": 1}}
    asks: ClassVar[dict[str, Any]] = {"values": {"max_open_trades": 2}, "reason": "less at once", "revision": 1}

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        now = timezone.now()
        expected = (
            request.data.get("revision", parameters.current(now=now).number) if isinstance(request.data, dict) else 0
        )
        if not isinstance(expected, int) or isinstance(expected, bool) or expected < 1:
            raise Unprocessable(
                "revision", "is no number of a revision: give the one you started from, or leave it out"
            )
        values, reason = _values(request), text_of(request, "reason", most=500)
        try:
            if looser.are_values(values, now=now):
                self.prove(request)
            made = parameters.propose(
                values=values, reason=reason, author=request.user, expected_number=expected, now=now
            )
        except ParamsError as wrong:
            raise _unprocessable(wrong) from wrong
        except parameters.RevisionConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        told = {"outcome": made.outcome, "text": made.text, "revision": made.revision.number}
        status = {parameters.Outcome.ACTIVE: 201, parameters.Outcome.WAITING: 202}.get(made.outcome, 200)
        return Response({**told, "draft": as_json(made.draft) if made.draft else None}, status=status)


class Validate(ApiView):
    """POST says what would become of values, and changes nothing."""

    needs = PROPOSE
    body: ClassVar[dict[str, Any]] = {"values": VALUES}
    asks: ClassVar[dict[str, Any]] = {"values": {"max_open_trades": 2}}

    def post(self, request: Request) -> Response:
        revision = parameters.current(now=timezone.now())
        old = parameters.params_of(revision)
        try:
            new = Params.of({**old.as_json(), **_values(request)})
        except ParamsError as wrong:
            raise _unprocessable(wrong) from wrong
        before, after = old.as_json(), new.as_json()
        changes = [
            {"name": name, "old": before[name], "new": after[name]} for name in SPECS if before[name] != after[name]
        ]
        return Response(
            {
                "revision": revision.number,
                "changes": told.plain(changes),
                "is_safer": caution.is_safer(old, new),
                "text": draft_sheet.fate(old, new),
            }
        )


class Draft(ApiView):
    """One proposal with what its comparison found."""

    def get(self, request: Request, pk: int) -> Response:
        return Response(as_json(_draft(pk)))


class Activate(ApiView):
    """POST puts a draft in force whatever its comparison found; the revision says so, with the reason."""

    needs = OVERRULE
    body: ClassVar[dict[str, Any]] = {"reason": REASON}
    asks: ClassVar[dict[str, Any]] = {"reason": "the comparison is too short"}

    def post(self, request: Request, pk: int) -> Response:
        assert isinstance(request.user, User)
        _draft(pk)
        reason = text_of(request, "reason", most=500)
        self.prove(request)
        try:
            gate.overrule(pk, reason=reason, author=request.user, now=timezone.now())
        except (gate.GateRefused, parameters.RevisionConflict) as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response(as_json(_draft(pk)))


class Discard(ApiView):
    """POST gives a draft up."""

    needs = PROPOSE

    def post(self, request: Request, pk: int) -> Response:
        _draft(pk)
        try:
            gate.discard(pk, by=request.user.get_username(), now=timezone.now())
        except gate.GateRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response(as_json(_draft(pk)))


class RollBack(ApiView):
    """POST puts an earlier revision's values in force again, as a new revision: it was in force before, so nothing is compared.

    Unless it only lowers the risk, it asks for a fresh proof, or a token that may admin.
    """

    needs = PROPOSE
    body: ClassVar[dict[str, Any]] = {"revision": {"type": "integer", "minimum": 1}, "reason": REASON}
    asks: ClassVar[dict[str, Any]] = {"revision": 1, "reason": "worse in a trend"}

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        number = request.data.get("revision") if isinstance(request.data, dict) else None
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < 2**31:
            raise Unprocessable("revision", "is no number of a revision: choose one of /parameters/revisions")
        reason, now = text_of(request, "reason", most=500), timezone.now()
        known = parameters.current(now=now)
        if looser.is_revision(number, now=now):
            self.prove(request)
        try:
            made = parameters.roll_back(
                number=number,
                reason=reason,
                author=request.user,
                expected_number=known.number,
                now=now,
            )
        except parameters.NothingToRollBack as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field="revision")
        except parameters.RevisionConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        return Response(_revision(made), status=201)


def _values(request: Request) -> dict[str, Any]:
    values = request.data.get("values") if isinstance(request.data, dict) else None
    if not isinstance(values, dict) or not values:
        raise Unprocessable("values", "is missing: give the parameters to change by name")
    return values


def _unprocessable(wrong: ParamsError) -> Unprocessable:
    name, text = next(iter(wrong.problems.items()))
    return Unprocessable(f"values.{name}", text)


def _draft(pk: int) -> ParameterDraft:
    draft = ParameterDraft.objects.select_related("base", "revision").filter(pk=pk).first()
    if draft is None:
        raise Http404("there is no such draft")
    return draft


def _revision(made: ParameterRevision) -> dict[str, Any]:
    return told.fields(number=made.number, created_at=made.created_at, reason=made.reason, changes=made.changes)
