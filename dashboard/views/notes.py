"""What a person writes about a trade, from its page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from trading.models import Trade
from trading.services import notes
from trading.services.notes import NoteRefused

PERMISSION = "trading.add_tradenote"


@require_POST
def note_trade(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a note, put a tag on, or take one off, as the form says."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    trade = Trade.objects.filter(pk=pk).first()
    if trade is None:
        raise Http404("there is no such trade")
    by, now = request.user.get_username(), timezone.now()
    try:
        if "untag" in request.POST:
            notes.untag(trade, name=request.POST["untag"], now=now)
        elif "tag" in request.POST:
            notes.tag(trade, name=request.POST["tag"], by=by, now=now)
        else:
            notes.write(trade, text=request.POST.get("text", ""), by=by, now=now)
    except NoteRefused as refusal:
        messages.error(request, f"Nothing was kept: the {refusal.field} {refusal}.")
    return redirect("trade", pk)
