"""Questions in words: POST asks, and where Gemini is asked, GET has the answer later. Answers change nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import conversation
from dashboard.api.base import ApiView
from dashboard.models import Scope
from dashboard.problems import Unprocessable
from mlops import chat
from mlops.models import ChatMessage
from mlops.panels import NAMES


class Explain(ApiView):
    """POST {"panel"} explains a panel as it is now."""

    scope = Scope.READ

    def post(self, request: Request) -> Response:
        panel = _text(request, "panel")
        if panel not in NAMES:
            raise Unprocessable("panel", f"is none of {', '.join(NAMES)}")
        return _told(lambda user: chat.explain(panel, user=user, now=timezone.now()), request)


class Chat(ApiView):
    """POST {"question"} answers a question about the system's state."""

    scope = Scope.READ

    def post(self, request: Request) -> Response:
        question = _text(request, "question")
        return _told(lambda user: chat.ask(question, user=user, now=timezone.now()), request)


class Answer(ApiView):
    """One of your own questions with its answer; `is_waiting` until there is one."""

    def get(self, request: Request, pk: int) -> Response:
        message = chat.find(pk, user=_user(request), now=timezone.now())
        if message is None:
            raise Http404("there is no such question of yours")
        return Response(conversation.as_json(message))


class Commentary(ApiView):
    """The newest commentary on the market."""

    def get(self, request: Request) -> Response:
        return Response(conversation.as_json(chat.commentary(now=timezone.now())))


def _told(ask: Any, request: Request) -> Response:
    try:
        message: ChatMessage = ask(_user(request))
    except chat.NotAsked as refusal:
        raise Throttled(detail=conversation.sentence(refusal)) from refusal
    return Response(conversation.as_json(message), status=202 if message.is_waiting else 200)


def _text(request: Request, name: str) -> str:
    body: Any = request.data if isinstance(request.data, dict) else {}
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise Unprocessable(name, "is missing: give it as text")
    return found


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
