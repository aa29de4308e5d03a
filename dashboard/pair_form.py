"""What people ask of pairs, from the pages and from the API alike: watch, switch, lock, put on the blacklist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from trading import selectors
from trading.services import pair_locks, switching, watching
from trading.services.pair_locks import PairRefused

PERMISSION = "trading.manage_pairs"
LONGEST_LOCK = 43_200
"""Minutes; 30 days. What shall last longer belongs on the blacklist."""
LOOSER = ("unban", "lift")
"""Acts that allow entries again: they ask for a fresh proof of who is there."""


def ask(act: object, asked: Mapping[str, Any], *, by: str, now: datetime) -> str:
    """Do what was asked and return what was done; raises PairRefused."""
    deed = _DEEDS.get(str(act))
    if deed is None:
        raise PairRefused("act", f"is none of {', '.join(_DEEDS)}")
    return deed(asked, by, now)


def _watch(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    symbol = pair_locks.clean_symbol(asked.get("symbol"))
    newest = selectors.latest_scan()
    # What was never scanned may not exist at the venue at all.
    known = set(newest.rows.exclude(refused_by="data").values_list("symbol", flat=True)) if newest else ()
    watching.add(symbol, reason=asked.get("reason"), by=by, now=now, params=selectors.params(), known=known)
    return f"{symbol} is watched."


def _unwatch(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    symbol = pair_locks.clean_symbol(asked.get("symbol"))
    watching.remove(symbol, reason=asked.get("reason"), by=by, now=now, params=selectors.params())
    return f"{symbol} is watched no longer."


def _switch(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    made = switching.request(
        asked.get("symbol"),
        out_symbol=asked.get("out_symbol") or "",
        by=by,
        reason=asked.get("reason"),
        params=selectors.params(),
        now=now,
    )
    return f"{made.in_symbol} is watched in place of {made.out_symbol}."


def _ban(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    entry = pair_locks.ban(asked.get("symbol"), reason=asked.get("reason"), by=by, now=now)
    return f"{entry.symbol} is on the blacklist."


def _unban(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    symbol = pair_locks.clean_symbol(asked.get("symbol"))
    pair_locks.unban(symbol, by=by, now=now)
    return f"{symbol} is off the blacklist."


def _lock(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    minutes = _whole("minutes", asked.get("minutes"), high=LONGEST_LOCK)
    until = now + timedelta(minutes=minutes)
    made = pair_locks.lock(asked.get("symbol"), until=until, reason=asked.get("reason"), by=by, now=now)
    return f"{made.symbol} is locked until {until:%Y-%m-%d %H:%M} UTC."


def _lift(asked: Mapping[str, Any], by: str, now: datetime) -> str:
    pk = _whole("id", asked.get("id"), high=2**53)
    pair_locks.lift(pk, by=by, now=now)
    return "The lock is lifted."


def _whole(field: str, given: Any, *, high: int) -> int:
    text = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and 1 <= int(text) <= high):
        raise PairRefused(field, f"is no whole number from 1 to {high}")
    return int(text)


_DEEDS: dict[str, Callable[[Mapping[str, Any], str, datetime], str]] = {
    "watch": _watch,
    "unwatch": _unwatch,
    "switch": _switch,
    "ban": _ban,
    "unban": _unban,
    "lock": _lock,
    "lift": _lift,
}
