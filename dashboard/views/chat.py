"""Explanations of panels, and the page on which people ask in words; answers are text and change nothing."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import conversation, frame
from mlops import chat as talk
from mlops.panels import NAMES

SHOWN = 30


@never_cache
@require_POST
def explain(request: HttpRequest, panel: str) -> JsonResponse:
    """Explain a panel as it is now; 429 where too much is asked."""
    if panel not in NAMES:
        raise Http404("there is no such panel")
    try:
        message = talk.explain(panel, user=_reader(request), now=timezone.now())
    except talk.NotAsked as refusal:
        return JsonResponse({"detail": conversation.sentence(refusal)}, status=429)
    return JsonResponse(conversation.as_json(message))


@never_cache
@require_safe
def answer(request: HttpRequest, pk: int) -> JsonResponse:
    """Return one of the reader's own answers, or where it stands."""
    message = talk.find(pk, user=_reader(request), now=timezone.now())
    if message is None:
        raise Http404("there is no such answer")
    return JsonResponse(conversation.as_json(message))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def chat(request: HttpRequest) -> HttpResponse:
    """Show what was asked and answered; a question is posted here too."""
    reader, now = _reader(request), timezone.now()
    if request.method == "POST":
        try:
            talk.ask(request.POST.get("question", ""), user=reader, now=now)
        except talk.NotAsked as refusal:
            messages.error(request, conversation.sentence(refusal))
        return redirect("chat")
    return frame.page(
        request,
        "dashboard/chat.html",
        place="chat",
        now=now,
        exchanges=[conversation.exchange(message) for message in talk.history(user=reader, limit=SHOWN)],
        commentary=conversation.exchange(talk.commentary(now=now)),
        longest=talk.LONGEST_QUESTION,
        examples=conversation.EXAMPLES,
    )


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
