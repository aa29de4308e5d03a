"""Tells the web processes that something happened; settings.EVENT_LISTENERS names `announce`."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

GROUP = "journal"
SESSION_ENDED = "session_ended"
"""A kind of news for the sockets themselves: each looks whether it may stay."""
PATIENCE_S = 2.0
"""Trading does not wait longer than this for the screens."""

REST_S = 5.0
"""After a failure nobody tries for so long: a tick with ten events must not wait ten times."""

logger = logging.getLogger(__name__)
_failed_at: float | None = None


def announce(kind: str, at: datetime) -> None:
    """Send one small message to every web process; without Redis the screens go stale and trading goes on."""
    global _failed_at
    if _failed_at is not None and time.monotonic() - _failed_at < REST_S:
        return
    try:
        async_to_sync(_send)({"type": "journal.news", "kind": kind, "at": at.isoformat()})
    except (RedisError, OSError) as error:
        # One line for each outage, not one for each tick of it.
        if _failed_at is None:
            logger.warning("screens are not told of news, Redis does not answer: %s", error)
        _failed_at = time.monotonic()
        return
    _failed_at = None


async def _send(message: dict[str, str]) -> None:
    layer: Any = get_channel_layer()
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(GROUP, message)
