"""Signals with the funnel that says why no trade, and one decision from its candle to its fills."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import ai_sheet, cells, decision_sheet, formats, frame, presenters, replays, run_form
from dashboard.listings import SIGNALS
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from mlops.selectors import became
from trading import selectors
from trading.models import Signal
from trading.services import backtesting

SPANS = {"1d": ("24 h", timedelta(days=1)), "7d": ("7 d", timedelta(days=7)), "30d": ("30 d", timedelta(days=30))}


def _outcome(row: Signal) -> Cell:
    shown = presenters.decision_row(row, [])
    return Cell(text=shown.outcome, tone=f"outcome {shown.tone}", hint=shown.outcome)


def _refused(row: Signal) -> Cell:
    """Return how many filters and guards refused: the first one alone would hide the others."""
    verdicts = row.verdicts.all()
    refusing = [verdict.name for verdict in verdicts if not verdict.passed]
    if not refusing:
        return Cell(text=f"✓ all {len(verdicts)}", tone="gain")
    return Cell(text=f"✕ {len(refusing)} of {len(verdicts)}", hint=", ".join(formats.words(name) for name in refusing))


PAGE = ListPage(
    title="Signals",
    explains="decisions",
    place="signals",
    listing=SIGNALS,
    caption="Setups that were judged, newest first",
    empty="Every setup that was judged will stand here. Setups are rare: the first may take hours. The age of the tick "
    "above shows that bars are being read.",
    href=lambda row: reverse("decision", args=[row.pk]),
    refresh="decisions",
    keep=("span",),
    columns=(
        Column(label="Pair", css="pair", sort="symbol", cell=lambda row: cells.symbol(row.symbol, tag=row.timeframe)),
        Column(label="Side", cell=lambda row: cells.side(row.side)),
        Column(label="Outcome", css="wide", cell=_outcome),
        Column(label="Refused", cell=_refused, hint="How many filters and guards refused"),
        Column(
            label="Came to", hint="What it made, or would have made", cell=lambda row: ai_sheet.outcome(became(row))
        ),
        Column(label="Entry", css="minor", cell=lambda row: cells.words(row.strategy)),
        Column(label="Regime", css="minor", cell=lambda row: cells.words(row.regime)),
        Column(
            label="Score",
            css="num",
            sort="score",
            cell=lambda row: Cell(text=f"{row.score:.0f}") if row.score is not None else cells.NONE,
        ),
        Column(label="Price", css="num minor", cell=lambda row: Cell(text=formats.price(row.price))),
        Column(label="Decided", css="num", sort="decided", cell=lambda row: cells.moment(row.decided_at)),
    ),
)


@never_cache
@require_safe
def signals(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    span = request.GET.get("span", "")
    span = span if span in SPANS else "1d"
    known = frame.context()
    bot = known["bot"]
    # While the past is replayed, its last day is what is of interest.
    moment = bot.last_tick_at if bot and bot.is_replaying and bot.last_tick_at else timezone.now()
    funnel = selectors.funnel(since=moment - SPANS[span][1])
    return PAGE.response(
        request,
        template="dashboard/signals.html",
        known=known,
        funnel=funnel,
        steps=decision_sheet.funnel_rows(funnel),
        span=span,
        spans=[(key, label) for key, (label, _) in SPANS.items()],
    )


@never_cache
@require_safe
def decision(request: HttpRequest, pk: int) -> HttpResponse:
    found = selectors.decision(pk)
    if found is None:
        raise Http404("there is no such decision")
    return frame.page(
        request,
        "dashboard/decision.html",
        place="signals",
        sheet=decision_sheet.sheet(found),
        replay=replays.newest(pk),
        may_replay=request.user.has_perm(run_form.PERMISSION),
    )


@require_POST
def replay_decision(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a decision computed again from its stored inputs, and lead back to it, where the answer will stand."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(run_form.PERMISSION):
        raise PermissionDenied
    signal = Signal.objects.filter(pk=pk).select_related("revision").first()
    if signal is None:
        raise Http404("there is no such decision")
    try:
        replays.ask(signal, user=request.user, now=timezone.now())
    except backtesting.RunRefused as refusal:
        messages.error(request, f"Not replayed: {refusal}.")
    return redirect("decision", pk)
