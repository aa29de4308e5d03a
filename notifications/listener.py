"""Hears of the journal after a commit; settings.EVENT_LISTENERS names `hear`. It only hints: the sweep finds what it lost."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from django.conf import settings
from kombu.exceptions import OperationalError

from notifications import tasks
from notifications.kinds import FACTS

HEARD = frozenset((*FACTS, "entry", "exit", "trade_closed", "entry_canceled"))
REST_S = 5.0
"""After a failure nobody tries for so long: trading must not wait for Redis again and again."""

logger = logging.getLogger(__name__)
_failed_at: float | None = None


def hear(kind: str, at: datetime) -> None:
    """Ask for a run of the messages where the event is one that people hear of."""
    global _failed_at
    if kind not in HEARD or not (settings.TELEGRAM_TOKEN or settings.NOTIFY_URLS or settings.FALLBACK_URLS):
        return
    if _failed_at is not None and time.monotonic() - _failed_at < REST_S:
        return
    try:
        tasks.sweep.apply_async(retry=False, expires=tasks.PERIOD_S)
    except OperationalError as error:
        logger.info("messages wait for the next sweep, Redis does not answer: %s", error)
        _failed_at = time.monotonic()
        return
    _failed_at = None
