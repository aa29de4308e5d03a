"""What comes in becomes a row at once and is handled later; a row is handled once, however often it is posted."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from notifications.models import Update
from notifications.services import contacts, dispatcher, incoming

STRANGER_PAUSE = timedelta(minutes=1)
"""Of a stranger one message is kept in such a time, so that nobody fills the database."""
RATE = 60
"""Messages a minute from one person; what comes beyond them is dropped, but for a halt."""
STUCK = timedelta(seconds=60)
"""Longer than a task may take: whoever claimed it so long ago has died."""
ATTEMPTS = 3
KEPT = timedelta(days=30)

logger = logging.getLogger(__name__)


def accept(raw: bytes, *, now: datetime) -> int | None:
    """Keep what was posted and return its number; None for junk, replays and what there is too much of."""
    came = incoming.parse(raw)
    if came is None or Update.objects.filter(pk=came.update_id).exists() or not _is_wanted(came, now):
        return None
    try:
        with transaction.atomic():
            Update.objects.create(received_at=now, **asdict(came))
    except IntegrityError:
        return None  # a replay at the same moment
    return came.update_id


def handle(update_id: int, *, now: datetime) -> bool:
    """Handle a row unless somebody else has or does; False where nothing was to be done.

    Who dies on the way leaves it to be handled again: answers have a key, and acts are done once by a row of theirs.
    """
    free = Update.objects.filter(
        Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - STUCK), pk=update_id, handled_at__isnull=True
    )
    if not free.filter(attempts__lt=ATTEMPTS).update(claimed_at=now, attempts=F("attempts") + 1):
        return False
    outcome = dispatcher.dispatch(Update.objects.get(pk=update_id), now=now)
    Update.objects.filter(pk=update_id).update(handled_at=now, outcome=outcome)
    return True


def waiting(*, now: datetime) -> list[int]:
    """Return what nobody has begun, or whoever began it has died."""
    open_ = Update.objects.filter(handled_at__isnull=True, attempts__lt=ATTEMPTS)
    free = open_.filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - STUCK))
    return list(free.order_by("received_at", "pk").values_list("pk", flat=True)[:20])


def prune(*, now: datetime) -> None:
    Update.objects.filter(received_at__lt=now - KEPT).delete()


def _is_wanted(came: incoming.Incoming, now: datetime) -> bool:
    recent = Update.objects.filter(sender_id=came.sender_id)
    if contacts.find(sender_id=came.sender_id, chat_id=came.chat_id) is not None:
        count = recent.filter(received_at__gt=now - timedelta(minutes=1)).count()
        return count < RATE or dispatcher.is_halt(came.text)
    if recent.filter(received_at__gt=now - STRANGER_PAUSE).exists():
        return False
    logger.warning("a stranger writes to the bot: user %s in chat %s", came.sender_id, came.chat_id)
    return True
