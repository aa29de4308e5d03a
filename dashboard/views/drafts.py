"""Changing parameters: edited, checked, compared by the gate, put in force, and rolled back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import cells, draft_sheet, formats, frame, looser, stepup
from dashboard.listings.drafts import DRAFTS
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from dashboard.views.parameters import PROPOSE, TABS, change_cell
from trading.core.params import SPECS, Params
from trading.forms import RevisionForm
from trading.models import DraftStatus, ParameterDraft, ParameterRevision
from trading.services import gate, parameters

OVERRULE = "trading.overrule_gate"
KEPT = (*SPECS, "reason")
"""Fields that stay as they were edited while the page asks who is there."""
REFUSALS = (gate.GateRefused, parameters.NothingToRollBack, parameters.RevisionConflict)
TONES = {
    DraftStatus.ACTIVE: "outcome taken",
    DraftStatus.WAITING: "outcome expired",
    DraftStatus.HELD: "outcome refused",
}

PAGE = ListPage(
    title="Parameters",
    explains="parameters",
    place="parameters",
    listing=DRAFTS,
    caption="Proposed changes of the parameters, newest first",
    empty="Each proposed change will stand here with what its comparison found. Change parameters proposes one.",
    href=lambda row: reverse("draft", args=[row.pk]),
    refresh="draft",
    tabs=TABS,
    columns=(
        Column(label="Draft", css="pair", cell=lambda row: Cell(text=f"#{row.pk}")),
        Column(label="Status", cell=lambda row: Cell(text=row.get_status_display(), tone=_tone(row))),
        Column(label="What changes", css="wide", cell=lambda row: change_cell(row.changes)),
        Column(label="Found", css="wide wrap", cell=lambda row: Cell(text=row.finding or formats.NOTHING)),
        Column(label="By", cell=lambda row: Cell(text=row.author_name)),
        Column(label="Proposed", css="num", sort="created", cell=lambda row: cells.moment(row.created_at)),
    ),
)


def _tone(row: ParameterDraft) -> str:
    return TONES.get(DraftStatus(row.status), "faint")


@never_cache
@require_safe
def drafts(request: HttpRequest) -> HttpResponse:
    return PAGE.response(request, tab="drafts")


@never_cache
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """Edit every parameter; "validate" says what would become of it, "propose" does it."""
    user, now = _allowed(request, PROPOSE), timezone.now()
    revision = parameters.current(now=now)
    known = parameters.params_of(revision)
    kept = {name: value for name, value in request.GET.items() if name in KEPT}
    wanted, form = known, RevisionForm(initial={**known.as_json(), "expected_number": revision.number, **kept})
    if request.method == "POST":
        form = RevisionForm(request.POST)
        if form.is_valid():
            wanted = Params.of(form.values())
            if request.POST.get("do") != "validate":
                if looser.are_values(form.values(), now=now) and not stepup.is_fresh(request, now=now):
                    return stepup.ask(request, back=_kept(request, known, wanted))
                if done := _propose(request, form, user):
                    return done
    return frame.page(
        request,
        "dashboard/change_parameters.html",
        place="parameters",
        form=form,
        groups=draft_sheet.form_groups(form, known),
        changes=draft_sheet.between(known, wanted),
        fate=draft_sheet.fate(known, wanted) if form.is_bound and form.is_valid() else "",
        revision=revision,
        tabs=TABS,
    )


@never_cache
@require_safe
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    found = ParameterDraft.objects.select_related("base", "revision", "run").filter(pk=pk).first()
    if found is None:
        raise Http404("there is no such draft")
    return frame.page(
        request,
        "dashboard/draft.html",
        place="parameters",
        draft=found,
        tone=_tone(found),
        changes=draft_sheet.changes(found.changes),
        figures=draft_sheet.figures(found),
        is_open=found.status in gate.OPEN,
        may_overrule=request.user.has_perm(OVERRULE),
        may_discard=request.user.has_perm(PROPOSE),
    )


@require_POST
def decide(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Overrule the gate, or give the draft up."""
    if act not in ("overrule", "discard"):
        raise Http404
    user, now = _allowed(request, OVERRULE if act == "overrule" else PROPOSE), timezone.now()
    if act == "overrule" and not stepup.is_fresh(request, now=now):
        return stepup.ask(request)

    def deed() -> str:
        if act == "discard":
            gate.discard(pk, by=user.get_username(), now=now)
            return f"Draft {pk} was discarded."
        made = gate.overrule(pk, reason=_reason(request), author=user, now=now)
        return f"Revision {made.number} is in force from the next tick on; it says that you overruled the gate."

    _tell(request, deed)
    return redirect("draft", pk)


@never_cache
@require_safe
def revision(request: HttpRequest, number: int) -> HttpResponse:
    found, now = ParameterRevision.objects.filter(number=number).first(), timezone.now()
    if found is None:
        raise Http404("there is no such revision")
    known = parameters.current(now=now)
    return frame.page(
        request,
        "dashboard/revision.html",
        place="parameters",
        revision=found,
        changes=draft_sheet.changes(found.changes),
        back=draft_sheet.between(parameters.params_of(known), parameters.params_of(found)),
        in_force=known,
        draft=ParameterDraft.objects.filter(revision=found).first(),
        may_change=request.user.has_perm(PROPOSE),
    )


@require_POST
def roll_back(request: HttpRequest, number: int) -> HttpResponse:
    """Put an earlier revision's values in force again, as a new revision."""
    user, now = _allowed(request, PROPOSE), timezone.now()
    known = parameters.current(now=now)
    if looser.is_revision(number, now=now) and not stepup.is_fresh(request, now=now):
        return stepup.ask(request)

    def deed() -> str:
        made = parameters.roll_back(
            number=number,
            reason=_reason(request) or "no reason given",
            author=user,
            expected_number=known.number,
            now=now,
        )
        return f"Revision {made.number} is in force from the next tick on. {made.reason}."

    _tell(request, deed)
    return redirect("revisions")


def _kept(request: HttpRequest, known: Params, wanted: Params) -> str:
    """Return the page's address with what was edited, so that nothing has to be typed again."""
    edited = [*(row.name for row in draft_sheet.between(known, wanted)), "reason"]
    return f"{reverse('change-parameters')}?{urlencode({name: request.POST.get(name, '') for name in edited})}"


def _propose(request: HttpRequest, form: RevisionForm, user: User) -> HttpResponse | None:
    """Propose what the form holds and lead on to what became of it; None where the form says why not."""
    try:
        made = parameters.propose(
            values=form.values(),
            reason=form.cleaned_data["reason"],
            author=user,
            expected_number=form.cleaned_data["expected_number"],
            now=timezone.now(),
        )
    except parameters.RevisionConflict as conflict:
        form.add_error(None, str(conflict))
        return None
    if made.outcome is parameters.Outcome.UNCHANGED:
        form.add_error(None, made.text)
        return None
    messages.success(request, made.text)
    return redirect("draft", made.draft.pk) if made.draft else redirect("revisions")


def _tell(request: HttpRequest, deed: Callable[[], str]) -> None:
    try:
        messages.success(request, deed())
    except REFUSALS as refusal:
        messages.error(request, f"Nothing was changed: {refusal}.")


def _allowed(request: HttpRequest, permission: str) -> User:
    assert isinstance(request.user, User)
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:500]
