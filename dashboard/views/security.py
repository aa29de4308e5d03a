"""The page Security: one's own sessions, authenticators and tokens; and the two pages that ask who is there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import frame, lockout, login_audit, sessions, stepup, tokens, twofactor
from dashboard.models import ApiToken, Scope, SessionRecord
from trading.models import AuditOutcome
from trading.services import audit

WAYS_IN = {"device_added", "device_removed", "codes_made"}
"""Acts that people hear of, lest somebody else does them unseen."""
NEEDED = {"admin": "The administration asks for a code of an authenticator here: set one up below."}


@never_cache
@require_safe
def security(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of the reader's own sessions."""
    user = _user(request)
    if not sessions.end(SessionRecord.objects.filter(user=user, pk=pk)):
        raise Http404
    _tell(request, "session_ended", "Ended a session")
    messages.success(request, "The session was ended.")
    return redirect("security")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    count = sessions.end_others(_user(request), but=request.session.session_key)
    _tell(request, "session_ended", f"Ended {count} other sessions")
    messages.success(request, f"{count} other sessions were ended.")
    return redirect("security")


@sensitive_post_parameters()
@require_POST
@stepup.needed
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, this one time."""
    asked = {name: request.POST.get(name, "").strip() for name in ("name", "scope", "days")}
    days = int(asked["days"]) if asked["days"].isascii() and asked["days"].isdecimal() and len(asked["days"]) < 6 else 0
    try:
        token, value = tokens.issue(
            user=_user(request), name=asked["name"], scope=asked["scope"], days=days, now=timezone.now()
        )
    except tokens.TokenRefused as refusal:
        messages.error(request, f"No token was made: the {refusal.field} {refusal}.")
        return redirect("security")
    return _page(request, shown_token=token, shown_value=value)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    if not tokens.revoke(pk, user=_user(request), now=timezone.now()):
        raise Http404
    messages.success(request, "The token was revoked; it opens nothing any more.")
    return redirect("security")


@never_cache
@require_http_methods(["GET", "POST"])
@stepup.needed
def new_device(request: HttpRequest) -> HttpResponse:
    """Show an authenticator's key to be scanned, and take it into use with its first code."""
    user = _user(request)
    device = twofactor.waiting_device(user)
    if device is None or request.POST.get("begin"):
        device = twofactor.begin(user, name=request.POST.get("name", "").strip())
    problem = ""
    if code := request.POST.get("code"):
        if twofactor.confirm(request, device, code):
            _tell(request, "device_added", f"Set up the authenticator {device.name}")
            sessions.end_others(user, but=request.session.session_key)
            return _page(request, shown_codes=twofactor.new_codes(user))
        problem = "This is not the code of the moment: wait for the next one, and see that the clocks agree."
    values = {"device": device, "picture": twofactor.picture(device), "typed_key": twofactor.typed_key(device)}
    return frame.page(request, "account/device.html", place="security", problem=problem, **values)


@require_POST
@stepup.needed
def remove_device(request: HttpRequest, pk: int) -> HttpResponse:
    user = _user(request)
    if not twofactor.remove(user, pk):
        raise Http404
    _tell(request, "device_removed", "Took an authenticator out of use")
    sessions.end_others(user, but=request.session.session_key)
    messages.success(request, "The authenticator opens nothing any more; your other sessions were ended.")
    return redirect("security")


@require_POST
@stepup.needed
def new_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them, this one time."""
    user = _user(request)
    if not twofactor.has_device(user):
        raise Http404
    _tell(request, "codes_made", "Made new recovery codes; those before open nothing any more")
    return _page(request, shown_codes=twofactor.new_codes(user))


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password, or a code where there is an authenticator, before something dangerous."""
    user, problem = _user(request), ""
    if request.method == "POST":
        if _is_proved(request, user, request.POST.get("proof", "")):
            sessions.prove(request.session, now=timezone.now())
            messages.success(request, "It is you. Now repeat what you were about to do, within five minutes.")
            return redirect(_next(request))
        problem = "That was neither your password nor a code of the moment."
    return frame.page(
        request,
        "account/confirm.html",
        place="security",
        problem=problem,
        next=_next(request),
        has_device=twofactor.has_device(user),
    )


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for a code of an authenticator, or a recovery code, after the password."""
    problem = ""
    if request.method == "POST":
        user = _user(request)
        if twofactor.verify(request, request.POST.get("code", "")):
            was = request.session.session_key
            request.session.cycle_key()
            sessions.renew(request, was=was)
            sessions.prove(request.session, now=timezone.now())
            _tell(request, "second_step", "Passed the second step")
            return redirect(_next(request))
        audit.record(
            "second_step",
            actor=user.get_username(),
            at=timezone.now(),
            text="A code was wrong, used before or too late",
            outcome=AuditOutcome.REFUSED,
        )
        problem = "This is no code of the moment, or it was used already. After several tries wait a while."
    return render(request, "account/second_step.html", {"problem": problem, "next": _next(request)})


def _page(request: HttpRequest, **shown: Any) -> HttpResponse:
    user, now = _user(request), timezone.now()
    return frame.page(
        request,
        "account/security.html",
        place="security",
        sessions=SessionRecord.objects.filter(user=user).order_by("-seen_at")[:50],
        session_key=request.session.session_key,
        devices=twofactor.devices(user),
        is_verified=twofactor.is_verified(request),
        codes_left=twofactor.codes_left(user),
        tokens=ApiToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-pk")[:50],
        scopes=Scope.choices,
        longest_days=tokens.LONGEST.days,
        roles=", ".join(user.groups.order_by("name").values_list("name", flat=True)),
        needed=NEEDED.get(request.GET.get("needed", ""), ""),
        moment=now,
        **shown,
    )


def _is_proved(request: HttpRequest, user: User, proof: str) -> bool:
    if twofactor.has_device(user) and len(proof) <= 12 and twofactor.verify(request, proof):
        return True
    if authenticate(request, username=user.get_username(), password=proof) is None:
        return False
    lockout.clear(user.get_username(), str(request.META.get("REMOTE_ADDR") or ""))
    return True


def _next(request: HttpRequest) -> str:
    """Return the page of ours to go on to."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if is_ours else reverse("overview")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _tell(request: HttpRequest, act: str, text: str) -> None:
    name, now = _user(request).get_username(), timezone.now()
    audit.record(act, actor=name, at=now, text=text)
    if act in WAYS_IN:
        login_audit.tell(f"{name}: {text}", now=now)
