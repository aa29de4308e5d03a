"""What was known of a pair's book at any moment, by records of the past: an as-of join that never looks ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from trading.core.candles import Floats, Ints

SETTLED = timedelta(seconds=10)
"""A record counts from so long after it was ranked: until then its transaction may have been under way."""
FAST = timedelta(minutes=15)
"""An order book that is older says nothing any more."""
SLOW = timedelta(hours=2)
"""Nor do funding and open interest, which venues are asked for once an hour."""
CHANGE = timedelta(days=1)
"""Back to what open interest is compared with: how much is open says little, for every pair has a size of its own."""
REACH = SETTLED + CHANGE + SLOW
"""What is older than this says nothing about a moment."""
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BookHistory:
    """Records of one pair; all columns are as long as `at`, NaN where a record lacks the value."""

    at: Ints
    """When each record was ranked, milliseconds, rising."""
    imbalance: Floats
    funding_rate: Floats
    open_interest: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BookKnown:
    """What was known at each of some moments; NaN where nothing, or nothing fresh, was."""

    imbalance: Floats
    """Of the quantities at best bid and ask, -1 to 1."""
    funding_rate: Floats
    """A fraction of the notional."""
    open_interest_change: Floats
    """Within a day, a fraction."""


def known_at(history: BookHistory | None, moments: Ints) -> BookKnown:
    """Return what was known at moments (milliseconds); a record that comes later changes nothing."""
    if history is None:
        nothing = np.full(len(moments), np.nan)
        return BookKnown(imbalance=nothing, funding_rate=nothing, open_interest_change=nothing)
    interest, before = (
        _as_of(history, history.open_interest, each, SLOW) for each in (moments, moments - CHANGE // _MS)
    )
    change = np.full(len(moments), np.nan)
    np.divide(interest, before, out=change, where=before > 0.0)  # false for NaN, which so stays missing
    return BookKnown(
        imbalance=_as_of(history, history.imbalance, moments, FAST),
        funding_rate=_as_of(history, history.funding_rate, moments, SLOW),
        open_interest_change=change - 1.0,
    )


def spans(moment: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Return within which times (both ends included) lies every record that says something about one moment."""
    ends = (moment - SETTLED, moment - SETTLED - CHANGE)
    return tuple((end - SLOW, end) for end in ends)


def _as_of(history: BookHistory, values: Floats, moments: Ints, oldest: timedelta) -> Floats:
    """Return the newest value at or before each moment, NaN where there is none or it is older than `oldest`."""
    is_told = np.isfinite(values)
    if not is_told.any():
        return np.full(len(moments), np.nan)
    at, told = history.at[is_told] + SETTLED // _MS, values[is_told]
    place = np.searchsorted(at, moments, side="right") - 1
    is_fresh = (place >= 0) & (moments - at[place] <= oldest // _MS)
    return np.where(is_fresh, told[place], np.nan)
