"""So many a minute and not one more, however many processes ask: a row is taken from by compare-and-set, in small portions."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from dashboard.models import Quota

WINDOW = timedelta(minutes=1)
PORTIONS = 20
"""A process takes a limit's twentieth at once, so that not every request writes; what it does not use is lost."""

_lock = threading.Lock()
_held: dict[str, tuple[datetime, int]] = {}


def take(key: str, *, limit: int, now: datetime) -> bool:
    """Return whether one more is allowed in this minute; `limit` is for all processes together."""
    window = now.replace(second=0, microsecond=0)
    with _lock:
        begun, left = _held.get(key, (window, 0))
        if begun != window:
            left = 0
        if left == 0:
            left = _portion(key, limit, window)
            if left == 0:
                _held.pop(key, None)
                return False
        _held[key] = (window, left - 1)
        if len(_held) > 1000:
            _forget(window)
    return True


def seconds_left(*, now: datetime) -> int:
    """Return when to ask again: in so many seconds a new minute begins."""
    return 60 - now.second


def prune(*, now: datetime) -> int:
    """Delete the rows of windows that are long over, and return how many there were."""
    count, _ = Quota.objects.filter(window_at__lt=now - 60 * WINDOW).delete()
    return count


def forget() -> None:
    """Give up what this process holds."""
    with _lock:
        _held.clear()


def _forget(window: datetime) -> None:
    for key in [key for key, (begun, _) in _held.items() if begun != window]:
        del _held[key]


def _portion(key: str, limit: int, window: datetime) -> int:
    size = max(1, limit // PORTIONS)
    rows = Quota.objects.filter(key=key)
    for portion in (size, 1):
        if rows.filter(window_at=window, taken__lte=limit - portion).update(taken=F("taken") + portion):
            return portion
    if size <= limit and rows.filter(window_at__lt=window).update(window_at=window, taken=size):
        return size
    if rows.exists():
        return 0
    try:
        with transaction.atomic():
            Quota.objects.create(key=key, window_at=window, taken=size)
    except IntegrityError:
        # Another process made it in this moment: take from that one.
        return _portion(key, limit, window)
    return size
