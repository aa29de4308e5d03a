"""Runs of research: the list with its form, one run with its progress and what it found, and up to four side by side."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import cells, compare_sheet, export, formats, frame, parity_sheet, run_form, run_sheet, study_sheet
from dashboard.listings.runs import RUNS, whole
from dashboard.run_form import Refused
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from trading.core import study_plan, timeframes
from trading.core.params import Params
from trading.models import UNFINISHED, BacktestRun, RunKind, RunStatus
from trading.research.judgement import MOST_COMPARED
from trading.services import backtesting

_MARKS = {RunStatus.DONE: "✓ ", RunStatus.FAILED: "✕ ", RunStatus.CANCELED: "○ "}


def _status(row: BacktestRun) -> Cell:
    status = RunStatus(row.status)
    text = f"{row.progress} %" if status == RunStatus.RUNNING else str(status.label)
    tone = {RunStatus.DONE: "gain", RunStatus.FAILED: "loss"}.get(status, "")
    return Cell(text=_MARKS.get(status, "◐ ") + text, tone=tone, hint=row.error)


def _what(row: BacktestRun) -> Cell:
    names = ", ".join(row.symbols[:3]) + (f" and {len(row.symbols) - 3} more" if len(row.symbols) > 3 else "")
    return Cell(text=names, hint=", ".join(row.symbols))


def _span(row: BacktestRun) -> Cell:
    begin, end = row.start_at, row.end_at
    return Cell(text=formats.span(end - begin)) if begin and end else Cell(text="all that is stored")


def _note(row: BacktestRun) -> Cell:
    return Cell(text=row.note or row.error) if row.note or row.error else cells.NONE


PAGE = ListPage(
    title="Backtests",
    explains="runs",
    place="backtests",
    listing=RUNS,
    caption="Backtests and studies, newest first",
    empty="Each backtest, sweep, walk forward and Monte Carlo study will stand here with what it found. Start one above.",
    href=lambda row: reverse("backtest", args=[row.pk]),
    refresh="run",
    columns=(
        Column(label="Run", css="pair", sort="id", cell=lambda row: Cell(text=f"#{row.pk} {row.get_kind_display()}")),
        Column(label="Status", cell=_status),
        Column(label="Pairs", css="wide", cell=_what),
        Column(label="Bars", cell=lambda row: Cell(text=row.timeframe)),
        Column(label="Time", css="num", cell=_span),
        Column(label="Note", css="wide wrap", cell=_note),
        Column(label="By", css="minor", cell=lambda row: Cell(text=row.requested_by_name)),
        Column(label="Asked", css="num", sort="requested", cell=lambda row: cells.moment(row.requested_at)),
    ),
)


@never_cache
@require_safe
def backtests(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    return _list(request, asked={}, refused=None)


@require_POST
def start_backtest(request: HttpRequest) -> HttpResponse:
    """Ask for a run as the form says; what is wrong is said beside the form, with what was typed."""
    user = _allowed(request)
    asked = {name: str(value) for name, value in request.POST.items()}
    try:
        run = run_form.ask(asked, user=user, now=timezone.now())
    except Refused as refused:
        return _list(request, asked=asked, refused=refused)
    return redirect("backtest", run.pk)


def _list(request: HttpRequest, *, asked: dict[str, str], refused: Refused | None) -> HttpResponse:
    known = frame.context()
    params: Params = known["params"]
    return PAGE.response(
        request,
        template="dashboard/backtests.html",
        known=known,
        asked={
            "days": str(run_form.USUAL_DAYS),
            "timeframe": params.timeframe,
            "symbols": ", ".join(params.pairs),
            **asked,
        },
        refused=refused,
        sources=run_form.sources(),
        kinds=[(kind.value, kind.label) for kind in run_form.ASKABLE if kind != RunKind.PARITY],
        timeframes=list(timeframes.MILLISECONDS),
        numbers=study_plan.NUMBERS,
        methods=study_plan.METHODS,
        objectives=study_plan.OBJECTIVES,
        most_days=run_form.MOST_DAYS,
        may_start=request.user.has_perm(run_form.PERMISSION),
        most_compared=MOST_COMPARED,
    )


@never_cache
@require_safe
def backtest(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    if request.GET.get("format") in ("csv", "json"):
        return _file(run, request.GET["format"])
    page = _page(request)
    is_backtest = run.kind == RunKind.BACKTEST
    return frame.page(
        request,
        "dashboard/backtest.html",
        place="parity" if run.kind == RunKind.PARITY else "backtests",
        run=run,
        is_unfinished=run.status in UNFINISHED,
        elapsed=formats.span((run.finished_at or timezone.now()) - run.started_at) if run.started_at else "",
        log=run.log[-12:][::-1],
        may_act=request.user.has_perm(run_form.PERMISSION),
        sheet=run_sheet.sheet(run.result, page=page) if run.result and is_backtest else None,
        study=study_sheet.sheet(run.kind, run.result) if run.result and not is_backtest else None,
        month_names=run_sheet.MONTHS,
        page_number=page,
        changed=_changed(run),
        plan=[(formats.words(name), _shown(value)) for name, value in (run.plan or {}).items()],
    )


@require_POST
def cancel_backtest(request: HttpRequest, pk: int) -> HttpResponse:
    user = _allowed(request)
    try:
        backtesting.cancel(pk, by=user.get_username(), now=timezone.now())
    except backtesting.RunRefused as refusal:
        messages.error(request, f"Nothing was canceled: {refusal}.")
    else:
        messages.success(request, f"Run {pk} is canceled.")
    return redirect("backtest", pk)


@require_POST
def annotate_backtest(request: HttpRequest, pk: int) -> HttpResponse:
    _allowed(request)
    try:
        backtesting.annotate(pk, note=request.POST.get("note", ""))
    except backtesting.RunRefused as refusal:
        messages.error(request, f"The note was not kept: {refusal}.")
    else:
        messages.success(request, "The note is kept.")
    return redirect("backtest", pk)


@never_cache
@require_safe
def compare_backtests(request: HttpRequest) -> HttpResponse:
    """Set up to four runs side by side: ?run=1&run=2."""
    wanted = [
        int(each) for each in request.GET.getlist("run") if each.isascii() and each.isdecimal() and len(each) < 10
    ]
    found = BacktestRun.objects.defer("log").in_bulk(wanted[: MOST_COMPARED + 1])
    runs = [found[pk] for pk in dict.fromkeys(wanted) if pk in found]
    problem, sheet = "", None
    try:
        sheet = compare_sheet.sheet(runs)
    except backtesting.RunRefused as refusal:
        problem = str(refusal)
    return frame.page(
        request,
        "dashboard/compare.html",
        place="backtests",
        sheet=sheet,
        problem=problem,
        most=MOST_COMPARED,
        done=BacktestRun.objects.filter(kind=RunKind.BACKTEST, status=RunStatus.DONE)
        .defer("result", "log")
        .order_by("-pk")[:30],
        chosen={run.pk for run in runs},
    )


@never_cache
@require_safe
def parity(request: HttpRequest) -> HttpResponse:
    """Show the newest report of what was really decided against what its stored inputs give."""
    return frame.page(
        request,
        "dashboard/parity.html",
        place="parity",
        may_start=request.user.has_perm(run_form.PERMISSION),
        **parity_sheet.context(),
    )


@require_POST
def start_parity(request: HttpRequest) -> HttpResponse:
    user = _allowed(request)
    try:
        run_form.ask({"kind": RunKind.PARITY, "days": request.POST.get("days", "")}, user=user, now=timezone.now())
    except Refused as refused:
        messages.error(request, f"Nothing was started: {refused.field} {refused}.")
    return redirect("parity")


def _allowed(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    if not request.user.has_perm(run_form.PERMISSION):
        raise PermissionDenied
    return request.user


def _run(pk: int) -> BacktestRun:
    run = BacktestRun.objects.filter(pk=pk).first()
    if run is None:
        raise Http404("there is no such run")
    return run


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def _file(run: BacktestRun, kind: str) -> HttpResponse:
    name = f"run-{run.pk}.{kind}"
    if kind == "json":
        body, media = json.dumps(whole(run), indent=1), "application/json"
    else:
        rows: list[dict[str, Any]] = (run.result or {}).get("trades", [])
        body, media = export.as_csv(rows), "text/csv; charset=utf-8"
    return HttpResponse(body, content_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _changed(run: BacktestRun) -> list[tuple[str, str]]:
    """Return the parameters of a run that are not the defaults, but its pairs."""
    usual = Params().as_json()
    return [
        (name, _shown(value))
        for name, value in sorted(run.parameters.items())
        if name != "pairs" and usual.get(name) != value
    ]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
