"""The overview, the switch of the frame, and the reader's own password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import frame, login_audit, sessions, stepup, switch
from dashboard import overview as page
from trading.services import audit


@never_cache
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return render(request, "dashboard/overview.html", {**page.context(now), **frame.around("overview"), "now": now})


@require_POST
def trading_state(request: HttpRequest) -> HttpResponse:
    """Set the trading state as the frame's form asks, and lead back to the overview."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(switch.PERMISSION):
        raise PermissionDenied
    asked = {name: request.POST.get(name) for name in ("state", "reason")}
    if switch.is_looser(asked["state"]) and not stepup.is_fresh(request, now=timezone.now()):
        return stepup.ask(request)
    try:
        bot = switch.change(**asked, by=request.user, now=timezone.now())
    except switch.Refused as refusal:
        messages.error(request, f"Nothing was changed: the {refusal.field} {refusal}")
    else:
        messages.success(request, f"Trading is {bot.get_trading_state_display()}.")
    return redirect("overview")


class Password(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    template_name = "dashboard/password.html"
    success_url = reverse_lazy("overview")
    success_message = "Your password was changed; your other sessions were ended."

    def form_valid(self, form: Any) -> HttpResponse:
        """End the account's other sessions, and have this one go on under a new key."""
        user, was = self.request.user, self.request.session.session_key
        assert isinstance(user, User)
        answer = super().form_valid(form)
        sessions.renew(self.request, was=was)
        sessions.end_others(user, but=self.request.session.session_key)
        name, now = user.get_username(), timezone.now()
        sessions.prove(self.request.session, now=now)
        audit.record("password", actor=name, at=now, text="Changed the password")
        login_audit.tell(f"{name}: changed the password", now=now)
        return answer
