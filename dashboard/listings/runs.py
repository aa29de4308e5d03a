"""Runs of research as a list and as JSON; what they found is asked for one by one."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.told import Json
from trading.models import UNFINISHED, BacktestRun, RunKind, RunStatus

KINDS = tuple((kind.value, str(kind.label)) for kind in RunKind if kind != RunKind.COMPARISON)


def rows() -> QuerySet[BacktestRun]:
    """Return the runs that people asked for, without what they found.

    Comparisons of drafts stand with their drafts, and replays of one decision with it.
    """
    beside = Q(kind=RunKind.COMPARISON) | Q(kind=RunKind.PARITY, plan__isnull=False)
    return BacktestRun.objects.exclude(beside).defer("result", "log", "against")


def as_json(run: BacktestRun) -> dict[str, Json]:
    return told.fields(
        id=run.pk,
        kind=run.kind,
        status=run.status,
        progress=run.progress,
        symbols=run.symbols,
        timeframe=run.timeframe,
        start_at=run.start_at,
        end_at=run.end_at,
        seed=run.seed,
        plan=run.plan,
        note=run.note,
        requested_by=run.requested_by_name,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        data_hash=run.data_hash,
        code_version=run.code_version,
        error=run.error,
    )


def whole(run: BacktestRun) -> dict[str, Any]:
    """Return a run with its parameters, its log and what it found."""
    return {**as_json(run), "parameters": run.parameters, "log": run.log, "result": run.result}


RUNS = Listing(
    name="runs",
    rows=rows,
    filters=(
        query.choice("kind", "Kind", "kind", KINDS),
        query.conditions(
            "status",
            "Status",
            [
                ("unfinished", "waiting or running", Q(status__in=UNFINISHED)),
                *(
                    (status.value, str(status.label), Q(status=status))
                    for status in RunStatus
                    if status not in UNFINISHED
                ),
            ],
        ),
        query.text("by", "By", "requested_by_name__istartswith"),
        query.text("note", "Note", "note__icontains"),
        query.since("requested_at"),
        query.until("requested_at"),
    ),
    sorts={"id": Sort(column="pk"), "requested": Sort(column="requested_at")},
    told=as_json,
)
