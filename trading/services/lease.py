"""Who may trade: one holder at a time, each with an epoch that every permit checks."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from trading.models import Lease
from trading.services import hot_sql

TRADER = "trader"
TIME_TO_LIVE = timedelta(seconds=12)
_PROCESS = uuid.uuid4().hex[:8]
_epochs: dict[str, int] = {}
"""The epoch under which each owner last held the lease, which saves asking for it before each renewal."""


class LeaseLost(Exception):
    """Another process took the lease over; what this one had in mind must not be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The right to trade, as long as the row still says so."""

    owner: str
    epoch: int


def process_name() -> str:
    """Return who this process is: host, pid and a random part, since pids come again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_PROCESS}"


def acquire(*, owner: str, now: datetime) -> Held | None:
    """Renew the lease or take an expired one over; None where somebody else holds it."""
    expires_at = now + TIME_TO_LIVE
    if (epoch := _epochs.get(owner)) is not None:
        # The row decides: a take-over or another database makes this update nothing.
        if Lease.objects.filter(name=TRADER, owner=owner, epoch=epoch).update(expires_at=expires_at):
            return Held(owner=owner, epoch=epoch)
        _epochs.pop(owner, None)  # another thread of the owner may have been first
    held = _acquire(owner, now, expires_at)
    if held is not None:
        _epochs[owner] = held.epoch
    return held


def _acquire(owner: str, now: datetime, expires_at: datetime) -> Held | None:
    row = Lease.objects.filter(name=TRADER).first()
    if row is None:
        # Whoever lost the race to make the row looks again: it may be the same owner's other thread.
        return Held(owner=owner, epoch=1) if _create(owner, expires_at) else _acquire(owner, now, expires_at)
    same = Lease.objects.filter(name=TRADER, owner=row.owner, epoch=row.epoch)
    if row.owner == owner:
        return Held(owner=owner, epoch=row.epoch) if same.update(expires_at=expires_at) else None
    if same.filter(expires_at__lte=now).update(owner=owner, epoch=row.epoch + 1, expires_at=expires_at):
        return Held(owner=owner, epoch=row.epoch + 1)
    return None


def check(held: Held) -> None:
    """Raise LeaseLost unless the lease is still this one; call it inside the transaction that grants a permit."""
    query = Lease.objects.filter(name=TRADER, owner=held.owner, epoch=held.epoch)
    # On PostgreSQL the row lock makes a take-over wait for this transaction; SQLite has the write lock already.
    if query.select_for_update().first() is None:
        raise LeaseLost(f"the trading lease of {held.owner} (epoch {held.epoch}) was taken over")


def claim_slot(*, job: str, slot: datetime, owner: str, now: datetime) -> bool:
    """Return whether this process may run the job's slot; only one ever may."""
    return hot_sql.insert_once("trading_tickrun", job=job, slot=slot, owner=owner, started_at=now)


def _create(owner: str, expires_at: datetime) -> bool:
    try:
        with transaction.atomic():
            Lease.objects.create(name=TRADER, owner=owner, epoch=1, expires_at=expires_at)
    except IntegrityError:
        return False
    return True
