"""Drives the live tick over a stretch of the past with a simulated clock; nothing in it knows that it is the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trading import events
from trading.core import timeframes
from trading.services import tick
from trading.services.context import Ports

OWNER = "replay"


def run(
    *,
    ports: Ports,
    timeframe: str,
    start: datetime,
    end: datetime,
    on_progress: Callable[[datetime], object] = lambda now: None,
) -> int:
    """Tick at the close of every bar from `start` to `end` and return how many ticks ran."""
    span = timeframes.length(timeframe)
    now = timeframes.bar_open(start, timeframe)
    if now < start:
        now += span
    count = 0
    while now <= end:
        # What is replayed is not news.
        with events.silence():
            tick.run(ports=ports, now=now, owner=OWNER)
        on_progress(now)
        now += span
        count += 1
    return count
