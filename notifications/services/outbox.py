"""Messages on their way: a row first, then the channel; tried again until it was taken or refused for good.

A row is sent at least once: whoever dies between the sending and its note leaves it to be sent again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from notifications import rendering
from notifications.adapters import doors
from notifications.models import ChannelPause, Delivery, DeliveryStatus, Severity
from notifications.ports import Buttons, Outgoing, Refused, Unavailable
from trading.core import redaction

TELEGRAM, URL = "telegram", "url"
BATCH = 20
"""How many go out in one run: Telegram takes 30 a second."""
CRASHED = timedelta(seconds=60)
"""Whoever has been sending for so long has died."""
LONGEST_BACK_OFF = timedelta(minutes=5)
KEPT = timedelta(days=30)
FORGET_REPLY = timedelta(minutes=10)
"""An answer that could not be delivered for so long is no answer any more."""
REPLY = "reply"

logger = logging.getLogger(__name__)


def chat(chat_id: int) -> str:
    """Return the channel of a chat."""
    return f"{TELEGRAM}:{chat_id}"


def address(url: str) -> str:
    """Return the channel of an Apprise address without telling it: it may hold a password."""
    return f"{URL}:{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def put(
    *,
    key: str,
    channel: str,
    kind: str,
    text: str,
    now: datetime,
    severity: Severity = Severity.INFO,
    buttons: Buttons = (),
    edits: int | None = None,
    is_silent: bool = False,
) -> Delivery | None:
    """Write a message down; None where one of this key goes (or went) to the channel already."""
    if Delivery.objects.filter(key=key, channel=channel).exists():
        return None
    try:
        with transaction.atomic():
            return Delivery.objects.create(
                key=key,
                channel=channel,
                kind=kind,
                severity=severity,
                text=redaction.scrub(text),
                buttons=[[list(button) for button in row] for row in buttons],
                edits=edits,
                is_silent=is_silent,
                created_at=now,
                next_at=now,
            )
    except IntegrityError:
        if Delivery.objects.filter(key=key, channel=channel).exists():
            return None  # another process was first
        raise


def deliver(*, now: datetime) -> int:
    """Send what is due, the gravest first, and return how many were taken."""
    _take_back(now)
    _forget_replies(now)
    taken, silent = 0, _paused(now)
    for delivery in _due(now, silent):
        # A channel that has just failed is left alone until the next run: each try may take seconds.
        if _pause_of(delivery.channel) in silent:
            continue
        mine = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING)
        if mine.update(status=DeliveryStatus.SENDING, claimed_at=now, attempts=F("attempts") + 1):
            delivery.attempts += 1
            try:
                taken += _send(delivery, now)
            except Unavailable as failure:
                silent.add(_pause_of(delivery.channel))
                _try_again(delivery, failure, now)
    return taken


def prune(*, now: datetime) -> None:
    """Forget what went out long ago, but for what an act hangs on."""
    done = Delivery.objects.filter(created_at__lt=now - KEPT, confirmations__isnull=True)
    done.exclude(status__in=(DeliveryStatus.PENDING, DeliveryStatus.SENDING)).delete()
    ChannelPause.objects.filter(until__lt=now).delete()


def _due(now: datetime, silent: set[str]) -> Iterable[Delivery]:
    """Return what may go out now; critical messages that a pause holds back are sent by the second channels."""
    due = Delivery.objects.filter(status=DeliveryStatus.PENDING, next_at__lte=now)
    held = Q(channel__in=silent)
    if TELEGRAM in silent:
        held |= Q(channel__startswith=f"{TELEGRAM}:")
    for delivery in due.filter(held, severity=Severity.CRITICAL):
        fall_back(delivery, now=now)
    free = due.exclude(held)
    grave = free.filter(severity=Severity.CRITICAL).order_by("pk")[:BATCH]
    return [*grave, *free.exclude(severity=Severity.CRITICAL).order_by("pk")[:BATCH]]


def _take_back(now: datetime) -> None:
    crashed = Delivery.objects.filter(status=DeliveryStatus.SENDING, claimed_at__lt=now - CRASHED)
    crashed.update(status=DeliveryStatus.PENDING, next_at=now)


def _forget_replies(now: datetime) -> None:
    late = Delivery.objects.filter(kind=REPLY, status=DeliveryStatus.PENDING, created_at__lt=now - FORGET_REPLY)
    late.update(status=DeliveryStatus.REFUSED, error="too late for an answer")


def _paused(now: datetime) -> set[str]:
    return set(ChannelPause.objects.filter(until__gt=now).values_list("channel", flat=True))


def _pause_of(channel: str) -> str:
    return TELEGRAM if channel.startswith(f"{TELEGRAM}:") else channel


def _send(delivery: Delivery, now: datetime) -> bool:
    try:
        message_id = _through(delivery)
    except Refused as refusal:
        logger.warning("%s refuses message %s for good: %s", delivery.channel, delivery.pk, refusal)
        _note(delivery, status=DeliveryStatus.REFUSED, error=str(refusal))
        fall_back(delivery, now=now)
        return False
    _note(delivery, status=DeliveryStatus.SENT, sent_at=now, message_id=message_id, error="")
    return True


def _through(delivery: Delivery) -> int | None:
    kind, _, name = delivery.channel.partition(":")
    if kind == TELEGRAM:
        return _to_telegram(delivery, int(name))
    urls = (*settings.NOTIFY_URLS, *settings.FALLBACK_URLS)
    url = next((url for url in urls if address(url) == delivery.channel), None)
    if url is None:
        raise Refused("this address is in NOTIFY_URLS and FALLBACK_URLS no more")
    title, _, rest = rendering.plain(delivery.text).partition("\n")
    doors.apprise(url, title=title, text=rest or title)
    return None


def _to_telegram(delivery: Delivery, chat_id: int) -> int:
    bot = doors.telegram()
    if bot is None:
        raise Refused("there is no bot: set TELEGRAM_TOKEN")
    buttons = [[(label, data) for label, data in row] for row in delivery.buttons]
    message = Outgoing(
        chat_id=chat_id, text=delivery.text, buttons=buttons, edits=delivery.edits, is_silent=delivery.is_silent
    )
    try:
        return bot.send(message)
    except Refused as refusal:
        if not refusal.is_markup:
            raise
    words = rendering.plain(delivery.text)[: rendering.LONGEST // 2]
    return bot.send(
        Outgoing(
            chat_id=chat_id,
            text=words,
            buttons=buttons,
            edits=delivery.edits,
            is_silent=delivery.is_silent,
            is_plain=True,
        )
    )


def _try_again(delivery: Delivery, failure: Unavailable, now: datetime) -> None:
    wait = min(timedelta(seconds=2 ** min(delivery.attempts, 9)), LONGEST_BACK_OFF)
    if failure.retry_after is not None:
        wait = failure.retry_after
        ChannelPause.objects.update_or_create(
            channel=_pause_of(delivery.channel), defaults={"until": now + failure.retry_after}
        )
    if delivery.attempts == 1:
        logger.warning("message %s to %s is tried again: %s", delivery.pk, delivery.channel, failure)
    _note(delivery, status=DeliveryStatus.PENDING, next_at=now + wait, error=str(failure))
    fall_back(delivery, now=now)


def fall_back(delivery: Delivery, *, now: datetime) -> None:
    """Send a critical message by the second channels too, once: its first channel has failed."""
    if delivery.severity != Severity.CRITICAL:
        return
    for url in settings.FALLBACK_URLS:
        put(
            key=delivery.key,
            channel=address(url),
            kind=delivery.kind,
            severity=Severity.CRITICAL,
            text=delivery.text,
            now=now,
        )


def _note(delivery: Delivery, **columns: object) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(**columns)


def overdue(*, now: datetime) -> timedelta:
    """Return for how long the oldest message that is no answer has been waiting."""
    waiting = Delivery.objects.filter(Q(status=DeliveryStatus.PENDING) | Q(status=DeliveryStatus.SENDING))
    oldest = waiting.exclude(kind=REPLY).order_by("created_at").values_list("created_at", flat=True).first()
    return now - oldest if oldest else timedelta(0)
