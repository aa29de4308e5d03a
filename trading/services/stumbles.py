"""Restricts trading to exits where tick after tick fails as nobody expected, or this machine's clock is wrong."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import Error

from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.models import TradingState
from trading.services import control
from trading.services.context import Context
from trading.services.doctor import CLOCK_LIMIT
from trading.services.lease import LeaseLost

EXPECTED = (MarketDataUnavailable, OutcomeUnknown, LeaseLost, Error)
"""What the next tick heals by itself: the venue, the database or another holder of the lease."""
ASKED_FOR = (SystemExit, KeyboardInterrupt)
IN_A_ROW = 3

logger = logging.getLogger(__name__)
_failed: list[str] = []
"""What the newest ticks of this process failed with; empty after one that did not."""
_wrong: list[timedelta] = []
"""How far the clocks were apart at the newest looks; empty after one at which they agreed."""


class Counted:
    """Counts the tick inside, and restricts trading to exits after IN_A_ROW that failed unexpectedly."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            _failed.clear()
            return
        if issubclass(kind, (*EXPECTED, *ASKED_FOR)):
            return
        _failed.append(kind.__name__)
        if len(_failed) >= IN_A_ROW:
            reason = f"{len(_failed)} ticks in a row failed ({kind.__name__}): look at the log of the trading worker, then resume"
            control.tighten(TradingState.CLOSE_ONLY, reason=reason, now=self._now)


def watch_clock(context: Context) -> None:
    """Restrict trading to exits where the venue's clock and ours were apart at two looks in a row.

    Signed requests are dated by the venue's clock and still work; what is judged by ours, such as a price's age, does not.
    """
    try:
        offset = context.ports.broker.clock_offset(now=context.moment())
    except OutcomeUnknown as doubt:
        logger.warning("the venue's time is not known now: %s", doubt)
        return
    if abs(offset) <= CLOCK_LIMIT:
        _wrong.clear()
        return
    _wrong.append(offset)
    if len(_wrong) > 1:
        off = offset / timedelta(seconds=1)
        reason = f"this machine's clock and the venue's are {abs(off):.1f} s apart: set the clock right, then resume"
        control.tighten(TradingState.CLOSE_ONLY, reason=reason, now=context.moment())


def forget() -> None:
    """Begin anew, for tests."""
    _failed.clear()
    _wrong.clear()
