"""The parameters in force, and the only way to change them: a new revision.

People `propose`; `revise` is for what needs no comparison: the gate itself, a replay, a first start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from trading import events
from trading.core import caution
from trading.core.params import SPECS, Params
from trading.models import Consent, ConsentAct, DraftStatus, Gate, ParameterDraft, ParameterRevision
from trading.services import audit, backtesting, consents, hot_sql

SYSTEM = "julaba"


class RevisionConflict(Exception):
    """Somebody else changed the parameters since they were read."""


class NothingToRollBack(ValueError):
    """A roll-back that cannot be made; the message says why."""


class Outcome(StrEnum):
    UNCHANGED = "unchanged"
    ACTIVE = "active"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What became of a proposal: the revision in force now, and the draft that is being compared with it, if any.

    `text` says it in one sentence.
    """

    outcome: Outcome
    revision: ParameterRevision
    draft: ParameterDraft | None
    text: str


def current(*, now: datetime) -> ParameterRevision:
    """Return the revision in force; the first call of all writes the defaults as revision 1."""
    revision = ParameterRevision.objects.order_by("-number").first()
    if revision is not None:
        return revision
    return _append(0, Params().as_json(), [], reason="Defaults", author=None, author_name=SYSTEM, now=now)


def in_force(*, now: datetime) -> tuple[int, Params]:
    """Return the primary key and the values of the revision in force."""
    newest = hot_sql.newest_revision()
    if newest is None:
        current(now=now)
        return in_force(now=now)
    return newest[0], _params(newest[1])


def params_of(revision: ParameterRevision) -> Params:
    """Return a revision's values; parameters that are newer than the revision have their defaults."""
    return _params(json.dumps(revision.values))


@lru_cache(maxsize=4)
def _params(values: str) -> Params:
    # Checking a hundred values takes longer than anything else in an idle tick.
    return Params.of({name: value for name, value in json.loads(values).items() if name in SPECS})


def propose(
    *,
    values: Mapping[str, Any],
    reason: str,
    author: User | None,
    expected_number: int,
    now: datetime,
    by: str = "",
) -> Proposed:
    """Ask for `values` (a part of the parameters) to be put in force; this is the way for people.

    What only lowers the risk is in force at once. Everything else becomes a draft, which a worker compares with the
    revision in force: not worse, it comes into force; else it waits for gate.overrule. `by` names who asks where there
    is no account. Raises ParamsError for what is impossible, and RevisionConflict as `revise` does.
    """
    before = _expected(expected_number, now)
    old, new, changes = _changed(before, values)
    if not changes:
        text = f"Nothing was changed: these are the values of revision {before.number}, which is in force."
        return Proposed(outcome=Outcome.UNCHANGED, revision=before, draft=None, text=text)
    name = _name(author, by)
    if caution.is_safer(old, new):
        revision = _append(
            before.number, new.as_json(), changes, reason=reason, author=author, author_name=name, now=now,
            gate=Gate.SAFER,
        )  # fmt: skip
        text = f"Revision {revision.number} is in force from the next tick on: it only lowers the risk."
        return Proposed(outcome=Outcome.ACTIVE, revision=revision, draft=None, text=text)
    with transaction.atomic():
        run = backtesting.queue_comparison(active=before, params=new, author=author, by=name, now=now)
        draft = ParameterDraft.objects.create(
            base=before,
            values=new.as_json(),
            changes=changes,
            reason=reason,
            author=author,
            author_name=name,
            created_at=now,
            run=run,
        )
        said = f"Draft {draft.pk} by {name} waits for its comparison with revision {before.number}: {told(changes)}"
        events.emit("draft", at=now, text=said, payload={"draft": draft.pk})
        audit.record(
            "parameters_proposed",
            actor=name,
            at=now,
            about=f"draft {draft.pk}",
            text=f"Proposed {told(changes)}: {reason}",
            details={"changes": changes, "base": before.number},
        )
    text = f"Draft {draft.pk} is being compared with revision {before.number}; it comes into force if it is not worse."
    return Proposed(outcome=Outcome.WAITING, revision=before, draft=draft, text=text)


