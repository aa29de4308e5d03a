"""The journal as a list and as JSON."""

from __future__ import annotations

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.listings.trades import SYMBOL
from dashboard.told import Json
from trading.models import Event


def as_json(event: Event) -> dict[str, Json]:
    return told.fields(
        id=event.pk, at=event.at, kind=event.kind, symbol=event.symbol, text=event.text, payload=event.payload
    )


EVENTS = Listing(
    name="events",
    rows=Event.objects.all,
    filters=(
        query.text("q", "Text", "text__icontains"),
        query.beginning("kind", "Kind", "kind"),
        SYMBOL,
        query.since("at"),
        query.until("at"),
    ),
    sorts={"id": Sort(column="pk"), "at": Sort(column="at")},
    told=as_json,
    default_sort="-at",
)
