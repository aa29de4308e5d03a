"""The second step of an act: a token under one message, for one person, for a minute, once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction

from notifications.models import Confirmation, Delivery, Update
from notifications.services.contacts import Caller
from notifications.services.registry import ACTIONS, BadRequest, Proposal

LIFE = timedelta(seconds=60)


class NotDone(Exception):
    """The press did nothing; one sentence that says why."""


def token() -> str:
    return secrets.token_urlsafe(18)


def open_for(proposal: Proposal, delivery: Delivery, caller: Caller, *, secret: str, now: datetime) -> None:
    """Let the button with `secret` under `delivery` do what was proposed, until LIFE is over."""
    Confirmation.objects.create(
        token=secret,
        contact=caller.contact,
        delivery=delivery,
        action=proposal.action,
        arguments=dict(proposal.arguments),
        created_at=now,
        expires_at=now + LIFE,
    )


def confirm(secret: str, press: Update, caller: Caller, *, now: datetime) -> str:
    """Do it, and return what was done; raises NotDone. The deed and its note are one transaction."""
    waiting = _find(secret, press, caller)
    chosen = ACTIONS[waiting.action]
    if not caller.may(chosen.role):
        raise NotDone(f"this needs the role {chosen.role}")
    if waiting.decided_at is not None:
        raise NotDone(f"already done: {waiting.outcome}")
    if now >= waiting.expires_at:
        raise NotDone("this has expired: ask again")
    try:
        with transaction.atomic():
            if not _decide(waiting, now, "in doubt"):
                raise NotDone("already done")
            outcome = chosen.deed(waiting.arguments, caller, now)
            Confirmation.objects.filter(pk=waiting.pk).update(outcome=outcome)
    except BadRequest as refusal:
        raise NotDone(str(refusal)) from None
    return outcome


def cancel(secret: str, press: Update, caller: Caller, *, now: datetime) -> str:
    waiting = _find(secret, press, caller)
    if not _decide(waiting, now, "canceled"):
        waiting.refresh_from_db()
        raise NotDone(f"already done: {waiting.outcome}")
    return "Canceled: nothing was done."


def _find(secret: str, press: Update, caller: Caller) -> Confirmation:
    """Return what this very button means for this very person, or raise NotDone as if there were none."""
    found = Confirmation.objects.select_related("delivery").filter(pk=secret, contact=caller.contact).first()
    if found is None or found.delivery.message_id != press.message_id:
        raise NotDone("this button is not yours")
    return found


def _decide(waiting: Confirmation, now: datetime, outcome: str) -> bool:
    undecided = Confirmation.objects.filter(pk=waiting.pk, decided_at__isnull=True)
    return bool(undecided.update(decided_at=now, outcome=outcome))
