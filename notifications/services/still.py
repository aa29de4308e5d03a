"""What of the market stands still although the rest goes on: the price of a pair, or the bars that are judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from notifications import formats
from notifications.models import Alert
from trading import selectors
from trading.core import timeframes
from trading.models import ACTIVE, LastPrice, Trade, Watermark
from trading.selectors import pairs

Found = Mapping[str, str]
THAW = timedelta(seconds=60)
"""After prices in whole had stopped, so long may pass until each pair has had one."""
MOST_NAMES = 5


def prices(limit: float, now: datetime) -> Found | None:
    """Return pairs without a new price: each in which a position is open by itself, all others in one sentence."""
    since = now - timedelta(seconds=limit)
    stopped = Alert.objects.filter(Q(cleared_at=None) | Q(cleared_at__gt=now - THAW), key="data_old:")
    if stopped.exists():
        return None
    held = set(Trade.objects.filter(status__in=ACTIVE, created_at__lt=since).values_list("symbol", flat=True))
    rows = LastPrice.objects.filter(symbol__in=held | _steady(since), at__lt=since).order_by("symbol")
    old = {row.symbol: now - row.at for row in rows}
    found = {
        symbol: f"{symbol}, in which a position is open: the newest price is {formats.span(age)} old, while others come."
        for symbol, age in old.items()
        if symbol in held
    }
    if others := sorted(old.keys() - held):
        found["watched"] = (
            f"No price came for {formats.span(timedelta(seconds=limit))}: {_listed(others)}. Nothing is entered there."
        )
    return found


def bars(limit: float, now: datetime) -> Found:
    """Return in one sentence the pairs of which a bar that has closed long ago is not judged."""
    since, timeframe = now - timedelta(seconds=limit), selectors.params().timeframe
    span = timeframes.length(timeframe)
    marks = Watermark.objects.filter(
        timeframe=timeframe, symbol__in=_steady(since - 2 * span), bar_at__lt=since - 2 * span
    )
    late = sorted(marks.values_list("symbol", flat=True))
    if not late:
        return {}
    waited = formats.span(timedelta(seconds=limit))
    return {
        "": f"No closed bar was judged for {waited} since it was due: {_listed(late)}. No entry is looked for there."
    }


def _steady(since: datetime) -> set[str]:
    """Return the pairs that have been watched since then, under the parameters in force."""
    revision, params = selectors.revision(), selectors.params()
    if revision is None or revision.created_at > since:
        return set()
    return set(pairs.symbols(params)) & set(pairs.symbols_at(since, params))


def _listed(symbols: Iterable[str]) -> str:
    names = list(symbols)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
