"""The audit: `record` adds one entry to the chain inside the caller's transaction, `verify` follows it from its beginning.

Entry n seals entry n - 1: its digest covers its own columns and the digest before it. So whoever changes, removes or
inserts one entry has to rewrite all that follow, and then the head no longer is what somebody wrote down elsewhere.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from trading.core import redaction
from trading.models import GENESIS, AuditEntry, AuditHead, AuditOutcome

LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from; empty in commands and workers."""

    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What following the chain found: how many entries, the last digest, and the first fault or nothing."""

    count: int
    digest: str
    fault: str = ""


_origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("julaba_audit_origin", default=Origin())  # noqa: B039


@contextlib.contextmanager
def origin(*, address: str, request_id: str) -> Iterator[None]:
    """Have every entry of this context say where it was asked."""
    token = _origin.set(Origin(address=address[:45], request_id=request_id[:64]))
    try:
        yield
    finally:
        _origin.reset(token)


def record(
    act: str,
    *,
    actor: str,
    text: str,
    at: datetime,
    about: str = "",
    outcome: AuditOutcome = AuditOutcome.DONE,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add one entry and return it; where the caller's transaction fails, the entry is gone with what it told of.

    Inside a longer transaction call it last: the head stays locked until the commit. Secrets are taken out.
    """
    source = _origin.get()
    entry = AuditEntry(
        at=at,
        actor=actor[:150],
        act=act,
        outcome=outcome,
        about=redaction.scrub(about)[:200],
        text=redaction.scrub(text)[:LONGEST_TEXT],
        details=redaction.scrub_all(_plain(details or {})),
        address=source.address,
        request_id=source.request_id,
    )
    with transaction.atomic():
        while True:
            head, _ = AuditHead.objects.get_or_create(pk=1)
            entry.number, entry.previous = head.number + 1, head.digest
            entry.digest = digest_of(entry)
            # Who comes second finds another head and begins again, so the chain never forks.
            here = AuditHead.objects.filter(pk=1, number=head.number, digest=head.digest)
            if here.update(number=entry.number, digest=entry.digest):
                break
        entry.save(force_insert=True)
    return entry


def verify(*, known: tuple[int, str] | None = None) -> Verdict:
    """Follow the whole chain; `known` is a number with the digest that it had when somebody wrote it down."""
    number, digest = 0, GENESIS
    for entry in AuditEntry.objects.order_by("number").iterator(chunk_size=1000):
        number += 1
        if fault := _fault(entry, number, digest):
            return Verdict(count=number - 1, digest=digest, fault=fault)
        digest = entry.digest
        if known and known[0] == number and known[1] != digest:
            return Verdict(count=number, digest=digest, fault=f"entry {number} is not the one that was written down")
    if known and known[0] > number:
        return Verdict(count=number, digest=digest, fault=f"entry {known[0]} was written down and is gone")
    head = AuditHead.objects.filter(pk=1).first()
    at_head = (head.number, head.digest) if head else (0, GENESIS)
    if at_head != (number, digest):
        return Verdict(count=number, digest=digest, fault=f"the head says {at_head[0]} entries, there are {number}")
    return Verdict(count=number, digest=digest)


def digest_of(entry: AuditEntry) -> str:
    """Return the SHA-256 of the entry's columns and the digest before it, as hexadecimal."""
    sealed = {
        "number": entry.number,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "act": entry.act,
        "outcome": str(entry.outcome),
        "about": entry.about,
        "text": entry.text,
        "details": entry.details,
        "address": entry.address,
        "request_id": entry.request_id,
        "previous": entry.previous,
    }
    return hashlib.sha256(json.dumps(sealed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _fault(entry: AuditEntry, number: int, previous: str) -> str:
    if entry.number != number:
        return f"entry {number} is missing"
    if entry.previous != previous:
        return f"entry {number} does not follow the one before it"
    return "" if entry.digest == digest_of(entry) else f"entry {number} was changed"


def _plain(details: Mapping[str, Any]) -> Any:
    """Return JSON that every database gives back sign by sign; fractions become text, which PostgreSQL leaves as it is."""
    return json.loads(json.dumps(dict(details), default=str), parse_float=str, parse_constant=str)
