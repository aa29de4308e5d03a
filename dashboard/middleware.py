"""Around every request: its id, the headers of every answer, and how long and how far its session lets it go.

All of it is synchronous: the innermost of these makes the whole chain so, and a request changes threads once.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import structlog
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.http import urlencode

from dashboard import denials, problems, sessions, stepup, twofactor, typed
from trading.services import audit

GetResponse = Callable[[HttpRequest], HttpResponseBase]
REQUEST_ID = "X-Request-ID"
API = "/api/"
HEADERS = {
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
"""Beside those that Django's and django-csp's middleware set."""
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


class RequestContext:
    """Give each request an id, for the answer, every line of the log and every entry of the audit."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.headers.get(REQUEST_ID, "")
        request_id = asked if _ID.fullmatch(asked) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        address = str(request.META.get("REMOTE_ADDR") or "")
        bound = structlog.contextvars.bound_contextvars(request_id=request_id)
        with bound, audit.origin(address=address, request_id=request_id):
            answer = self._get_response(request)
        answer.headers[REQUEST_ID] = request_id
        return answer


class SecurityHeaders:
    """Put the headers on every answer: pages, files, errors and the webhook alike."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "TRACE":
            answer: HttpResponseBase = HttpResponse(status=405)
        else:
            answer = self._get_response(request)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer


class Access:
    """End sessions in time, hold them at their second step, ask again before what is dangerous, and for its word where it is real money."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self._get_response(request)
        now = timezone.now()
        if sessions.is_over(request.session, now=now):
            logout(request)
            return self._to_login(request)
        if refusal := self._refusal(request):
            return refusal
        # What a page asks in the background is no sign of a person.
        if request.headers.get("Sec-Fetch-Dest") != "empty" or request.method not in _SAFE:
            sessions.note_use(request.session, now=now)
        answer = self._get_response(request)
        if getattr(request, "session_ended", False):
            sessions.close_sockets()
        return answer

    def process_view(self, request: HttpRequest, *_: object) -> HttpResponseBase | None:
        return typed.ask(request) if request.user.is_authenticated else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, PermissionDenied):
            denials.record(request, why=str(exception))

    def _refusal(self, request: HttpRequest) -> HttpResponseBase | None:
        here = request.path
        if twofactor.is_waiting(request.session) and here not in (reverse("second-step"), reverse("logout")):
            if here.startswith(API):
                return problems.plain(request, 403, "A code is missing", detail="log in with your second step first")
            return redirect(f"{reverse('second-step')}?{urlencode({'next': request.get_full_path()})}")
        if not here.startswith(reverse("admin:index")):
            return None
        if twofactor.is_demanded(request):
            return redirect(f"{reverse('security')}?{urlencode({'needed': 'admin'})}")
        if request.method not in _SAFE and self._is_stale(request):
            return stepup.ask(request)
        return None

    def _is_stale(self, request: HttpRequest) -> bool:
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return False
        return stepup.is_dangerous(match) and not stepup.is_fresh(request, now=timezone.now())

    def _to_login(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(API):
            return problems.plain(request, 401, "The session is over", detail="log in again")
        back = f"?{urlencode({'next': request.get_full_path()})}" if request.method in _SAFE else ""
        return redirect(reverse("login") + back)
