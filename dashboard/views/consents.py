"""Where another person consents to what was asked for, or refuses."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import cells, formats, stepup
from dashboard.listings.consents import CONSENTS
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from trading.models import Consent, ConsentAnswer
from trading.services import consenting

ON = "What loosens is done once another person has consented here: who could do it as well, and did not ask for it."
OFF = "One person is enough: SECOND_PERSON=1 would ask for two (CONFIGURATION.md)."


def _answer(row: Consent) -> Cell:
    if row.answer == ConsentAnswer.GIVEN:
        return Cell(text="given", tone="outcome taken")
    if row.answer == ConsentAnswer.REFUSED:
        return Cell(text="refused", tone="outcome refused")
    is_over = timezone.now() >= row.expires_at
    return Cell(text="nobody answered", tone="faint") if is_over else Cell(text="waits", tone="outcome expired")


PAGE = ListPage(
    title="Consents",
    explains="consents",
    place="consents",
    listing=CONSENTS,
    caption="What people asked other people's consent to, newest first",
    empty="Where two people are needed, what one asks for will stand here until another has consented.",
    columns=(
        Column(label="Request", css="pair", cell=lambda row: Cell(text=f"#{row.pk}")),
        Column(label="Consent", cell=_answer),
        Column(label="What", css="wide wrap", cell=lambda row: Cell(text=row.text)),
        Column(label="Reason", css="wide wrap", cell=lambda row: Cell(text=row.reason)),
        Column(label="By", cell=lambda row: Cell(text=row.asked_by.get_username())),
        Column(
            label="Answered by",
            cell=lambda row: Cell(text=row.answered_by.get_username() if row.answered_by else formats.NOTHING),
        ),
        Column(label="What became of it", css="wide wrap", cell=lambda row: Cell(text=row.outcome or formats.NOTHING)),
        Column(label="Asked", css="num", sort="asked", cell=lambda row: cells.moment(row.asked_at)),
    ),
)


@never_cache
@require_safe
def consents(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    assert isinstance(request.user, User)
    waiting = Consent.objects.select_related("asked_by").filter(answer="", expires_at__gt=timezone.now()).order_by("pk")
    return PAGE.response(
        request,
        template="dashboard/consents.html",
        says=ON if settings.SECOND_PERSON else OFF,
        waiting=[
            (row, consenting.may_answer(row, request.user), row.asked_by_id == request.user.pk) for row in waiting
        ],
    )


@require_POST
def answer_consent(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Give consent, which needs a fresh proof, or refuse it."""
    assert isinstance(request.user, User)
    if act not in ACTS:
        raise Http404
    now = timezone.now()
    if act == "give" and not stepup.is_fresh(request, now=now):
        return stepup.ask(request)
    try:
        row = ACTS[act](pk, by=request.user, now=now)
    except consenting.NotYours as refusal:
        raise PermissionDenied(str(refusal)) from refusal
    except consenting.ConsentRefused as refusal:
        messages.error(request, f"Nothing was done: {refusal}.")
    else:
        messages.success(request, f"Consent to request {row.pk} is {row.get_answer_display()}. {row.outcome}")
    return redirect("consents")


ACTS = {"give": consenting.give, "refuse": consenting.refuse}
