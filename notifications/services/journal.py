"""Tells people of the journal: alerts for what is grave, messages for what trades do.

The rows are the truth, the call after a commit is a hint: whatever was missed is told by the next run.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from notifications.kinds import FACTS, threshold
from notifications.models import JournalMark
from notifications.services import alerts, consent_messages, trade_messages
from trading.models import Bot, Event

LAG = timedelta(seconds=60)
"""Longer than any transaction, so that a row which commits late is still looked at."""
INTERESTING = frozenset((*FACTS, "entry", "exit", "trade_closed", "entry_canceled", "signal", consent_messages.KIND))


def relay(*, now: datetime) -> int:
    """Tell of every event that was not told yet, each once, and return how many were looked at."""
    head = Event.objects.aggregate(top=Max("pk"))["top"] or 0
    mark = JournalMark.objects.filter(pk=1).first() or _first_mark(head, now)
    if Bot.objects.filter(pk=1, is_replaying=True).exists():
        JournalMark.objects.filter(pk=1).update(told=head, head=head, head_at=now)
        return 0
    events = list(Event.objects.filter(pk__gt=mark.told, kind__in=INTERESTING).order_by("pk"))
    for event in events:
        with transaction.atomic():
            _tell(event, now)
    trade_messages.tell_moved_stops(now=now)
    if now - mark.head_at >= LAG:
        JournalMark.objects.filter(pk=1).update(told=mark.head, head=head, head_at=now)
    return len(events)


def _first_mark(head: int, now: datetime) -> JournalMark:
    """Begin to listen: what happened before is no news, but for what did while the first listener started."""
    past = Event.objects.filter(at__lte=now - LAG).aggregate(top=Max("pk"))["top"] or 0
    return JournalMark.objects.get_or_create(pk=1, defaults={"told": past, "head": head, "head_at": now})[0]


def _tell(event: Event, now: datetime) -> None:
    if event.kind in FACTS:
        if threshold(event.kind) is not None:
            alerts.tell(event.kind, event.text, about=str(event.pk), now=now)
    elif event.kind == consent_messages.KIND:
        consent_messages.tell(event, now=now)
    else:
        trade_messages.tell(event, now=now)