def roll_back(
    *,
    number: int,
    reason: str,
    author: User | None,
    expected_number: int,
    now: datetime,
    by: str = "",
    consent: Consent | None = None,
) -> ParameterRevision:
    """Put the values of an earlier revision in force again, as a new revision, and return it.

    It was in force before, so nothing is compared. Raises NothingToRollBack, also where another person has to consent
    first, and RevisionConflict as `revise` does.
    """
    earlier = ParameterRevision.objects.filter(number=number).first()
    if earlier is None:
        raise NothingToRollBack(f"there is no revision {number}: choose one of the history")
    old, new, changes = _changed(_expected(expected_number, now), params_of(earlier).as_json())
    if (
        consents.touches_risk(changes)
        and not caution.is_safer(old, new)
        and (
            asked := consents.missing(
                ConsentAct.ROLL_BACK, about=f"revision {number}", by=_name(author, by), now=now, reason=reason,
                text=f"Revision {number} is put in force again: {told(changes)}.", consent=consent,
                arguments={"revision": number, "expected": expected_number},
            )
        )
    ):  # fmt: skip
        raise NothingToRollBack(asked)
    made = revise(
        values=params_of(earlier).as_json(),
        reason=f"Back to revision {number}: {reason}",
        author=author,
        expected_number=expected_number,
        now=now,
        gate=Gate.ROLLED_BACK,
        by=by,
    )
    if made.number == expected_number:
        raise NothingToRollBack(f"revision {number} has the values that are in force")
    return made


def revise(
    *,
    values: Mapping[str, Any],
    reason: str,
    author: User | None,
    expected_number: int,
    now: datetime,
    gate: Gate = Gate.DIRECT,
    by: str = "",
) -> ParameterRevision:
    """Put `values` (a part of the parameters) in force as a new revision and return it, without a comparison.

    Raises ParamsError for what is impossible and RevisionConflict when `expected_number` is no longer the
    newest revision. Values that change nothing leave the revision as it is.
    """
    before = _expected(expected_number, now)
    _, new, changes = _changed(before, values)
    if not changes:
        return before
    name = _name(author, by)
    return _append(
        before.number, new.as_json(), changes, reason=reason, author=author, author_name=name, now=now, gate=gate
    )


def _expected(number: int, now: datetime) -> ParameterRevision:
    before = current(now=now)
    if before.number != number:
        raise RevisionConflict(
            f"revision {before.number} came after revision {number}, which you started from; look at it and try again"
        )
    return before


def _changed(before: ParameterRevision, values: Mapping[str, Any]) -> tuple[Params, Params, list[dict[str, Any]]]:
    """Return the parameters before and after, and what differs; raises ParamsError."""
    params = params_of(before)
    old = params.as_json()
    made = Params.of({**old, **values})
    new = made.as_json()
    return (
        params,
        made,
        [{"name": name, "old": old[name], "new": new[name]} for name in SPECS if old[name] != new[name]],
    )


def _name(author: User | None, by: str) -> str:
    return author.get_username() if author else by or SYSTEM


def told(changes: list[dict[str, Any]]) -> str:
    """Return changes in words."""
    return ", ".join(f"{c['name']} {c['old']} -> {c['new']}" for c in changes) or "defaults"


def _append(
    after: int,
    values: dict[str, Any],
    changes: list[dict[str, Any]],
    *,
    reason: str,
    author: User | None,
    author_name: str,
    now: datetime,
    gate: Gate = Gate.DIRECT,
) -> ParameterRevision:
    try:
        with transaction.atomic():
            revision = ParameterRevision.objects.create(
                number=after + 1,
                values=values,
                changes=changes,
                reason=reason,
                author=author,
                author_name=author_name,
                created_at=now,
                gate=gate,
            )
            mark = "" if gate is Gate.DIRECT else f" ({gate.label})"
            events.emit(
                "parameters", at=now, text=f"Revision {revision.number} by {author_name}{mark}: {told(changes)}"
            )
            _overtake(revision, now)
            if author_name != SYSTEM:
                audit.record(
                    "parameters",
                    actor=author_name,
                    at=now,
                    about=f"revision {revision.number}",
                    text=f"Put in force{mark}: {told(changes)}. {reason}",
                    details={"changes": changes, "gate": gate},
                )
    except IntegrityError:
        # The number is unique: somebody appended between our look and our write.
        if after == 0:
            return ParameterRevision.objects.get(number=1)
        raise RevisionConflict(f"revision {after + 1} was made meanwhile; look at it and try again") from None
    return revision


def _overtake(revision: ParameterRevision, now: datetime) -> None:
    """Drafts that were to follow an earlier revision were compared with what is no longer in force."""
    ParameterDraft.objects.filter(status__in=(DraftStatus.WAITING, DraftStatus.HELD)).update(
        status=DraftStatus.STALE,
        settled_at=now,
        finding=f"revision {revision.number} came first: propose it again",
    )
