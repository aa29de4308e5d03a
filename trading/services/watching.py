"""The watch list: the listed pairs or the best of the scan, and what people add; the tick reads it from rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction

from trading import events
from trading.core.params import Params
from trading.models import ACTIVE, Trade, WatchedPair, WatchSource
from trading.selectors.pairs import applied, symbols, symbols_at, symbols_between
from trading.services.pair_locks import PairRefused, clean_reason, clean_symbol

__all__ = ["add", "applied", "end", "remove", "symbols", "symbols_at", "symbols_between"]


def add(symbol: object, *, reason: object, by: str, now: datetime, params: Params, known: Collection[str] = ()) -> None:
    """Watch a pair because a person wants it; `known` is what the venue has, where that is known. Raises PairRefused."""
    pair, why = clean_symbol(symbol), clean_reason(reason)
    if pair in symbols(params):
        raise PairRefused("symbol", f"{pair} is watched already")
    if known and pair not in known:
        raise PairRefused("symbol", f"the venue has no {pair}")
    try:
        with transaction.atomic():
            WatchedPair.objects.create(symbol=pair, source=WatchSource.HAND, since=now, reason=why, by=by)
            events.emit("watch_list", at=now, symbol=pair, text=f"{by} put {pair} on the watch list: {why}")
    except IntegrityError:
        raise PairRefused("symbol", f"{pair} is watched already") from None


def remove(symbol: object, *, reason: object, by: str, now: datetime, params: Params) -> None:
    """Watch a pair no longer; the listed pairs stay, they are a parameter. Raises PairRefused."""
    pair, why = clean_symbol(symbol), clean_reason(reason)
    if Trade.objects.filter(symbol=pair, status__in=ACTIVE).exists():
        raise PairRefused("symbol", f"a trade is open on {pair}: close it first")
    with transaction.atomic():
        if not end(pair, now=now):
            raise PairRefused("symbol", _why_not(pair, params))
        events.emit("watch_list", at=now, symbol=pair, text=f"{by} took {pair} off the watch list: {why}")


def end(symbol: str, *, now: datetime) -> bool:
    """Close a pair's row; False where it has none."""
    return WatchedPair.objects.filter(symbol=symbol, until=None).update(until=now) > 0


def _why_not(symbol: str, params: Params) -> str:
    if symbol in params.pairs:
        return f"{symbol} is one of the parameter pairs: change it there, or lock or blacklist it"
    return f"{symbol} is not on the watch list"
