"""Timeframes by name, and the arithmetic of bars on the UTC grid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MILLISECONDS: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}


class UnknownTimeframe(ValueError):
    """A timeframe that Julaba does not know."""

    def __init__(self, timeframe: str) -> None:
        super().__init__(f"unknown timeframe {timeframe!r}: use one of {', '.join(MILLISECONDS)}")


def milliseconds(timeframe: str) -> int:
    """Return the length of a bar in milliseconds, or raise UnknownTimeframe."""
    try:
        return MILLISECONDS[timeframe]
    except KeyError:
        raise UnknownTimeframe(timeframe) from None


def length(timeframe: str) -> timedelta:
    return timedelta(milliseconds=milliseconds(timeframe))


def to_ms(moment: datetime) -> int:
    """Return the whole milliseconds since 1970 of an aware datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"a datetime needs its time zone, {moment!r} has none")
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(ms))


def bar_open(moment: datetime, timeframe: str) -> datetime:
    """Return when the bar that contains `moment` opened."""
    span = milliseconds(timeframe)
    return from_ms(to_ms(moment) // span * span)


def last_closed(moment: datetime, timeframe: str) -> datetime:
    """Return when the newest bar that has closed by `moment` opened."""
    return bar_open(moment, timeframe) - length(timeframe)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
