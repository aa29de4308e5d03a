"""Runs of research by the API: asked for, followed, canceled, annotated, compared; and the newest parity report."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import export, parity_sheet, run_form, told
from dashboard.api.base import ApiView, problem
from dashboard.api.lists import ListView
from dashboard.listings import BadQuery
from dashboard.listings.runs import RUNS, as_json, whole
from trading.models import BacktestRun
from trading.research.judgement import MOST_COMPARED
from trading.services import backtesting


class Runs(ListView):
    """GET lists runs without what they found; POST asks for one: see run_form.ask for what it may say."""

    listing = RUNS
    needs = run_form.PERMISSION

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        asked: Any = request.data if isinstance(request.data, dict) else {}
        try:
            run = run_form.ask(asked, user=request.user, now=timezone.now())
        except run_form.Refused as refusal:
            return problem(422, "No run was asked for", detail=str(refusal), field=refusal.field)
        return Response(as_json(run), status=202)


class Run(ApiView):
    """One run with its parameters, its log and what it found; ?format=csv: its trades. PATCH {"note"} says what it is for."""

    needs = run_form.PERMISSION

    def get(self, request: Request, pk: int) -> Response | HttpResponse:
        run = _run(pk)
        if request.query_params.get("format") == "csv":
            rows = (run.result or {}).get("trades", [])
            return HttpResponse(export.as_csv(rows), content_type="text/csv; charset=utf-8")
        return Response(whole(run))

    def patch(self, request: Request, pk: int) -> Response:
        asked: Any = request.data if isinstance(request.data, dict) else {}
        if not isinstance(note := asked.get("note"), str):
            return problem(422, "Nothing was kept", detail="is missing: write what the run is for", field="note")
        _run(pk)
        try:
            backtesting.annotate(pk, note=note)
        except backtesting.RunRefused as refusal:
            return problem(422, "Nothing was kept", detail=str(refusal), field="note")
        return Response(as_json(_run(pk)))


class Progress(ApiView):
    """How far a run is, with the end of its log; small enough to be asked for often."""

    def get(self, request: Request, pk: int) -> Response:
        run = BacktestRun.objects.defer("result", "against", "parameters").filter(pk=pk).first()
        if run is None:
            raise Http404("there is no such run")
        return Response(
            told.fields(
                id=run.pk,
                status=run.status,
                progress=run.progress,
                heartbeat_at=run.heartbeat_at,
                log=run.log[-20:],
                error=run.error,
            )
        )


class Cancel(ApiView):
    """POST cancels a run that waits or runs; 409 where it is over."""

    needs = run_form.PERMISSION

    def post(self, request: Request, pk: int) -> Response:
        _run(pk)
        try:
            backtesting.cancel(pk, by=request.user.get_username(), now=timezone.now())
        except backtesting.RunRefused as refusal:
            return problem(409, "Nothing was canceled", detail=str(refusal))
        return Response(as_json(_run(pk)))


class Compare(ApiView):
    """Up to four backtests side by side: ?runs=1,2,3."""

    def get(self, request: Request) -> Response:
        parts = request.query_params.get("runs", "").split(",")
        if (
            not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts)
            or len(parts) > MOST_COMPARED
        ):
            raise BadQuery("runs", f"name 1 to {MOST_COMPARED} runs by their numbers, such as 3,5")
        wanted = list(dict.fromkeys(int(part) for part in parts))
        found = BacktestRun.objects.in_bulk(wanted)
        if missing := [pk for pk in wanted if pk not in found]:
            raise BadQuery("runs", f"there is no run {missing[0]}")
        try:
            return Response(backtesting.compare([found[pk] for pk in wanted]))
        except backtesting.RunRefused as refusal:
            raise BadQuery("runs", str(refusal)) from refusal


class Parity(ApiView):
    """The newest report of what was really decided against what its stored inputs give; POST {"days"} asks for a new one."""

    needs = run_form.PERMISSION

    def get(self, request: Request) -> Response:
        run = parity_sheet.newest()
        return Response({"run": as_json(run) if run else None, "report": run.result if run else None})

    def post(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        asked: Any = request.data if isinstance(request.data, dict) else {}
        try:
            run = run_form.ask({"kind": "parity", "days": asked.get("days")}, user=request.user, now=timezone.now())
        except run_form.Refused as refusal:
            return problem(422, "No run was asked for", detail=str(refusal), field=refusal.field)
        return Response(as_json(run), status=202)


def _run(pk: int) -> BacktestRun:
    run = BacktestRun.objects.filter(pk=pk).first()
    if run is None:
        raise Http404("there is no such run")
    return run
