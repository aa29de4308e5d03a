"""The users of this Julaba: who may do what, by which ways they come in, and what an administrator changes of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import frame, people, stepup


@never_cache
@require_safe
def users(request: HttpRequest) -> HttpResponse:
    _allowed(request, people.VIEW)
    return _page(request)


@never_cache
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Make an account and show its password, this one time."""
    by = _allowed(request, people.ADD)
    if not stepup.is_fresh(request, now=timezone.now()):
        return stepup.ask(request)
    name, role = request.POST.get("name", "").strip(), request.POST.get("role", "")
    try:
        made, password = people.make(name=name, role=role, by=by, now=timezone.now())
    except people.Refused as refusal:
        messages.error(request, f"Nobody was added: {refusal}.")
        return redirect("users")
    return _page(request, made=made, password=password)


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Give an account another role, close it, or open it again."""
    by, now = _allowed(request, people.CHANGE), timezone.now()
    if not stepup.is_fresh(request, now=now):
        return stepup.ask(request)
    user, act = get_object_or_404(User, pk=pk), request.POST.get("act", "")
    if act not in ("role", "close", "open"):
        raise Http404
    try:
        if act == "role":
            people.set_role(user, role=request.POST.get("role", ""), by=by, now=now)
        else:
            people.set_active(user, is_active=act == "open", by=by, now=now)
    except people.Refused as refusal:
        messages.error(request, f"Nothing was changed: {refusal}.")
    else:
        messages.success(request, f"The account {user.get_username()} was changed.")
    return redirect("users")


def _page(request: HttpRequest, **shown: Any) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    return frame.page(
        request,
        "account/users.html",
        place="users",
        people=people.known(user),
        roles=people.ROLES.items(),
        may_add=user.has_perm(people.ADD),
        **shown,
    )


def _allowed(request: HttpRequest, permission: str) -> User:
    assert isinstance(request.user, User)
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user
