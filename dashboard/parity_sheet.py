"""How well what was really decided agrees with what its stored inputs give: the newest report, for page and API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from dashboard import study_sheet
from trading.models import UNFINISHED, BacktestRun, RunKind, RunStatus

SPANS = ((1, "24 h"), (7, "7 days"), (30, "30 days"), (90, "90 days"))


def newest() -> BacktestRun | None:
    """Return the newest parity run that is done."""
    return _runs().filter(status=RunStatus.DONE).order_by("-pk").first()


def _runs() -> QuerySet[BacktestRun]:
    """Return the runs over a span of time; replays of one decision carry a plan and stand with it."""
    return BacktestRun.objects.filter(kind=RunKind.PARITY, plan__isnull=True)


def context() -> dict[str, Any]:
    """Return what the page shows: the report, what is under way, and what failed since."""
    done = newest()
    later = _runs().filter(pk__gt=done.pk if done else 0).defer("result", "log")
    return {
        "run": done,
        "study": study_sheet.parity(done.result) if done and done.result else None,
        "under_way": later.filter(status__in=UNFINISHED).order_by("-pk").first(),
        "failed": later.filter(status=RunStatus.FAILED).order_by("-pk").first(),
        "spans": SPANS,
    }
