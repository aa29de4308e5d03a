"""The parameters in force, and the only way to change them: a new revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from trading import events
from trading.core.params import SPECS, Params
from trading.models import ParameterRevision
from trading.services import hot_sql

SYSTEM = "julaba"


class RevisionConflict(Exception):
    """Somebody else changed the parameters since they were read."""


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


def revise(
    *,
    values: Mapping[str, Any],
    reason: str,
    author: User | None,
    expected_number: int,
    now: datetime,
) -> ParameterRevision:
    """Put `values` (a part of the parameters) in force as a new revision and return it.

    Raises ParamsError for what is impossible and RevisionConflict when `expected_number` is no longer the
    newest revision. Values that change nothing leave the revision as it is.
    """
    before = current(now=now)
    if before.number != expected_number:
        raise RevisionConflict(
            f"revision {before.number} came after revision {expected_number}, which you started from; look at it and try again"
        )
    old = params_of(before).as_json()
    new = Params.of({**old, **values}).as_json()
    changes = [{"name": name, "old": old[name], "new": new[name]} for name in SPECS if old[name] != new[name]]
    if not changes:
        return before
    name = author.get_username() if author else SYSTEM
    return _append(before.number, new, changes, reason=reason, author=author, author_name=name, now=now)


def _append(
    after: int,
    values: dict[str, Any],
    changes: list[dict[str, Any]],
    *,
    reason: str,
    author: User | None,
    author_name: str,
    now: datetime,
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
            )
            text = ", ".join(f"{c['name']} {c['old']} -> {c['new']}" for c in changes) or "defaults"
            events.emit("parameters", at=now, text=f"Revision {revision.number} by {author_name}: {text}")
    except IntegrityError:
        # The number is unique: somebody appended between our look and our write.
        if after == 0:
            return ParameterRevision.objects.get(number=1)
        raise RevisionConflict(f"revision {after + 1} was made meanwhile; look at it and try again") from None
    return revision
