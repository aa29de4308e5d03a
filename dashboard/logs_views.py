"""The log as a page and as JSON, for those who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import frame, logs
from dashboard.api.base import ApiView
from dashboard.listings import BadQuery

PERMISSION = "trading.view_log"
PROCESSES = ("julaba", "web", "trading", "work", "other", "notify", "research", "ml", "beat", "stream", "redis", "demo")
_FILTERS = {"level", "process", "q", "id", "page", "limit"}


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the log, newest first; a filter that cannot be understood is said and left out."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    problem, asked, number = "", logs.Asked(), 1
    try:
        asked, number, _ = _question(request.GET.dict())
    except BadQuery as wrong:
        problem = f"{wrong.field} {wrong}"
    rows, follows = logs.page(_files(), asked, number=number)
    known = {"level": asked.level, "process": asked.process, "q": asked.text, "id": asked.id}
    return frame.page(
        request,
        "dashboard/logs.html",
        place="logs",
        rows=rows,
        asked=asked,
        problem=problem,
        levels=logs.LEVELS,
        processes=PROCESSES,
        previous=_link(known, number - 1) if number > 1 else "",
        following=_link(known, number + 1) if follows and number < logs.MOST_PAGES else "",
    )


class Logs(ApiView):
    """GET returns {"results", "next"}: entries of the log, newest first; `next` is the page that follows, or null."""

    reads = PERMISSION

    def get(self, request: Request) -> Response:
        asked = request.query_params.dict()
        if unknown := sorted(set(asked) - _FILTERS):
            raise BadQuery(unknown[0], f"is no filter of the log: use {', '.join(sorted(_FILTERS))}")
        wanted, number, size = _question(asked)
        rows, follows = logs.page(_files(), wanted, number=number, size=size)
        results = [
            {
                "at": row.at.isoformat(),
                "process": row.process,
                "level": row.level,
                "logger": row.logger,
                "text": row.text,
                "ids": dict(row.ids),
            }
            for row in rows
        ]
        return Response({"results": results, "next": number + 1 if follows and number < logs.MOST_PAGES else None})


def _files() -> list[list[Path]]:
    return logs.files(data_dir=settings.JULABA_DATA_DIR, log_dir=settings.LOG_DIR)


def _question(asked: Mapping[str, str]) -> tuple[logs.Asked, int, int]:
    """Return what is looked for, which page and how many; raises BadQuery."""
    level = asked.get("level", "").strip().upper()
    if level and level not in logs.LEVELS:
        raise BadQuery("level", f"{level[:20]!r} is none of {', '.join(logs.LEVELS)}")
    wanted = logs.Asked(
        level=level,
        process=asked.get("process", "").strip()[:40],
        text=asked.get("q", "").strip()[:200],
        id=asked.get("id", "").strip()[:80],
    )
    return wanted, _whole(asked, "page", 1, logs.MOST_PAGES), _whole(asked, "limit", logs.PER_PAGE, 500)


def _whole(asked: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = asked.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most):
        raise BadQuery(name, f"{text[:20]!r} is no whole number from 1 to {most}")
    return int(text)


def _link(known: Mapping[str, str], number: int) -> str:
    asked = {name: value for name, value in known.items() if value}
    return "?" + urlencode({**asked, "page": str(number)})
