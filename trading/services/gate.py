"""The gate: what becomes of drafts of parameters when their comparison is over, and who may open it by hand."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from trading import events
from trading.models import (
    UNFINISHED,
    BacktestRun,
    Consent,
    ConsentAct,
    DraftStatus,
    Gate,
    ParameterDraft,
    ParameterRevision,
    RunStatus,
)
from trading.research import judgement
from trading.research.judgement import Margins
from trading.services import audit, backtesting, consents, parameters

OPEN = (DraftStatus.WAITING, DraftStatus.HELD)
EVENT = "draft"


class GateRefused(ValueError):
    """What was asked of the gate cannot be done; the message says why."""


def settle(*, margins: Margins, now: datetime) -> int:
    """Settle every draft whose comparison is over, and return how many there were.

    Not worse, its values come into force; else it is held back, with the reason.
    """
    waiting = ParameterDraft.objects.filter(status=DraftStatus.WAITING).exclude(run__status__in=UNFINISHED)
    drafts = list(waiting.select_related("run", "author", "base").order_by("pk"))
    for draft in drafts:
        # A person may be quicker: then it is settled already.
        with contextlib.suppress(GateRefused):
            _settle(draft, margins, now)
    return len(drafts)


def overrule(
    pk: int, *, reason: str, author: User | None, by: str = "", now: datetime, consent: Consent | None = None
) -> ParameterRevision:
    """Put a draft in force whatever its comparison found or will find; the revision is marked so, with the reason.

    Raises GateRefused without a reason, without an open draft and where another person has to consent first, and
    parameters.RevisionConflict.
    """
    if not reason.strip():
        raise GateRefused("say why the gate is overruled: the reason stays in the history")
    draft = _open(pk)
    name = author.get_username() if author else by or parameters.SYSTEM
    if asked := consents.missing(
        ConsentAct.OVERRULE, about=f"draft {pk}", arguments={"draft": pk}, reason=reason.strip(), by=name, now=now,
        text=f"Draft {pk} is put in force: {parameters.told(draft.changes)}.", consent=consent,
    ):  # fmt: skip
        raise GateRefused(asked)
    with transaction.atomic():
        revision = _activate(draft, Gate.OVERRULED, author=author, by=name, now=now, reason=reason.strip())
        BacktestRun.objects.filter(draft=draft, status__in=UNFINISHED).update(
            status=RunStatus.CANCELED, finished_at=now, error=f"{name} did not wait for it"
        )
        text = f"Overruled the gate, revision {revision.number} is in force: {reason.strip()}"
        audit.record("gate_overruled", actor=name, at=now, about=f"draft {pk}", text=text)
    return revision


def discard(pk: int, *, by: str, now: datetime) -> None:
    """Give a draft up; raises GateRefused where it is not open."""
    draft = _open(pk)
    with transaction.atomic():
        _close(draft, DraftStatus.DISCARDED, settled_by=by, settled_at=now)
        events.emit(EVENT, at=now, text=f"Draft {pk} was discarded by {by}", payload={"draft": pk})
        audit.record("draft_discarded", actor=by, at=now, about=f"draft {pk}", text="Gave the draft up")
    if draft.run and draft.run.status in UNFINISHED:
        backtesting.cancel(draft.run.pk, by=by, now=now)


def compared(result: dict[str, Any], margins: Margins) -> dict[str, Any]:
    """Return a comparison's result with each rule's verdict, as it is stored with the draft."""
    findings = judgement.judge(result["active"], result["candidate"], margins)
    return {
        **result,
        "findings": judgement.as_json(findings),
        "margins": asdict(margins),
        "verdict": judgement.verdict(findings),
    }


def _settle(draft: ParameterDraft, margins: Margins, now: datetime) -> None:
    run = draft.run
    if run is None or run.status != RunStatus.DONE or run.result is None:
        _hold(draft, f"not compared: {run.error if run else 'its run is gone'}", None, now)
        return
    comparison = compared(run.result, margins)
    if comparison["verdict"]:
        _hold(draft, comparison["verdict"], comparison, now)
        return
    finding = f"not worse than revision {draft.base.number} in {comparison['bars']} bars"
    if consents.is_on() and consents.touches_risk(draft.changes):
        _hold(
            draft, f"{finding}, but it changes how much money can be lost: two people put it in force", comparison, now
        )
        return
    try:
        with transaction.atomic():
            _activate(draft, Gate.PASSED, author=draft.author, by=draft.author_name, now=now, finding=finding,
                      comparison=comparison)  # fmt: skip
    except parameters.RevisionConflict as conflict:
        # It was proposed in the moment in which another revision was made, which did not see it.
        ParameterDraft.objects.filter(pk=draft.pk, status=DraftStatus.WAITING).update(
            status=DraftStatus.STALE, finding=str(conflict), comparison=comparison, settled_at=now
        )


def _activate(
    draft: ParameterDraft,
    gate: Gate,
    *,
    author: User | None,
    by: str,
    now: datetime,
    reason: str = "",
    **columns: Any,
) -> ParameterRevision:
    """Make the revision and close the draft; call it inside a transaction."""
    # First: a new revision overtakes every draft that is still open.
    _close(draft, DraftStatus.DISCARDED, settled_at=now)
    overruled = f" - gate overruled by {by}: {reason}" if reason else ""
    revision = parameters.revise(
        values={change["name"]: change["new"] for change in draft.changes},
        reason=f"{draft.reason}{overruled}",
        author=author,
        expected_number=draft.base.number,
        now=now,
        gate=gate,
        by=by,
    )
    closing = {"overrule_reason": reason, "settled_by": by if reason else "", **columns}
    ParameterDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.ACTIVE, revision=revision, **closing)
    return revision


def _hold(draft: ParameterDraft, finding: str, comparison: dict[str, Any] | None, now: datetime) -> None:
    with transaction.atomic():
        _close(draft, DraftStatus.HELD, finding=finding, comparison=comparison)
        said = (
            f"Draft {draft.pk} by {draft.author_name} is held back, {finding}; overrule it with a reason or discard it"
        )
        events.emit(EVENT, at=now, text=said, payload={"draft": draft.pk})


def _close(draft: ParameterDraft, status: DraftStatus, **columns: Any) -> None:
    """Move an open draft on; raises GateRefused where somebody else has done so meanwhile."""
    if not ParameterDraft.objects.filter(pk=draft.pk, status=draft.status).update(status=status, **columns):
        raise GateRefused(f"draft {draft.pk} was settled meanwhile: look at it again")


def _open(pk: int) -> ParameterDraft:
    draft = ParameterDraft.objects.select_related("run", "base", "author").filter(pk=pk).first()
    if draft is None:
        raise GateRefused(f"there is no draft {pk}")
    if draft.status not in OPEN:
        raise GateRefused(
            f"draft {pk} is {draft.get_status_display()}: only one that waits or is held back can be settled"
        )
    return draft
