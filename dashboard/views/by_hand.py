"""The forms by which people close a part of a position or move its stop."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard import by_hand, switch
from trading.models import InstructedAct
from trading.services.instructing import InstructionRefused


@require_POST
def instruct_trade(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Ask for an act; the next tick does it, and the page says what became of it."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(switch.PERMISSION):
        raise PermissionDenied
    if act not in InstructedAct.values:
        raise Http404("there is no such act")
    asked = request.POST.dict()
    if asked.get("percent"):
        asked["fraction"] = _fraction(str(asked["percent"]))
    key = by_hand.key_of(f"user:{request.user.pk}", str(asked.get("key") or ""))
    try:
        made = by_hand.ask(act, pk, asked, by=request.user.get_username(), key=key, now=timezone.now())
    except InstructionRefused as refusal:
        what = f"{refusal.field} " if refusal.field not in ("", "trade") else ""
        messages.error(request, f"Nothing was changed: {what}{refusal}.")
    else:
        messages.success(request, f"Trade {pk}: {made.get_act_display()}, {made.get_status_display()}.")
    return redirect(by_hand.back(request, pk))


def _fraction(percent: str) -> str:
    """Return a percentage, as forms take it, as a fraction of one; what is no number stays what it is."""
    try:
        return f"{float(percent.replace(',', '.')) / 100:.10g}"
    except ValueError:
        return percent
