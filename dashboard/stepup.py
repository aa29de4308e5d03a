"""Dangerous acts ask again who is there: a password or a code that was given a moment ago, or a token made for such acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import ResolverMatch, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from dashboard import sessions

P = ParamSpec("P")
FRESH = timedelta(minutes=5)
ADMIN_APPS = ("auth", "otp_totp", "otp_static", "dashboard", "notifications_contact", "trading_parameterrevision")
"""Whatever the administration changes of accounts, roles and ways in is dangerous, one of Telegram too; and parameters."""


def is_fresh(request: HttpRequest, *, now: datetime) -> bool:
    """Return whether whoever sits there proved it within the last minutes."""
    at = sessions.proved_at(request.session)
    return at is not None and timedelta(0) <= now - at < FRESH


def is_dangerous(match: ResolverMatch) -> bool:
    """Return whether a POST to this page of the administration needs a fresh proof."""
    if match.app_name != "admin":
        return False
    if match.kwargs.get("act") == "overrule":
        return True
    return bool(match.url_name) and str(match.url_name).startswith(tuple(f"{app}_" for app in ADMIN_APPS))


def needed(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Let a view be reached only by who proved a moment ago to be there."""

    @wraps(view)
    def asking(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, *args, **kwargs) if is_fresh(request, now=timezone.now()) else ask(request)

    return asking


def ask(request: HttpRequest, *, back: str = "") -> HttpResponse:
    """Lead to the page that asks, and from there to `back`, else to the page that this request came from."""
    return redirect(f"{reverse('confirm')}?{urlencode({'next': back or origin_of(request)})}")


def origin_of(request: HttpRequest) -> str:
    """Return the address of the page of ours that the request came from, else the overview's."""
    came = request.headers.get("Referer", "")
    if came and url_has_allowed_host_and_scheme(came, {request.get_host()}, require_https=request.is_secure()):
        parts = urlsplit(came)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return reverse("overview")
