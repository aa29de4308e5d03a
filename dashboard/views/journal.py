"""What happened: the journal, and every change of the trading state."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import cells
from dashboard.listings import EVENTS, STATES
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage, Tab
from trading.models import Event, StateChange, TradingState

TABS = (Tab(name="journal", label="Events"), Tab(name="states", label="Trading state"))
_STATES = dict(TradingState.choices)


def _about(row: Event) -> Cell:
    """Return a link to what the event is about, where its payload names it."""
    if isinstance(pk := row.payload.get("trade"), int):
        return cells.trade(pk)
    if isinstance(pk := row.payload.get("signal"), int):
        return Cell(text="decision", href=reverse("decision", args=[pk]))
    return cells.NONE


def _state(name: str) -> str:
    return str(_STATES.get(name, name))


def _change(row: StateChange) -> Cell:
    return Cell(text=f"{_state(row.from_state)} → {_state(row.to_state)}")


EVENT_PAGE = ListPage(
    title="Journal",
    place="journal",
    listing=EVENTS,
    caption="Events, newest first",
    empty="What happens will stand here: entries, exits, changes of parameters and of the trading state.",
    refresh="journal",
    tabs=TABS,
    explains="journal",
    columns=(
        Column(label="When", cell=lambda row: cells.moment(row.at), sort="at"),
        Column(label="Kind", css="minor", cell=lambda row: cells.words(row.kind)),
        Column(label="Pair", css="minor", cell=lambda row: Cell(text=row.symbol) if row.symbol else cells.NONE),
        Column(label="What happened", css="wide wrap", cell=lambda row: Cell(text=row.text)),
        Column(label="About", cell=_about),
    ),
)
STATE_PAGE = ListPage(
    title="Journal",
    explains="states",
    place="journal",
    listing=STATES,
    caption="Changes of the trading state, newest first",
    empty="Each halt and each resume will stand here, with its reason. Software only tightens; people loosen.",
    refresh="journal",
    tabs=TABS,
    columns=(
        Column(label="When", cell=lambda row: cells.moment(row.at), sort="at"),
        Column(label="Change", css="wide", cell=_change),
        Column(label="By", cell=lambda row: Cell(text=row.by or "Julaba")),
        Column(label="Reason", css="wide wrap", cell=lambda row: Cell(text=row.reason)),
    ),
)


@never_cache
@require_safe
def journal(request: HttpRequest) -> HttpResponse:
    return EVENT_PAGE.response(request, tab="journal")


@never_cache
@require_safe
def states(request: HttpRequest) -> HttpResponse:
    return STATE_PAGE.response(request, tab="states")
