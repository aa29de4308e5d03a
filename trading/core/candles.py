"""The Candles value: closed bars of one series, UTC, sorted, finite and without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from trading.core import timeframes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COLUMNS = ("opened", "open", "high", "low", "close", "volume")


class CandleError(ValueError):
    """Candles that break the contract; `row` counts from 0 and is the first bad one."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"candle {row}: {reason}")
        self.row = row
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candles:
    """Closed bars, oldest first. Build with `checked` where the source is not trusted.

    `opened` is the open time in milliseconds since 1970, prices are quote per base, volume is base;
    all arrays have the same length.
    """

    symbol: str
    timeframe: str
    opened: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.opened)

    def opened_at(self, index: int) -> datetime:
        return timeframes.from_ms(int(self.opened[index]))

    def closed_at(self, index: int) -> datetime:
        return self.opened_at(index) + timeframes.length(self.timeframe)

    def slice(self, start: int, stop: int) -> Candles:
        """Return the bars from `start` up to but without `stop`, sharing memory."""
        part = np.s_[start:stop]
        return Candles(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened=self.opened[part],
            open=self.open[part],
            high=self.high[part],
            low=self.low[part],
            close=self.close[part],
            volume=self.volume[part],
        )

    def tail(self, count: int) -> Candles:
        return self.slice(max(0, len(self) - count), len(self))

    def until(self, moment: datetime, *, limit: int) -> Candles:
        """Return the last `limit` bars that have closed by `moment`."""
        span = timeframes.milliseconds(self.timeframe)
        stop = int(np.searchsorted(self.opened, timeframes.to_ms(moment) - span, side="right"))
        return self.slice(0, stop).tail(limit)

    @classmethod
    def checked(
        cls,
        *,
        symbol: str,
        timeframe: str,
        opened: Ints,
        open: Floats,  # the field's name
        high: Floats,
        low: Floats,
        close: Floats,
        volume: Floats,
    ) -> Candles:
        """Return the value, or raise CandleError naming the first row that breaks the contract."""
        candles = cls(
            symbol=symbol,
            timeframe=timeframe,
            opened=opened,
            open=open,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        _check(candles)
        return candles


def joined(first: Candles, second: Candles) -> Candles:
    """Return one series out of two of the same symbol and timeframe; the second begins where the first ends."""
    columns = {name: np.concatenate([getattr(part, name) for part in (first, second)]) for name in _COLUMNS}
    return Candles.checked(symbol=first.symbol, timeframe=first.timeframe, **columns)


def resample(candles: Candles, timeframe: str) -> Candles:
    """Return bars of a longer timeframe, aligned to UTC; a longer bar of which a part is missing is left out."""
    short, long = timeframes.milliseconds(candles.timeframe), timeframes.milliseconds(timeframe)
    if long % short:
        raise ValueError(f"{timeframe} bars cannot be made from {candles.timeframe} bars")
    if long == short:
        return candles
    parts = long // short
    owner = candles.opened // long
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(candles) else np.empty(0, np.int64)
    counts = np.diff(np.r_[starts, len(candles)])
    starts = starts[counts == parts]
    index = starts[:, None] + np.arange(parts)
    return Candles(
        symbol=candles.symbol,
        timeframe=timeframe,
        opened=candles.opened[starts],
        open=candles.open[starts],
        high=candles.high[index].max(axis=1, initial=-np.inf),
        low=candles.low[index].min(axis=1, initial=np.inf),
        close=candles.close[starts + parts - 1],
        volume=candles.volume[index].sum(axis=1),
    )


def _check(candles: Candles) -> None:
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    for name, column in columns.items():
        if len(column) != len(candles):
            raise CandleError(0, f"{name} has {len(column)} values for {len(candles)} bars")
    span = timeframes.milliseconds(candles.timeframe)
    steps = np.diff(candles.opened, prepend=candles.opened[:1] - span)
    rules = (
        *((~np.isfinite(column), f"{name} is not a number") for name, column in columns.items()),
        *((columns[name] <= 0, f"{name} is not positive") for name in ("open", "high", "low", "close")),
        (candles.volume < 0, "volume is negative"),
        (candles.high < candles.low, "high is below low"),
        (candles.high < np.maximum(candles.open, candles.close), "high is below open or close"),
        (candles.low > np.minimum(candles.open, candles.close), "low is above open or close"),
        (candles.opened % span != 0, f"open time is not on the {candles.timeframe} grid"),
        (steps == 0, "duplicate open time"),
        (steps < 0, "open time goes backwards"),
        (steps > span, "bars are missing before it"),
    )
    broken = [(int(np.argmax(bad)), reason) for bad, reason in rules if bad.any()]
    if broken:
        raise CandleError(*min(broken, key=itemgetter(0)))
