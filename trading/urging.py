"""Calls for a tick when somebody halts trading or asks something of a trade; settings.EVENT_LISTENERS names `hear`.

The permit refuses entries from that moment on by itself. What rests at the venue or is to be sold takes a tick, and
beat's next one may be two seconds away.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime

from celery import current_task
from kombu.exceptions import OperationalError

from trading import tasks

URGENT = frozenset({"trading_state", "manual_close", "manual_act"})
EXPIRES_S = 5.0
REST_S = 5.0
"""After a failure nobody tries for so long: whoever halts must not wait for Redis again and again."""

logger = logging.getLogger(__name__)
_failed_at: float | None = None


def hear(kind: str, at: datetime) -> None:
    """Ask for a tick at once, unless this is one."""
    global _failed_at
    # Of the task that runs there is always a stand-in, which is none where nothing runs.
    if kind not in URGENT or getattr(current_task, "name", None) in (tasks.tick.name, tasks.supervise.name):
        return
    if _failed_at is not None and time.monotonic() - _failed_at < REST_S:
        return
    try:
        tasks.tick.apply_async(kwargs={"job": "hint"}, expires=EXPIRES_S, retry=False)
    except OperationalError as error:
        logger.info("what was asked for waits for the next tick, Redis does not answer: %s", error)
        _failed_at = time.monotonic()
        return
    _failed_at = None
