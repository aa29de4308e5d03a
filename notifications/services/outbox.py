"""Messages on their way: a row first, then the channel; tried again until it was taken or refused for good.

A row is sent at least once: whoever dies between the sending and its note leaves it to be sent again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from notifications import rendering
from notifications.adapters import doors
from notifications.models import Attachment, ChannelPause, Contact, Delivery, DeliveryStatus, Severity
from notifications.ports import Buttons, File, Outgoing, Refused, Unavailable
from trading.core import redaction

TELEGRAM, URL = "telegram", "url"
BATCH = 20
"""How many go out in one run: Telegram takes 30 a second."""
CRASHED = timedelta(seconds=60)
"""Whoever has been sending for so long has died."""
LONGEST_BACK_OFF = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(seconds=30)
"""A channel that fails again and again is tried so often: each try may hold a worker for seconds."""
FILE_TRIES = 3
"""A picture that was not taken so often is left out: the words are what counts."""
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
    attachment: Attachment | None = None,
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
                attachment=attachment,
                is_silent=is_silent,
                created_at=now,
                next_at=now,
            )
    except IntegrityError:
        if Delivery.objects.filter(key=key, channel=channel).exists():
            return None  # another process was first
        raise


def attach(file: File, *, now: datetime) -> Attachment:
    """Keep a file for the messages that will carry it."""
    return Attachment.objects.create(name=file.name[:80], media=file.media, content=file.content, created_at=now)


def deliver(*, now: datetime) -> int:
    """Send what is due, the gravest first, and return how many were taken."""
    _take_back(now)
    _forget_replies(now)
    taken, silent = 0, _paused(now)
    for delivery in _due(now, silent):
        # A channel that has just failed is left alone until the next run: each try may take seconds.
        if _pause_of(delivery.channel) in silent:
            continue
        # The channel too: the chat may have moved in this very run.
        mine = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING, channel=delivery.channel)
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
    Attachment.objects.filter(created_at__lt=now - KEPT, deliveries__isnull=True).delete()
    ChannelPause.objects.filter(until__lt=now - timedelta(hours=1)).delete()


def _due(now: datetime, silent: set[str]) -> Iterable[Delivery]:
    """Return what may go out now; critical messages that a pause holds back are sent by the second channels."""
    due = Delivery.objects.filter(status=DeliveryStatus.PENDING, next_at__lte=now)
    held = Q(channel__in=silent)
    if TELEGRAM in silent:
        held |= Q(channel__startswith=f"{TELEGRAM}:")
    for delivery in due.filter(held, severity=Severity.CRITICAL):
        fall_back(delivery, now=now)
    free = due.exclude(held).select_related("attachment")
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
        if refusal.moved_to is not None:
            _move(delivery, refusal.moved_to, now)
            return False
        logger.warning("%s refuses message %s for good: %s", delivery.channel, delivery.pk, refusal)
        _note(delivery, status=DeliveryStatus.REFUSED, error=str(refusal))
        fall_back(delivery, now=now)
        return False
    _note(delivery, status=DeliveryStatus.SENT, sent_at=now, message_id=message_id, error="")
    ChannelPause.objects.filter(channel=_pause_of(delivery.channel), until__lte=now).delete()
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
    # The services differ in what becomes of the words when a file is not taken, so a second try goes without.
    doors.apprise(url, title=title, text=rest or title, file=_file(delivery) if delivery.attempts == 1 else None)
    return None


def _to_telegram(delivery: Delivery, chat_id: int) -> int:
    """Send it as it is; what is not taken so goes plainer: without its markup, as a new message, without its file."""
    bot = doors.telegram()
    if bot is None:
        raise Refused("there is no bot: set TELEGRAM_TOKEN")
    message = Outgoing(
        chat_id=chat_id,
        text=delivery.text,
        buttons=[[(label, data) for label, data in row] for row in delivery.buttons],
        edits=delivery.edits,
        is_silent=delivery.is_silent,
        file=_file(delivery) if delivery.attempts <= FILE_TRIES else None,
    )
    for _ in range(3):
        try:
            return bot.send(message)
        except Refused as refusal:
            plainer = _plainer(message, refusal)
            if plainer is None:
                raise
            message = plainer
    return bot.send(message)


def _plainer(message: Outgoing, refusal: Refused) -> Outgoing | None:
    """Return what may be taken where this was not; None where the words are refused by whom they are for."""
    if refusal.is_gone and message.edits is not None:
        return replace(message, edits=None)
    if refusal.is_markup and not message.is_plain:
        return replace(message, text=rendering.plain(message.text)[: rendering.LONGEST // 2], is_plain=True)
    if message.file is not None and not refusal.is_unwanted and refusal.moved_to is None:
        return replace(message, file=None)
    return None


def _file(delivery: Delivery) -> File | None:
    kept = delivery.attachment
    return File(name=kept.name, media=kept.media, content=bytes(kept.content)) if kept is not None else None


def _move(delivery: Delivery, chat_id: int, now: datetime) -> None:
    """Follow a group to the number that it has become."""
    old = int(delivery.channel.partition(":")[2])
    logger.warning("chat %s is %s now", old, chat_id)
    known = Contact.objects.filter(chat_id=chat_id).values_list("telegram_user_id", flat=True)
    Contact.objects.filter(chat_id=old).exclude(telegram_user_id__in=list(known)).update(chat_id=chat_id)
    for waiting in Delivery.objects.filter(
        channel=delivery.channel, status__in=(DeliveryStatus.PENDING, DeliveryStatus.SENDING)
    ):
        if Delivery.objects.filter(key=waiting.key, channel=chat(chat_id)).exists():
            _note(waiting, status=DeliveryStatus.REFUSED, error="it went to where the chat is now")
        else:
            _note(waiting, channel=chat(chat_id), edits=None, status=DeliveryStatus.PENDING, next_at=now)


def _try_again(delivery: Delivery, failure: Unavailable, now: datetime) -> None:
    wait = min(timedelta(seconds=2 ** min(delivery.attempts, 9)), LONGEST_BACK_OFF)
    if failure.retry_after is not None:
        wait = failure.retry_after
    _pause(_pause_of(delivery.channel), failure.retry_after, now)
    if delivery.attempts == 1:
        logger.warning("message %s to %s is tried again: %s", delivery.pk, delivery.channel, failure)
    _note(delivery, status=DeliveryStatus.PENDING, next_at=now + wait, error=str(failure))
    fall_back(delivery, now=now)


def _pause(channel: str, asked: timedelta | None, now: datetime) -> None:
    """Leave a channel alone for as long as it asks, else the longer the more often it has failed in a row."""
    kept, _ = ChannelPause.objects.get_or_create(channel=channel, defaults={"until": now})
    failures = min(kept.failures + 1, 1000)
    length = asked if asked is not None else min(timedelta(seconds=2 ** min(failures, 9)), LONGEST_PAUSE)
    ChannelPause.objects.filter(channel=channel).update(failures=failures, until=max(kept.until, now + length))


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
