"""How far a series can be trusted: raw rows are sifted, and each bar is flagged by what its past says of it.

Flags of a bar never change when later bars arrive, so a backtest may read them bar by bar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.core import timeframes
from trading.core.candles import Candles, Floats

SPIKE_FRACTION, SPIKE_RANGES, MEMORY = 0.10, 12.0, 50
"""A spike is further out than both: a tenth of the price, and so many median ranges of the bars of memory before."""
JUMP = 4.0
"""From one close to the next open by such a factor, a coin was renamed or split: what was before says nothing."""
FROZEN_BARS = 12
"""So many bars in a row without volume and movement are no market."""
RECENT_BARS = 3
"""A spike spoils the bars that follow it closely."""

_COLUMNS = ("open", "high", "low", "close", "volume")


class Flag(IntFlag):
    """What is odd about a bar."""

    SPIKE = 1
    JUMP = 2
    FROZEN = 4
    GAP = 8
    """Bars are missing before it."""


class State(StrEnum):
    OK = "ok"
    SUSPECT = "suspect"
    """Sound bars that look wrong: nothing is entered, positions are followed."""
    REFUSED = "refused"
    """Bars are missing, or the venue no longer has the symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The verdict on a series as of its last bar."""

    state: State
    reason: str = ""
    flagged: int = 0
    """Of the bars that were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """The sound bars among raw rows, in runs without gaps, oldest first; and how many rows were dropped, by reason."""

    runs: tuple[Candles, ...]
    dropped: Mapping[str, int]


def flags(candles: Candles) -> NDArray[np.uint8]:
    """Return the Flag bits of every bar, each from that bar and those before it."""
    found = np.zeros(len(candles), dtype=np.uint8)
    if not len(candles):
        return found
    before = np.r_[candles.open[0], candles.close[:-1]]
    span = timeframes.milliseconds(candles.timeframe)
    found[_spikes(candles, before)] |= np.uint8(Flag.SPIKE)
    ratio = candles.open / before
    found[(ratio >= JUMP) | (ratio <= 1.0 / JUMP)] |= np.uint8(Flag.JUMP)
    found[np.diff(candles.opened, prepend=candles.opened[0] - span) > span] |= np.uint8(Flag.GAP)
    still = (candles.volume == 0) & (candles.high == candles.low) & (candles.close == before)
    # How many bars in a row were still: since the last one that was not.
    index = np.arange(1, len(candles) + 1)
    found[index - np.maximum.accumulate(np.where(still, 0, index)) >= FROZEN_BARS] |= np.uint8(Flag.FROZEN)
    return found


def judge(candles: Candles) -> Quality:
    """Return the verdict on the bars given, as of the last of them; no bars are refused."""
    if not len(candles):
        return Quality(state=State.REFUSED, reason="there are no bars")
    found = flags(candles)
    flagged = int(np.count_nonzero(found))
    for flag, bars, state, text in (
        (Flag.GAP, len(candles), State.REFUSED, "bars are missing before {at}"),
        (Flag.JUMP, len(candles), State.SUSPECT, "the price jumped at {at}, as after a renaming or a split"),
        (Flag.SPIKE, RECENT_BARS, State.SUSPECT, "the price spiked at {at}"),
        (Flag.FROZEN, 1, State.SUSPECT, f"no volume and no movement in {FROZEN_BARS} bars up to {{at}}"),
    ):
        rows = np.flatnonzero(found[-bars:] & np.uint8(flag))
        if len(rows):
            at = candles.opened_at(len(candles) - min(bars, len(candles)) + int(rows[-1]))
            return Quality(state=state, reason=text.format(at=f"{at:%Y-%m-%d %H:%M}"), flagged=flagged)
    return Quality(state=State.OK, flagged=flagged)


def sift(rows: Sequence[Any], *, symbol: str, timeframe: str, now: datetime) -> Sifted:
    """Return the sound closed bars among rows of (open time in ms, open, high, low, close, volume) in any order.

    The bar that is still forming is left out in silence. Of two rows of one bar that differ neither is believed.
    """
    span, moment = timeframes.milliseconds(timeframe), timeframes.to_ms(now)
    dropped: Counter[str] = Counter()
    bars: dict[int, tuple[float, ...]] = {}
    disputed: set[int] = set()
    for row in rows:
        try:
            opened, values = int(row[0]), tuple(float(cell) for cell in row[1:6])
        except (TypeError, ValueError, LookupError, OverflowError):
            dropped["not a candle"] += 1
            continue
        if reason := _broken(opened, values, span=span, moment=moment):
            dropped[reason] += 1
        elif opened + span > moment:
            continue
        elif opened in bars:
            dropped["twice"] += 1
            if bars[opened] != values:
                disputed.add(opened)
        else:
            bars[opened] = values
    for opened in disputed:
        dropped["twice, with other values"] += 1
        del bars[opened]
    return Sifted(runs=_runs(bars, symbol, timeframe, span), dropped=dict(dropped))


def _broken(opened: int, values: tuple[float, ...], *, span: int, moment: int) -> str:
    """Return what is wrong with a row, or nothing."""
    if len(values) != len(_COLUMNS) or not np.isfinite(values).all():
        return "not a number"
    first, high, low, last, volume = values
    if min(first, high, low, last) <= 0 or volume < 0:
        return "zero or negative"
    if high < max(first, last) or low > min(first, last):
        return "high or low do not enclose it"
    if opened < 0 or opened % span:
        return "off the grid"
    return "from the future" if opened > moment else ""


def _runs(bars: Mapping[int, tuple[float, ...]], symbol: str, timeframe: str, span: int) -> tuple[Candles, ...]:
    if not bars:
        return ()
    opened = np.array(sorted(bars), dtype=np.int64)
    table = np.array([bars[int(at)] for at in opened])
    columns = {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(_COLUMNS)}
    whole = Candles(symbol=symbol, timeframe=timeframe, opened=opened, **columns)
    return runs(whole)


def runs(candles: Candles) -> tuple[Candles, ...]:
    """Return the parts of a series between its gaps, oldest first."""
    span = timeframes.milliseconds(candles.timeframe)
    cuts = np.flatnonzero(np.diff(candles.opened) > span) + 1
    edges = [0, *cuts.tolist(), len(candles)]
    return tuple(candles.slice(a, b) for a, b in pairwise(edges) if b > a)


def _spikes(candles: Candles, before: Floats) -> NDArray[np.bool_]:
    """Return where a bar went further from the close before it than its past explains; the first bars are believed."""
    out = np.maximum(candles.high - before, before - candles.low) / before
    usual = np.full(len(candles), np.inf)
    if len(candles) > MEMORY:
        spread = (candles.high - candles.low) / candles.close
        windows = np.lib.stride_tricks.sliding_window_view(spread, MEMORY)[:-1]
        usual[MEMORY:] = np.median(windows, axis=1)
    return out > np.maximum(SPIKE_FRACTION, SPIKE_RANGES * usual)
