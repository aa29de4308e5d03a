"""Who may trade: one holder at a time, each with an epoch that every write about orders checks.

The database's clock alone says whether a lease has expired, so clocks of machines may differ.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection

from trading.models import Lease
from trading.services import hot_sql

TRADER = "trader"
TIME_TO_LIVE_S = 4
"""Twice the pause between two ticks, and longer than a request may take; with the next tick, a take-over comes within 6 s."""
_marks: dict[int, str] = {}
"""A random part for each process number that this program has had: a fork is another process."""


class LeaseLost(Exception):
    """Another process took the lease over; what this one had in mind must not be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The right to trade, as long as the row still says so."""

    owner: str
    epoch: int


def process_name() -> str:
    """Return who this process is: host, pid, machine, and a random part, since pids come again."""
    mark = _marks.setdefault(os.getpid(), uuid.uuid4().hex[:8])
    return f"{socket.gethostname()[:50]}:{os.getpid()}:{_machine()}:{mark}"


def holder() -> str:
    """Return who holds the lease, for people; empty before anyone ever did."""
    row = Lease.objects.filter(name=TRADER).first()
    return f"{row.owner} (epoch {row.epoch})" if row else ""


def acquire(*, owner: str) -> Held | None:
    """Renew the lease, or take over one that expired or whose process cannot act; None where somebody else holds it."""
    epoch = _acquire(owner)
    if epoch is None and (unable := _unable_holder()) is not None:
        same = Lease.objects.filter(name=TRADER, owner=unable.owner, epoch=unable.epoch)
        if same.update(owner=owner, epoch=unable.epoch + 1):
            epoch = _acquire(owner)
    return Held(owner=owner, epoch=epoch) if epoch is not None else None


def release(owner: str) -> None:
    """Let the next one begin at once."""
    Lease.objects.filter(name=TRADER, owner=owner).update(expires_at=datetime(2000, 1, 1, tzinfo=UTC))


def check(held: Held) -> None:
    """Renew the lease, or raise LeaseLost where it is another's; call it inside the transaction that writes.

    The update locks the row until the transaction ends, so a take-over waits for what is written under it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE trading_lease SET expires_at = {_now_sql(TIME_TO_LIVE_S)} "  # noqa: S608 - nothing from outside
            "WHERE name = %s AND owner = %s AND epoch = %s",
            [TRADER, held.owner, held.epoch],
        )
        is_held = cursor.rowcount == 1
    if not is_held:
        raise LeaseLost(f"the trading lease of {held.owner} (epoch {held.epoch}) was taken over by {holder()}")


def claim_slot(*, job: str, slot: datetime, owner: str, now: datetime) -> bool:
    """Return whether this process may run the job's slot; only one ever may."""
    return hot_sql.insert_once("trading_tickrun", job=job, slot=slot, owner=owner, started_at=now)


def _acquire(owner: str) -> int | None:
    """Take or renew in one statement, and return the epoch; the same owner keeps its epoch even when it was late."""
    now, until = _now_sql(0), _now_sql(TIME_TO_LIVE_S)
    with connection.cursor() as cursor:
        cursor.execute(
            # Nothing in it comes from outside but the owner's name.
            f"INSERT INTO trading_lease (name, owner, epoch, expires_at) VALUES (%s, %s, 1, {until}) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, "
            "epoch = trading_lease.epoch + CASE WHEN trading_lease.owner = excluded.owner THEN 0 ELSE 1 END "
            f"WHERE trading_lease.owner = excluded.owner OR trading_lease.expires_at < {now} RETURNING epoch",
            [TRADER, owner],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _now_sql(seconds: int) -> str:
    if connection.vendor == "postgresql":
        return f"clock_timestamp() + interval '{seconds} seconds'"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+{seconds} seconds')"


def _unable_holder() -> Lease | None:
    """Return the lease where its process is known to be no more, or to stand still: nobody needs to wait for it."""
    row = Lease.objects.filter(name=TRADER).first()
    return row if row and (is_gone(row.owner) or _is_stopped(row.owner)) else None


def _is_stopped(owner: str) -> bool:
    """Return whether that process was stopped by a signal; should it go on, its epoch is over and it writes nothing."""
    pid = _local_pid(owner)
    if pid is None:
        return False
    try:
        # The state stands behind the name, which is in parentheses and may hold any character.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"


def _local_pid(owner: str) -> int | None:
    """Return the number of that process (see process_name) where it ran on this very machine and is not this one."""
    parts = owner.split(":")
    if len(parts) != 4 or parts[2] != _machine() or owner == process_name():
        return None
    return int(parts[1])


def is_gone(owner: str) -> bool:
    """Return whether that process (see process_name) ran on this very machine and is no more."""
    pid = _local_pid(owner)
    if pid is None:
        return False
    if pid == os.getpid():
        return True  # the number came again, to this process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """Return what tells process numbers of one boot and one container from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return uuid.uuid4().hex[:8]  # nothing can be known about other processes here
    return hashlib.sha256(f"{boot}{space}".encode()).hexdigest()[:8]
