"""The reports on AI and ML, and what people decide there: models, trainings, and advisers that were bypassed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import ai_sheet, frame, learning, ml_sheet
from mlops import selectors

RECENT = 12
SPANS = [(key, key if key == "all" else f"{days} d") for key, days in selectors.SPANS.items()]


@never_cache
@require_safe
def ai_report(request: HttpRequest) -> HttpResponse:
    span, source = _span(request), request.GET.get("source", "")
    source = source if source in selectors.ADVISERS else "ai"
    sheet = ai_sheet.sheet(
        source,
        selectors.scorecard(selectors.SPANS[span]),
        bypasses=selectors.bypasses(),
        advices=selectors.advices(source, limit=RECENT),
        shadows=selectors.shadows(),
    )
    return frame.page(
        request,
        "dashboard/ai_report.html",
        place="ai-report",
        sheet=sheet,
        span=span,
        spans=SPANS,
        source=source,
        sources=selectors.ADVISERS,
    )


@never_cache
@require_safe
def ml_report(request: HttpRequest) -> HttpResponse:
    sheet = ml_sheet.sheet(
        selectors.models(),
        selectors.scorecard(selectors.SPANS["all"]),
        samples=selectors.samples(),
        runs=selectors.trainings(),
    )
    return frame.page(request, "dashboard/ml_report.html", place="ml-report", sheet=sheet)


@require_POST
def decide_model(request: HttpRequest, pk: int) -> HttpResponse:
    """Promote or retire a model."""

    def act(by: str) -> str:
        asked = request.POST
        done = learning.decide(pk, asked.get("act"), reason=asked.get("reason"), by=by, now=timezone.now())
        return f"The model {done} is {done.get_status_display()} now."

    return _acted(request, learning.MAY_DECIDE, act, back="ml-report")


@require_POST
def roll_back_model(request: HttpRequest) -> HttpResponse:
    def act(by: str) -> str:
        asked = request.POST
        done = learning.roll_back(asked.get("kind"), reason=asked.get("reason"), by=by, now=timezone.now())
        return f"The model {done} is the champion again."

    return _acted(request, learning.MAY_DECIDE, act, back="ml-report")


@require_POST
def train_model(request: HttpRequest) -> HttpResponse:
    def act(by: str) -> str:
        run = learning.train(request.POST.get("kind"), by=by, now=timezone.now())
        return f"The training of {run.get_kind_display()} waits for a worker."

    return _acted(request, learning.MAY_TRAIN, act, back="ml-report")


@require_POST
def lift_bypass(request: HttpRequest) -> HttpResponse:
    def act(by: str) -> str:
        asked = request.POST
        learning.lift(asked.get("source"), reason=asked.get("reason"), by=by, now=timezone.now())
        return "Its opinion counts again."

    return _acted(request, learning.MAY_LIFT, act, back="ai-report")


def _acted(request: HttpRequest, permission: str, act: Callable[[str], str], *, back: str) -> HttpResponse:
    """Do what was asked, and lead back to the report, which says what was done or why not."""
    user: Any = request.user
    if not user.has_perm(permission):
        raise PermissionDenied
    try:
        messages.success(request, act(user.get_username()))
    except learning.Refused as refusal:
        messages.error(request, f"Nothing was changed: {refusal.field} {refusal}")
    return redirect(back)


def _span(request: HttpRequest) -> str:
    span = request.GET.get("span", "")
    return span if span in selectors.SPANS else "30d"
