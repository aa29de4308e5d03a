"""What went wrong, as RFC 9457 says it: one shape for every refusal of the API, with the field and the cause where one is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from dashboard.listings import BadQuery

PROBLEM = "application/problem+json"


class StepUpNeeded(exceptions.PermissionDenied):
    default_detail = "This needs your password or a code again: open /account/confirm/ in the browser, then repeat it."
    default_code = "step_up"


class WordNeeded(exceptions.PermissionDenied):
    default_detail = "This is real money, and asks for a word."
    default_code = "typed_word"


class Conflict(exceptions.APIException):
    status_code = 409
    default_detail = "This cannot be done now."
    default_code = "conflict"


class Unprocessable(exceptions.APIException):
    """`field` is what to correct."""

    status_code = 422
    default_detail = "The question cannot be answered."
    default_code = "unprocessable"

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def body(status: int, title: str, *, detail: str, field: str = "") -> dict[str, Any]:
    """Return what went wrong: `field` names what to correct, `detail` says how."""
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return told | {"field": field, "cause": detail} if field else told


def problem(status: int, title: str, *, detail: str, field: str = "") -> Response:
    return Response(body(status, title, detail=detail, field=field), status=status, content_type=PROBLEM)


def plain(request: HttpRequest, status: int, title: str, *, detail: str) -> JsonResponse:
    """Return a problem for what never reached a view of the API."""
    return JsonResponse(body(status, title, detail=detail), status=status, content_type=PROBLEM)


def of(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the problem that an error of a view amounts to; None for what nobody expected."""
    if isinstance(error, BadQuery):
        return problem(422, "The question cannot be answered", detail=str(error), field=error.field)
    if isinstance(error, Unprocessable):
        return problem(422, "The question cannot be answered", detail=_text(error.detail), field=error.field)
    if isinstance(error, Http404):
        return problem(404, "Not found", detail=str(error) or "there is nothing at this address")
    if isinstance(error, RequestDataTooBig):
        return problem(413, "Too much", detail="the body is larger than this interface takes")
    if isinstance(error, SuspiciousOperation):
        return problem(400, "Bad request", detail="the request cannot be read")
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    answer = exception_handler(error, context)
    if answer is None or not isinstance(error, exceptions.APIException):
        return answer
    told = problem(answer.status_code, str(error.default_detail).rstrip("."), detail=_text(error.detail))
    for name, value in _headers(answer).items():
        told.headers[name] = value
    return told


def _headers(answer: Response) -> Mapping[str, str]:
    kept = ("Allow", "WWW-Authenticate", "Retry-After")
    return {name: answer.headers[name] for name in kept if name in answer.headers}


def _text(detail: Any) -> str:
    return "; ".join(map(str, detail)) if isinstance(detail, list) else str(detail)
