"""Alerts, which people acknowledge, and how a person's own contacts hear of each kind of message."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import cells, frame, notice_sheet
from dashboard.listings.alerts import ALERTS, UNSEEN, title
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage, Tab
from notifications.models import Alert, Severity, Voice
from notifications.services import alerts as service

PERMISSION = "notifications.change_alert"
TABS = (Tab(name="alerts", label="Alerts"), Tab(name="notices", label="My notifications"))
_MARKS = {
    Severity.CRITICAL: ("✕ critical", "loss"),
    Severity.WARNING: ("◐ warning", "warn"),
    Severity.INFO: ("○ information", ""),
}
SHOWN = 20


def _severity(row: Alert) -> Cell:
    text, tone = _MARKS[Severity(row.severity)]
    return Cell(text=text, tone=tone)


def _state(row: Alert) -> Cell:
    if row.cleared_at is None:
        return Cell(text="standing", tone="loss" if row.severity == Severity.CRITICAL else "")
    return Cell(text="over", tone="faint") if row.cleared_at > row.raised_at else Cell(text="told once", tone="faint")


def _seen(row: Alert) -> Cell:
    return Cell(text=f"✓ {row.acknowledged_by}") if row.acknowledged_at else cells.NONE


PAGE = ListPage(
    title="Alerts",
    explains="alerts",
    place="alerts",
    listing=ALERTS,
    caption="Alerts, newest first",
    empty="What people should know of will stand here from the moment it comes up until it is over: an old tick, a stop "
    "that is missing, a limit that is near.",
    refresh="bell",
    tabs=TABS,
    columns=(
        Column(label="Kind", css="pair", cell=lambda row: Cell(text=title(row))),
        Column(label="Severity", cell=_severity),
        Column(label="What", css="wide wrap", cell=lambda row: Cell(text=row.text)),
        Column(label="State", cell=_state),
        Column(label="Acknowledged", cell=_seen),
        Column(label="Raised", css="num", sort="raised", cell=lambda row: cells.moment(row.raised_at)),
        Column(label="Over", css="num", cell=lambda row: cells.moment(row.cleared_at)),
    ),
)


@never_cache
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    waiting = Alert.objects.filter(UNSEEN).order_by("-raised_at")[:SHOWN]
    return PAGE.response(
        request,
        template="dashboard/alerts.html",
        tab="alerts",
        waiting=[(alert, title(alert), *_MARKS[Severity(alert.severity)]) for alert in waiting],
        may_acknowledge=request.user.has_perm(PERMISSION),
    )


@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that the reader has seen an alert; one that was seen before stays as it was."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if service.acknowledge(pk, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, "The alert is acknowledged.")
    else:
        messages.info(request, "It was acknowledged already.")
    return redirect("alerts")


@never_cache
@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """Show how the reader's own contacts hear of each kind."""
    assert isinstance(request.user, User)
    return frame.page(
        request,
        "dashboard/notices.html",
        place="alerts",
        tabs=TABS,
        tab="notices",
        sheets=notice_sheet.sheets(request.user),
        voices=Voice.choices,
    )


@require_POST
def keep_notices(request: HttpRequest) -> HttpResponse:
    """Store how the reader's own contacts hear of each kind."""
    assert isinstance(request.user, User)
    count = notice_sheet.keep(request.user, {name: str(value) for name, value in request.POST.items()})
    messages.success(request, f"{count} setting{'s' * (count != 1)} changed." if count else "Nothing was changed.")
    return redirect("notices")
