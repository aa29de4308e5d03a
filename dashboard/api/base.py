"""What every address of the API shares: who may ask, once and not twice, and one shape for what went wrong (RFC 9457)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dashboard import denials, idempotency, problems, stepup, tokens, typed
from dashboard.api import bodies
from dashboard.models import KeptAnswer, Scope
from dashboard.problems import PROBLEM, problem

__all__ = ["PROBLEM", "ApiView", "problem", "text_of"]


class ApiView(APIView):
    """Everybody who is logged in may read, and so may every token; what more is asked for stands at the view.

    Whatever changes something names the permission it `needs` and the `scope` of a token that may; `reads` is a
    permission that even looking needs.
    """

    authentication_classes: Sequence[type[BaseAuthentication]] = (tokens.TokenAuthentication, SessionAuthentication)
    permission_classes: Sequence[type[BasePermission]] = (IsAuthenticated,)
    parser_classes = (bodies.BodyParser,)
    renderer_classes = (JSONRenderer,)
    needs: ClassVar[str] = ""
    reads: ClassVar[str] = ""
    scope: ClassVar[Scope] = Scope.TRADE
    asks: ClassVar[dict[str, Any]] = {}
    """An example of a body, for the API's description."""
    body: ClassVar[dict[str, Any]] = {}
    """What a body must hold, and
    `takes` what it may: JSON schemas by name, for the API's description."""
    takes: ClassVar[dict[str, Any]] = {}
    kept: KeptAnswer | None = None

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Answer with JSON whatever is accepted: ?format= is a question of the lists, not of the framework."""
        return JSONRenderer(), JSONRenderer.media_type

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in SAFE_METHODS:
            return
        # Read whole before it is parsed: only so Django's limit of a body's size holds here.
        _ = request.body
        bodies.check(
            self, request.resolver_match.route if request.resolver_match else "", request.method or "", request.data
        )
        self._check_word(request)
        self.kept = idempotency.claim(request, now=timezone.now())
        if self.kept is not None and self.kept.status is not None:
            raise _Repeated(self.kept)

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        is_read = request.method in SAFE_METHODS
        token, needed = tokens.of(request), Scope.READ if is_read else self.scope
        if token is not None and not tokens.may(token, needed):
            self.permission_denied(request, f"This needs a token that may {needed}, yours may {token.scope}.")
        permission = self.reads if is_read else self.needs
        if permission and not request.user.has_perm(permission):
            self.permission_denied(request, f"This needs the permission {permission}.")

    def _check_word(self, request: Request) -> None:
        """Ask a person for the word of a dangerous act where it is real money; a token was made for such acts."""
        match = request.resolver_match
        if match is None or tokens.of(request) is not None:
            return
        asked: Any = request.data  # an object, as bodies.check has seen
        wanted = typed.word_wanted(match, request.method or "", asked, request.headers.get(typed.HEADER, ""))
        if wanted is not None:
            raise problems.WordNeeded(f"{wanted.says} Repeat it with the header {typed.HEADER}: {wanted.word}")

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> Any:
        if request.successful_authenticator:
            denials.record(_plain(request), why=message or "", actor=request.user.get_username())
        super().permission_denied(request, message, code)

    def prove(self, request: Request) -> None:
        """Ask for what dangerous acts need: a fresh proof of a session, the scope admin of a token."""
        token = tokens.of(request)
        if token is not None:
            if not tokens.may(token, Scope.ADMIN):
                self.permission_denied(request, f"This needs a token that may admin, yours may {token.scope}.")
        elif not stepup.is_fresh(_plain(request), now=timezone.now()):
            raise problems.StepUpNeeded

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return problems.of

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, _Repeated):
            return exc.answer()
        try:
            return super().handle_exception(exc)
        except type(exc):
            if self.kept is not None:
                idempotency.give_up(self.kept)
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let nobody show an answer without asking whether it still holds: it is another one a second later."""
        answer: Any = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(answer, ("Authorization", "Cookie"))
        if self.kept and self.kept.status is None and isinstance(answer, Response):
            idempotency.keep(self.kept, answer)
        if request.method == "GET" and isinstance(answer, Response) and answer.status_code == HTTPStatus.OK:
            answer.add_post_render_callback(lambda rendered: _tagged(request, rendered))
        return answer


class Ready(Response):
    """An answer that is JSON already."""

    @property
    def rendered_content(self) -> bytes:  # type: ignore[override] # as the framework does
        self.headers["Content-Type"] = JSONRenderer.media_type
        return cast("bytes", self.data)


def text_of(request: Request, name: str, *, most: int, default: str = "") -> str:
    """Return a text of the body; without a default it must be there."""
    asked: Any = request.data if isinstance(request.data, dict) else {}
    found = asked.get(name, default)
    if not isinstance(found, str) or not (found := found.strip() or default):
        raise problems.Unprocessable(name, "is missing: give it as text")
    if len(found) > most or "\x00" in found:
        raise problems.Unprocessable(name, f"has more than {most} characters, or one that cannot be kept")
    return found


class _Repeated(exceptions.APIException):
    """The request was answered before."""

    def __init__(self, kept: KeptAnswer) -> None:
        super().__init__()
        self.kept = kept

    def answer(self) -> HttpResponse:
        told = HttpResponse(self.kept.body, status=self.kept.status or 200, content_type=self.kept.kind)
        told.headers["Idempotent-Replayed"] = "true"
        return told


def _tagged(request: Request, answer: Any) -> HttpResponseBase | None:
    """Mark an answer with the hash of its body; who has it already gets 304 and no body."""
    etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    answer.headers["ETag"] = etag
    found = get_conditional_response(_plain(request), etag=etag, response=answer)
    return found if found is not answer else None


def _plain(request: Request) -> HttpRequest:
    """Return the request as Django's: the framework's own stands for all of its attributes."""
    return cast("HttpRequest", request)
