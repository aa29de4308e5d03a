"""Tells people that nothing can be written down any more, such as on a full disk: without a row, through every channel at once."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from redis import Redis
from redis.exceptions import RedisError

from notifications import rendering
from notifications.adapters import doors
from notifications.models import Severity
from notifications.ports import Outgoing, Refused, Unavailable
from notifications.services import outbox, push

KIND = "tick_age"
"""Whoever hears that nobody trades hears of its cause."""
TOLD_AT, AGAIN = 2, 40
"""One failure may be a lock that lasted; then so many more go by until it is told again, about half an hour."""
KEY, FORGOTTEN = "julaba:unwritable", timedelta(minutes=3)

logger = logging.getLogger(__name__)


def tell(error: DatabaseError) -> int:
    """Tell of a failure that lasts, and return how many channels took it. Nothing here needs the database."""
    failures = _failures()
    if failures is not None and failures % AGAIN != TOLD_AT:
        return 0
    text = _text(error)
    return sum(_is_taken(channel, text) for channel in _channels())


def _text(error: DatabaseError) -> str:
    free = shutil.disk_usage(settings.JULABA_DATA_DIR).free // 2**20
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    lines = rendering.text(
        f"The database takes nothing any more ({said}); {free} MB of the disk are free.",
        "No position is followed and nothing is sent: only stops that rest at the venue work. "
        "Make room, or start the database; the rest goes on by itself.",
    )
    return rendering.pages("CRITICAL: Nothing can be written down", lines)[0]


def _channels() -> list[str]:
    try:
        return [channel for channel, _ in push.channels(KIND, Severity.CRITICAL)]
    except DatabaseError:  # who has which chat stands in it, too
        return [outbox.address(url) for url in (*settings.NOTIFY_URLS, *settings.FALLBACK_URLS)]


def _is_taken(channel: str, text: str) -> bool:
    kind, _, name = channel.partition(":")
    try:
        if kind == outbox.TELEGRAM:
            bot = doors.telegram()
            if bot is None:
                return False
            bot.send(Outgoing(chat_id=int(name), text=text))
        else:
            title, _, rest = rendering.plain(text).partition("\n")
            urls = (*settings.NOTIFY_URLS, *settings.FALLBACK_URLS)
            doors.apprise(next(url for url in urls if outbox.address(url) == channel), title=title, text=rest)
    except (Unavailable, Refused) as failure:
        logger.warning("%s did not take that the database takes nothing: %s", channel, failure)
        return False
    return True


def _failures() -> int | None:
    """Return which failure in a row this is; None where Redis is away, too, and so nobody counts."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            count = int(client.incr(KEY))
            client.expire(KEY, FORGOTTEN)
            return count
    except (RedisError, OSError):
        return None
