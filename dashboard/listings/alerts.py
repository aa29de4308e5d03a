"""Alerts as a list and as JSON."""

from __future__ import annotations

from django.db.models import Q

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from notifications.kinds import KINDS
from notifications.models import Alert, Severity

STANDING = Q(cleared_at__isnull=True)
UNSEEN = STANDING & Q(acknowledged_at__isnull=True)


def title(alert: Alert) -> str:
    """Return in words what kind of alert it is; a kind that is no more keeps its name."""
    known = KINDS.get(alert.kind)
    return known.text if known else alert.kind.replace("_", " ")


def as_json(alert: Alert) -> dict[str, Json]:
    return told.fields(
        id=alert.pk,
        kind=alert.kind,
        title=title(alert),
        severity=alert.severity,
        text=alert.text,
        raised_at=alert.raised_at,
        cleared_at=alert.cleared_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        escalated_at=alert.escalated_at,
    )


ALERTS = Listing(
    name="alerts",
    rows=Alert.objects.all,
    filters=(
        query.conditions(
            "status",
            "Status",
            [
                ("standing", "standing", STANDING),
                ("unseen", "standing, not acknowledged", UNSEEN),
                ("over", "over", ~STANDING),
            ],
        ),
        query.choice("severity", "Severity", "severity", Severity.choices),
        query.text("kind", "Kind", "kind__istartswith"),
        query.text("q", "Text", "text__icontains"),
        query.since("raised_at"),
        query.until("raised_at"),
    ),
    sorts={"id": Sort(column="pk"), "raised": Sort(column="raised_at")},
    told=as_json,
    default_sort="-raised",
)
