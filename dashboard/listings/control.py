"""Comparisons, invariants, revisions and changes of the trading state, as lists and as JSON."""

from __future__ import annotations

from django.db.models import Q

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading.models import ExternalOrder, InvariantRun, ParameterRevision, ReconcileKind, ReconcileRun, StateChange

_BY_TIME = {"id": Sort(column="pk"), "at": Sort(column="at")}


def _run_as_json(run: ReconcileRun) -> dict[str, Json]:
    return told.fields(
        id=run.pk,
        at=run.at,
        kind=run.kind,
        epoch=run.epoch,
        passed=run.passed,
        problem=run.problem,
        orders=run.orders,
        fills=run.fills,
        positions=run.positions,
        differences=run.differences,
    )


def _invariants_as_json(run: InvariantRun) -> dict[str, Json]:
    return told.fields(id=run.pk, at=run.at, checked=run.checked, violations=run.violations)


def _revision_as_json(revision: ParameterRevision) -> dict[str, Json]:
    return told.fields(
        id=revision.pk,
        number=revision.number,
        created_at=revision.created_at,
        author=revision.author_name,
        reason=revision.reason,
        changes=revision.changes,
    )


def _state_as_json(change: StateChange) -> dict[str, Json]:
    return told.fields(
        id=change.pk,
        at=change.at,
        from_state=change.from_state,
        to_state=change.to_state,
        reason=change.reason,
        by=change.by,
    )


def _external_as_json(order: ExternalOrder) -> dict[str, Json]:
    return told.fields(
        id=order.pk,
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        first_seen_at=order.first_seen_at,
        last_seen_at=order.last_seen_at,
    )


RECONCILIATION = Listing(
    name="reconciliation",
    rows=ReconcileRun.objects.all,
    filters=(
        query.choice("kind", "Kind", "kind", ReconcileKind.choices),
        query.conditions(
            "found",
            "Found",
            [
                ("differences", "differences", ~Q(differences=[])),
                ("problems", "problems", Q(passed=False)),
                ("nothing", "nothing", Q(passed=True, differences=[])),
            ],
        ),
        query.since("at"),
        query.until("at"),
    ),
    sorts=_BY_TIME,
    told=_run_as_json,
    default_sort="-at",
)

INVARIANTS = Listing(
    name="invariants",
    rows=InvariantRun.objects.all,
    filters=(
        query.conditions(
            "found",
            "Found",
            [("violations", "violations", ~Q(violations=[])), ("nothing", "nothing", Q(violations=[]))],
        ),
        query.since("at"),
        query.until("at"),
    ),
    sorts=_BY_TIME,
    told=_invariants_as_json,
    default_sort="-at",
)

REVISIONS = Listing(
    name="revisions",
    rows=ParameterRevision.objects.all,
    filters=(
        query.text("author", "By", "author_name__istartswith"),
        query.text("q", "Reason", "reason__icontains"),
        query.since("created_at"),
        query.until("created_at"),
    ),
    sorts={"id": Sort(column="pk"), "number": Sort(column="number")},
    told=_revision_as_json,
    default_sort="-number",
)

STATES = Listing(
    name="states",
    rows=StateChange.objects.all,
    filters=(
        query.text("by", "By", "by__istartswith"),
        query.text("q", "Reason", "reason__icontains"),
        query.since("at"),
        query.until("at"),
    ),
    sorts=_BY_TIME,
    told=_state_as_json,
    default_sort="-at",
)

EXTERNAL_ORDERS = Listing(
    name="external-orders",
    rows=ExternalOrder.objects.all,
    filters=(query.text("symbol", "Symbol", "symbol__istartswith"),),
    sorts={"id": Sort(column="pk"), "seen": Sort(column="last_seen_at")},
    told=_external_as_json,
)
