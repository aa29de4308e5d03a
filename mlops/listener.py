"""Hears that a signal waits for advice; settings.EVENT_LISTENERS names `hear`. It only hints: beat finds what it lost."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from kombu.exceptions import OperationalError

from mlops import tasks
from trading import events

REST_S = 5.0
"""After a failure nobody tries for so long: trading must not wait for Redis again and again."""
EXPIRES_S = 5.0

logger = logging.getLogger(__name__)
_failed_at: float | None = None


def hear(kind: str, at: datetime) -> None:
    """Ask for answers at once where a signal waits for them."""
    global _failed_at
    if kind != events.ADVICE_WANTED:
        return
    if _failed_at is not None and time.monotonic() - _failed_at < REST_S:
        return
    try:
        tasks.advise.apply_async(retry=False, expires=EXPIRES_S)
    except OperationalError as error:
        logger.info("advice waits for the next sweep, Redis does not answer: %s", error)
        _failed_at = time.monotonic()
        return
    _failed_at = None
