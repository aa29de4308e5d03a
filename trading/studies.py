"""Studies as runs: a sweep, a walk forward, a Monte Carlo study, and what was really decided computed again."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from trading import exit_parity, live_parity, past, sharing, validation
from trading.models import RunKind
from trading.research import fingerprint
from trading.research.audit import EXPECTED, Cause
from trading.research.trials import Progress
from trading.services.backtesting import Work
from trading.sharing import Tell

MOST_ROWS = 500
"""Of the differences and of the fills that a parity report keeps."""


def study(held: Work, *, tell: Tell) -> tuple[dict[str, Any], str]:
    """Make the sweep, the walk or the Monte Carlo study that a run asks for; `tell` calls helpers where parts stand alone."""
    asked, plan = past.asked_for(held), held.run.plan or {}
    field, ground = validation.field_of(asked), fingerprint.of(asked.series)
    held.step(20, f"studying {sum(len(each) for each in asked.series.values())} bars of {len(asked.series)} symbols")
    if sharing.can_be_cut(held.run):
        report = sharing.share(held, field, ground=ground, tell=tell)
    elif held.run.kind == RunKind.SWEEP:
        report = validation.sweep(field, sharing.plan_of(held.run), _told(held))
    else:
        names = ("draws", "noise_draws", "noise", "confidence")
        given = {name: plan[name] for name in names}
        report = validation.scatter(field, _told(held), **given, block=None, seed=held.run.seed or 1)
    return {"from": asked.first.isoformat(), "to": asked.last.isoformat(), **report}, ground


def parity(held: Work) -> tuple[dict[str, Any], str]:
    """Compute again what was really decided since the run's first moment, and set each fill beside its plan.

    A plan that names a signal asks for that decision alone.
    """
    if held.run.plan and "signal" in held.run.plan:
        return _one_decision(held, held.run.plan["signal"]), ""
    since, now = held.run.start_at or held.run.requested_at, timezone.now()
    held.step(10, "computing decisions again")
    rows = live_parity.decisions(since=since, now=now)
    held.step(80, f"{len(rows)} decisions")
    fills, left = live_parity.fills(since=since), exit_parity.left(since=since, now=now)
    odd = [row for row in rows if row.cause not in EXPECTED]
    report = {
        "since": since.isoformat(),
        "compared": len(rows),
        "differences": len(odd),
        "unexplained": sum(row.cause is Cause.UNEXPLAINED for row in odd),
        "causes": dict(Counter(str(row.cause) for row in rows)),
        "decisions": [{**asdict(row), "bar_at": row.bar_at.isoformat(), "cause": str(row.cause)} for row in odd][
            :MOST_ROWS
        ],
        "fills": [asdict(fill) for fill in fills][-MOST_ROWS:],
        "entries": len(fills),
        "exits": [{**asdict(row), "cause": str(row.cause)} for row in left][-MOST_ROWS:],
        "exit_causes": dict(Counter(str(row.cause) for row in left)),
    }
    return report, ""


def _one_decision(held: Work, pk: int) -> dict[str, Any]:
    held.step(10, f"computing decision {pk} again")
    row = live_parity.one(pk, now=timezone.now())
    if row is None:
        raise ValueError(f"there is no decision {pk}")
    match = None if row.cause is Cause.NOT_STORED else row.cause in EXPECTED
    return {"signal": pk, "match": match, "cause": str(row.cause), "text": row.text}


def _told(held: Work) -> Progress:
    """Return what moves the run's bar from 20 to 95 percent; a step that changes nothing is not written down."""
    shown = 20

    def progress(done: int, of: int) -> None:
        nonlocal shown
        percent = 20 + 75 * done // max(of, 1)
        if percent > shown:
            shown = percent
            held.step(percent)

    return progress
