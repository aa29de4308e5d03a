"""What people write about trades: notes are kept for good, tags come and go."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from trading import events
from trading.models import Trade, TradeNote, TradeTag

EVENT = "trade_notes"
LONGEST_NOTE = 2000
MOST_TAGS = 12
_TAG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")


class NoteRefused(ValueError):
    """A note or a tag that cannot be kept: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def write(trade: Trade, *, text: str, by: str, now: datetime) -> TradeNote:
    """Keep a note on a trade; raises NoteRefused."""
    words = text.replace("\r\n", "\n").strip()
    if not words or "\x00" in words:
        raise NoteRefused("text", "is empty: write what you want to remember")
    if len(words) > LONGEST_NOTE:
        raise NoteRefused("text", f"has {len(words)} characters: at most {LONGEST_NOTE} are kept")
    with transaction.atomic():
        note = TradeNote.objects.create(trade=trade, text=words, by=by, at=now)
        events.announce(EVENT, at=now)
    return note


def tag(trade: Trade, *, name: str, by: str, now: datetime) -> TradeTag:
    """Put a tag on a trade; one that is there already stays as it is. Raises NoteRefused."""
    word = "-".join(name.lower().split())
    if not _TAG.fullmatch(word):
        raise NoteRefused("name", f"{name[:40]!r} is no tag: use up to 30 letters a to z, digits and hyphens")
    known = TradeTag.objects.filter(trade=trade, name=word).first()
    if known is not None:
        return known
    if TradeTag.objects.filter(trade=trade).count() >= MOST_TAGS:
        raise NoteRefused("name", f"the trade has {MOST_TAGS} tags already: take one off first")
    try:
        with transaction.atomic():
            made = TradeTag.objects.create(trade=trade, name=word, by=by, at=now)
            events.announce(EVENT, at=now)
    except IntegrityError:  # somebody else was quicker with the same word
        return TradeTag.objects.get(trade=trade, name=word)
    return made


def untag(trade: Trade, *, name: str, now: datetime) -> bool:
    """Take a tag off, and return whether it was there."""
    with transaction.atomic():
        count, _ = TradeTag.objects.filter(trade=trade, name=name).delete()
        if count:
            events.announce(EVENT, at=now)
    return bool(count)
