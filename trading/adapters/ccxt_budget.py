"""How much may be asked of a venue: our own budget, and the pause that the venue asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from trading.adapters.ccxt_lazy import ccxt

_BURST_S = 5.0
_RESERVED_FRACTION = 0.3


class Pause(Protocol):
    """Until when the venue wants to be left alone; give one that all processes share."""

    def get(self) -> datetime | None: ...

    def set(self, until: datetime) -> None: ...


class OwnPause:
    """The pause of this process alone."""

    def __init__(self) -> None:
        self._until: datetime | None = None

    def get(self) -> datetime | None:
        return self._until

    def set(self, until: datetime) -> None:
        self._until = max(until, self._until or until)


class HeldBack(ccxt.BaseError):  # type: ignore[misc] # ccxt has no types
    """A request that was not sent, since the venue wants a pause or our budget is used up."""

    def __init__(self, reason: str, retry_after: timedelta) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Budget:
    """A token bucket of one process in ccxt's cost units; a part of it is kept for urgent requests.

    It refills at half of the venue's rate and holds five seconds of that rate, so no ten seconds exceed it.
    """

    def __init__(self, *, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._refill = per_second / 2
        self._capacity = per_second * _BURST_S
        self._tokens = self._capacity
        self._monotonic = monotonic
        self._at = monotonic()

    def take(self, cost: float, *, urgent: bool) -> None:
        """Take `cost`, or raise HeldBack and take nothing."""
        now = self._monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._refill)
        self._at = now
        floor = 0.0 if urgent else self._capacity * _RESERVED_FRACTION
        missing = min(cost, self._capacity - floor) + floor - self._tokens
        if missing > 0:
            raise HeldBack("our own request budget is used up", timedelta(seconds=missing / self._refill))
        self._tokens -= cost


class Allowance:
    """The budget that several clients of one process share: a venue counts an address, not a key."""

    def __init__(self) -> None:
        self._budget: Budget | None = None
        self._pid = 0

    def budget(self, per_second: float) -> Budget:
        """Return this process's budget; the first client that asks says what the venue allows."""
        if self._budget is None or self._pid != os.getpid():
            self._budget, self._pid = Budget(per_second=per_second), os.getpid()
        return self._budget
