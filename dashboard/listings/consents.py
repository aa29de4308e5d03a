"""What people asked other people's consent to, as a list and as JSON."""

from __future__ import annotations

from django.db.models import QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading.models import Consent, ConsentAct


def _rows() -> QuerySet[Consent]:
    return Consent.objects.select_related("asked_by", "answered_by")


def as_json(row: Consent) -> dict[str, Json]:
    return told.fields(
        id=row.pk,
        act=row.act,
        about=row.about,
        text=row.text,
        reason=row.reason,
        asked_by=row.asked_by.get_username(),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        answer=row.answer,
        answered_by=row.answered_by.get_username() if row.answered_by else None,
        answered_at=row.answered_at,
        outcome=row.outcome,
    )


CONSENTS = Listing(
    name="consents",
    rows=_rows,
    filters=(
        query.choice("act", "What", "act", ConsentAct.choices),
        query.since("asked_at"),
        query.until("asked_at"),
    ),
    sorts={"id": Sort(column="pk"), "asked": Sort(column="asked_at")},
    told=as_json,
    default_sort="-asked",
)
