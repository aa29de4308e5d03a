"""The daily trial at a live venue: a small order far from the price shows that stops can still be placed and canceled.

A trial that the venue refused or lost restricts trading to exits: positions could no longer be protected. One that
could not be made at all proves nothing and is tried again an hour later.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

from trading import events
from trading.core.ports import MarketDataUnavailable, NotSent, OrderRejected, OutcomeUnknown, StopSupport
from trading.models import Bot, Event, TradingState
from trading.services import control

PERIOD = timedelta(days=1)
PASSED, FAILED = "self_test_passed", "self_test_failed"

logger = logging.getLogger(__name__)


class Tester(Protocol):
    """What the trial asks of a venue; it fails only by the exceptions of trading.core.ports."""

    def stop_support(self, symbol: str) -> StopSupport: ...

    def self_test(self, symbol: str, *, now: datetime) -> str:
        """Place, see and cancel a trial order, and return in words what was placed."""
        ...


def is_due(*, now: datetime) -> bool:
    """Return whether the account may trade and a day has gone since the last trial, passed or failed."""
    bot = Bot.objects.filter(pk=1).first()
    if bot is None or bot.trading_state == TradingState.HALTED:
        return False
    return not Event.objects.filter(kind__in=(PASSED, FAILED), at__gt=now - PERIOD).exists()


def run(*, tester: Tester, symbols: tuple[str, ...], now: datetime) -> bool | None:
    """Make the trial in the first of `symbols` that has stops; None where none has or the venue did not answer."""
    try:
        symbol = next((name for name in symbols if tester.stop_support(name) is not StopSupport.NONE), None)
        if symbol is None:
            return None
        placed = tester.self_test(symbol, now=now)
    except OrderRejected as failure:
        reason = f"the daily trial of stops failed ({failure}): look at the venue, and cancel there what is left of it"
        events.emit(FAILED, at=now, text=reason)
        control.tighten(TradingState.CLOSE_ONLY, reason=reason, now=now)
        return False
    except (MarketDataUnavailable, NotSent, OutcomeUnknown) as doubt:
        logger.warning("the daily trial of stops could not be made, it is tried again in an hour: %s", doubt)
        return None
    events.emit(PASSED, at=now, symbol=symbol, text=f"Daily trial: {placed} was placed, seen and canceled")
    return True
