"""Further checks of health: who sends the ticks, the stream, the trading state, backups and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from trading import selectors
from trading.models import Bot, TradingState

BEAT_WARN, BEAT_BAD = timedelta(seconds=30), timedelta(seconds=120)
STREAM_WARN, STREAM_BAD = timedelta(seconds=15), timedelta(minutes=10)
BACKUP_WARN, BACKUP_BAD = timedelta(hours=12), timedelta(hours=48)
TRIAL_WARN = timedelta(hours=48)
CLOCK_WARN, CLOCK_BAD = timedelta(milliseconds=500), timedelta(seconds=5)
Finding = tuple[str, str, str, str, datetime | None]
"""Name, state, text, advice, and when what it looked at happened."""


def findings(bot: Bot | None, *, now: datetime) -> Iterator[Finding]:
    yield from _state(bot)
    keeping = selectors.keeping()
    if keeping.beat_at is not None and bot is not None and not bot.is_replaying:
        advice = "No tick was sent in time: look at the process named beat. Prices that reach a stop still send hints."
        yield "Beat", _aged(keeping.beat_at, now, BEAT_WARN, BEAT_BAD), "last tick sent", advice, keeping.beat_at
    yield from _stream(now)
    yield from _backups(bot, keeping, now)
    yield from clock()


def _state(bot: Bot | None) -> Iterator[Finding]:
    if bot is None:
        return
    states = {TradingState.ACTIVE: "ok", TradingState.CLOSE_ONLY: "warn", TradingState.HALTED: "bad"}
    text = bot.get_trading_state_display() + (f": {bot.state_reason}" if bot.state_reason else "")
    yield "Trading state", states[TradingState(bot.trading_state)], text, "Only people lift it, with a reason.", None


def _stream(now: datetime) -> Iterator[Finding]:
    """Ask when the venue was last heard of; the simulated market needs no stream."""
    if settings.EXCHANGE == "simulated":
        return
    # Both load numpy, which nothing else in this process needs until a chart is drawn.
    from trading import market_wiring
    from trading.core.feed import BoardUnavailable

    try:
        at = market_wiring.board().read(()).alive_at
    except BoardUnavailable:
        return  # Redis has a check of its own
    advice = "Prices are asked for one by one meanwhile: look at the process named stream."
    yield "Stream", _aged(at, now, STREAM_WARN, STREAM_BAD), "last heard" if at else "never heard", advice, at


def _backups(bot: Bot | None, keeping: selectors.Keeping, now: datetime) -> Iterator[Finding]:
    advice = "Read the journal for why, then run manage.py backup."
    if keeping.backup_at is None:
        young = bot is None or bot.is_replaying or keeping.began_at is None or now - keeping.began_at < BACKUP_WARN
        yield "Backup", "ok" if young else "warn", "none so far", advice, None
        return
    yield "Backup", _aged(keeping.backup_at, now, BACKUP_WARN, BACKUP_BAD), "last", advice, keeping.backup_at
    if keeping.trial is not None:
        state = "bad" if not keeping.trial.passed else _aged(keeping.trial.at, now, TRIAL_WARN, timedelta.max)
        advice = "A backup that cannot be restored is none: run manage.py restore --check on it."
        yield "Trial restore", state, keeping.trial.text[:200], advice, keeping.trial.at


def clock() -> Iterator[Finding]:
    """Compare with the clock of Redis, which may run on another machine."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            before = datetime.now(tz=UTC)
            seconds, micros = client.time()
            after = datetime.now(tz=UTC)
    except (RedisError, OSError):
        return
    theirs = datetime.fromtimestamp(int(seconds), tz=UTC) + timedelta(microseconds=int(micros))
    offset = max(theirs - after, before - theirs, timedelta(0))
    state = "bad" if offset > CLOCK_BAD else "warn" if offset > CLOCK_WARN else "ok"
    text = f"{offset / timedelta(milliseconds=1):.0f} ms from that of Redis"
    yield "Clock", state, text, "Let every machine follow a time server (NTP).", None


def _aged(at: datetime | None, now: datetime, warn: timedelta, bad: timedelta) -> str:
    if at is None:
        return "warn"
    return "bad" if now - at > bad else "warn" if now - at > warn else "ok"
