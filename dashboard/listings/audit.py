"""The audit as a list and as JSON."""

from __future__ import annotations

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading.models import AuditEntry, AuditOutcome


def as_json(entry: AuditEntry) -> dict[str, Json]:
    return told.fields(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        act=entry.act,
        outcome=entry.outcome,
        about=entry.about,
        text=entry.text,
        details=entry.details,
        address=entry.address,
        request_id=entry.request_id,
        previous=entry.previous,
        digest=entry.digest,
    )


AUDIT = Listing(
    name="audit",
    rows=AuditEntry.objects.all,
    filters=(
        query.text("actor", "By", "actor__istartswith"),
        query.text("act", "Act", "act__istartswith"),
        query.choice("outcome", "Outcome", "outcome", AuditOutcome.choices),
        query.text("q", "Text", "text__icontains"),
        query.text("address", "From address", "address__istartswith"),
        query.text("request", "Request", "request_id"),
        query.since("at"),
        query.until("at"),
    ),
    sorts={"number": Sort(column="pk"), "at": Sort(column="at")},
    told=as_json,
    default_sort="-number",
)
