"""Replays of single decisions: a worker computes one again from its stored inputs, and says whether it comes out the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from trading.models import UNFINISHED, BacktestRun, RunKind, Signal
from trading.services import backtesting, parameters


def ask(signal: Signal, *, user: User, now: datetime) -> BacktestRun:
    """Ask for a replay, and return its run; one that is under way already is not asked for twice. Raises RunRefused."""
    under_way = _runs(signal.pk).filter(status__in=UNFINISHED).first()
    return under_way or backtesting.queue(
        params=parameters.params_of(signal.revision),
        exchange="",
        start=None,
        end=None,
        seed=None,
        note=f"decision {signal.pk}",
        author=user,
        by="",
        now=now,
        kind=RunKind.PARITY,
        plan={"signal": signal.pk},
    )


def newest(signal_pk: int) -> BacktestRun | None:
    return _runs(signal_pk).first()


def as_json(run: BacktestRun) -> dict[str, Any]:
    """Return a replay as the API tells it; `match` is None before it is done, and where its inputs are not stored."""
    found = run.result or {}
    return {
        "run": run.pk,
        "status": run.status,
        "match": found.get("match"),
        "cause": found.get("cause"),
        "text": found.get("text") or run.error,
        "requested_at": run.requested_at,
        "finished_at": run.finished_at,
    }


def _runs(signal_pk: int) -> QuerySet[BacktestRun]:
    return BacktestRun.objects.filter(kind=RunKind.PARITY, plan__signal=signal_pk).order_by("-pk")
