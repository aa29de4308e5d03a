"""What is shown where nothing can be: a page for people, a problem for programs, and nothing of what happened inside."""

from __future__ import annotations

import sys

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard import problems
from dashboard.middleware import API

TEXTS = {
    400: ("Bad request", "The request cannot be read."),
    403: ("Not allowed", "Your account may not do this: ask whoever gives the roles."),
    404: ("Not found", "There is nothing at this address."),
    413: ("Too much", "The request is larger than is taken here."),
    500: ("Something went wrong", "It was written down; whoever looks after Julaba finds it by the number below."),
    503: (
        "Busy",
        "The database is busy with other pages or not there: try again in a few seconds. Trading has its own.",
    ),
}
RETRY_AFTER_S = 5


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer for what nobody expected; without a connection to the database it is worth another try."""
    if not isinstance(sys.exception(), OperationalError):
        return _answer(request, 500)
    return busy(request)


def busy(request: HttpRequest) -> HttpResponse:
    answer = _answer(request, 503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def no_csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form without its token: the page was open for too long, or it was not ours."""
    return _answer(request, 403, "The page is out of date or was not ours: load it again and repeat what you did.")


def _answer(request: HttpRequest, status: int, text: str = "") -> HttpResponse:
    title, usual = TEXTS[status]
    if request.path.startswith(API):
        return problems.plain(request, status, title, detail=text or usual)
    number = getattr(request, "request_id", "")
    # Without a request the template asks no context processor: those may be what failed.
    page = {"title": title, "text": text or usual, "request_number": number}
    return render(None, "dashboard/error.html", page, status=status)
