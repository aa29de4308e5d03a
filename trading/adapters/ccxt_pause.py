"""The pause that a venue asked for, shared by every process through the database: a venue bans an address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from django.db import Error as DatabaseError
from django.db.models import Max

from trading.adapters.ccxt_budget import OwnPause
from trading.models import VenuePause

_READ_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class SharedPause:
    """The Pause of one venue: a throttle adds a row, and the latest `until` of all rows counts.

    Rows are read at most once a second. Without the database this process's own pause holds: exits go on.
    """

    def __init__(self, venue: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._venue = venue
        self._own = OwnPause()
        self._monotonic = monotonic
        self._read_at: float | None = None

    def get(self) -> datetime | None:
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= _READ_EVERY_S:
            self._read_at = now
            self._read()
        return self._own.get()

    def set(self, until: datetime) -> None:
        self._own.set(until)
        try:
            VenuePause.objects.create(venue=self._venue, until=until)
        except DatabaseError as error:
            logger.warning("other processes are not told of the pause that %s asked for: %s", self._venue, error)

    def _read(self) -> None:
        try:
            until = VenuePause.objects.filter(venue=self._venue).aggregate(last=Max("until"))["last"]
        except DatabaseError as error:
            logger.warning("the pause of other processes at %s is not known now: %s", self._venue, error)
            return
        if until is not None:
            self._own.set(until)
