"""Proposed parameters and what became of them, as a list and as JSON."""

from __future__ import annotations

from django.db.models import QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading.models import DraftStatus, ParameterDraft


def _rows() -> QuerySet[ParameterDraft]:
    return ParameterDraft.objects.select_related("base", "revision")


def as_json(draft: ParameterDraft) -> dict[str, Json]:
    return told.fields(
        id=draft.pk,
        created_at=draft.created_at,
        author=draft.author_name,
        base=draft.base.number,
        status=draft.status,
        changes=draft.changes,
        reason=draft.reason,
        finding=draft.finding,
        comparison=draft.comparison,
        settled_at=draft.settled_at,
        settled_by=draft.settled_by,
        overrule_reason=draft.overrule_reason,
        revision=draft.revision.number if draft.revision else None,
    )


DRAFTS = Listing(
    name="drafts",
    rows=_rows,
    filters=(
        query.choice("status", "Status", "status", DraftStatus.choices),
        query.text("author", "By", "author_name__istartswith"),
        query.text("q", "Reason", "reason__icontains"),
        query.since("created_at"),
        query.until("created_at"),
    ),
    sorts={"id": Sort(column="pk"), "created": Sort(column="created_at")},
    told=as_json,
    default_sort="-created",
)
