"""Pairs that may not be entered: the blacklist, which people keep, and locks, which end by themselves."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from trading import events
from trading.core.params import Params
from trading.core.types import Verdict
from trading.models import BlacklistEntry, PairLock

LONGEST_REASON = 200


class PairRefused(Exception):
    """What was asked about a pair cannot be done: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def verdicts(symbol: str, *, now: datetime) -> tuple[Verdict, Verdict]:
    """Return whether blacklist and locks let the symbol be entered now."""
    entry = BlacklistEntry.objects.filter(symbol=symbol, removed_at=None).first()
    lock = PairLock.objects.filter(symbol=symbol, lifted_at=None, until__gt=now).order_by("-until").first()
    minutes = (lock.until - now).total_seconds() / 60 if lock else 0.0
    return (
        _verdict(
            "blacklist", float(entry is not None), f"{symbol} is on the blacklist: {entry.reason}" if entry else ""
        ),
        _verdict("pair_lock", minutes, f"{symbol} is locked for {minutes:.0f} min: {lock.reason}" if lock else ""),
    )


def refusal(symbol: str, *, now: datetime) -> Verdict | None:
    """Return the first of them that refuses, or None."""
    return next((verdict for verdict in verdicts(symbol, now=now) if not verdict.passed), None)


def banned() -> frozenset[str]:
    return frozenset(BlacklistEntry.objects.filter(removed_at=None).values_list("symbol", flat=True))


def locked(*, now: datetime) -> frozenset[str]:
    standing = PairLock.objects.filter(lifted_at=None, until__gt=now)
    return frozenset(standing.values_list("symbol", flat=True))


def ban(symbol: object, *, reason: object, by: str, now: datetime) -> BlacklistEntry:
    """Put a pair on the blacklist; open trades in it are followed as before. Raises PairRefused."""
    pair, why = clean_symbol(symbol), clean_reason(reason)
    try:
        with transaction.atomic():
            entry = BlacklistEntry.objects.create(symbol=pair, reason=why, by=by, at=now)
            events.emit("blacklist", at=now, symbol=pair, text=f"{by} put {pair} on the blacklist: {why}")
    except IntegrityError:
        raise PairRefused("symbol", f"{pair} is on the blacklist already") from None
    return entry


def unban(symbol: object, *, by: str, now: datetime) -> None:
    pair = clean_symbol(symbol)
    with transaction.atomic():
        standing = BlacklistEntry.objects.filter(symbol=pair, removed_at=None)
        if not standing.update(removed_at=now, removed_by=by):
            raise PairRefused("symbol", f"{pair} is not on the blacklist")
        events.emit("blacklist", at=now, symbol=pair, text=f"{by} took {pair} off the blacklist")


def lock(symbol: object, *, until: datetime, reason: object, by: str, now: datetime) -> PairLock:
    """Let nothing enter a pair until a moment; `by` is empty for a guard of Julaba's. Raises PairRefused."""
    pair, why = clean_symbol(symbol), clean_reason(reason)
    if until <= now:
        raise PairRefused("until", "has passed already: give a later moment")
    with transaction.atomic():
        made = PairLock.objects.create(symbol=pair, until=until, reason=why, by=by, at=now)
        text = f"{by or 'Julaba'} locked {pair} until {until:%Y-%m-%d %H:%M} UTC: {why}"
        events.emit("pair_lock", at=now, symbol=pair, text=text)
    return made


def lift(pk: int, *, by: str, now: datetime) -> None:
    """End a lock early; raises PairRefused where there is none that stands."""
    with transaction.atomic():
        row = PairLock.objects.filter(pk=pk, lifted_at=None, until__gt=now).first()
        if row is None or not PairLock.objects.filter(pk=pk, lifted_at=None).update(lifted_at=now, lifted_by=by):
            raise PairRefused("id", f"there is no standing lock {pk}")
        events.emit("pair_lock", at=now, symbol=row.symbol, text=f"{by} lifted the lock of {row.symbol}")


def clean_symbol(symbol: object) -> str:
    """Return a symbol in the one way it is written, or raise PairRefused."""
    try:
        return Params.of({"pairs": [str(symbol).strip().upper()]}).pairs[0]
    except ValueError:
        raise PairRefused("symbol", f"{str(symbol)[:30]!r} is not a symbol such as BTC/USDT") from None


def clean_reason(reason: object) -> str:
    if not isinstance(reason, str) or not reason.strip():
        raise PairRefused("reason", "is missing: say why, it is kept and shown")
    if len(reason.strip()) > LONGEST_REASON:
        raise PairRefused("reason", f"has more than {LONGEST_REASON} characters: say it shorter")
    return reason.strip()


def _verdict(name: str, value: float, reason: str) -> Verdict:
    return Verdict(name=name, passed=not reason, value=value, limit=0.0, reason=reason or "none")
