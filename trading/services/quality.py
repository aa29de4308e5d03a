"""What is known of the quality of series: the verdict before an entry, what a stream dropped, and how old prices are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from trading import events
from trading.core import quality
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.quality import Quality, State
from trading.core.types import Verdict
from trading.models import ACTIVE, Bot, Event, LastPrice, SeriesQuality, Trade

NAME = "data_quality"
CAUTION = timedelta(minutes=1)
"""So long after something was dropped nothing is entered on what came by the same way."""
OLD, TOO_OLD = timedelta(minutes=5), timedelta(minutes=10)
"""Prices older than the first are told to people; older than the second, the system is not healthy."""
STALE, FRESH = "data_stale", "data_fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether prices are recent enough to trade on; `age` is that of the oldest that matters, None without any."""

    is_healthy: bool
    age: timedelta | None
    reason: str = ""


def verdict(candles: Candles, *, venue: str, now: datetime) -> Verdict:
    """Return whether an entry may rest on these bars; `value` counts the bars that look odd."""
    judged = quality.judge(candles)
    reason = judged.reason
    if judged.state is State.OK:
        noted = SeriesQuality.objects.filter(venue=venue, symbol__in=(candles.symbol, ""), suspect_until__gt=now)
        reason = next((row.reason for row in noted.exclude(state=State.OK)), "")
    return Verdict(name=NAME, passed=not reason, value=float(judged.flagged), limit=0.0, reason=reason or "sound")


def note(judged: Quality, *, venue: str, symbol: str, timeframe: str, now: datetime) -> None:
    """Keep the verdict on a series; people are told when it changes for the worse."""
    known = SeriesQuality.objects.filter(venue=venue, symbol=symbol, timeframe=timeframe).first()
    if known and (known.state, known.reason) == (judged.state, judged.reason):
        return
    with transaction.atomic():
        SeriesQuality.objects.update_or_create(
            venue=venue,
            symbol=symbol,
            timeframe=timeframe,
            defaults={"state": judged.state, "reason": judged.reason[:200], "at": now},
        )
        if judged.state is not State.OK:
            text = f"{symbol} {timeframe} is {judged.state}: {judged.reason}; nothing is entered on it"
            events.emit("data_quality", at=now, symbol=symbol, text=text)


def note_dropped(counts: Mapping[tuple[str, str], int], *, venue: str, timeframe: str, now: datetime) -> None:
    """Count what a stream dropped, by symbol and reason, and distrust its way for a while."""
    for (symbol, reason), count in counts.items():
        found: dict[str, Any] = {"venue": venue, "symbol": symbol, "timeframe": timeframe if symbol else ""}
        text = f"the stream told {reason}"[:200]
        fresh = {"state": State.SUSPECT, "reason": text, "at": now, "suspect_until": now + CAUTION}
        if not SeriesQuality.objects.filter(**found).update(**fresh, dropped=F("dropped") + count):
            SeriesQuality.objects.get_or_create(**found, defaults={**fresh, "dropped": count})


def health(*, now: datetime) -> Health:
    """Return whether the newest price, and that of every open position, is younger than TOO_OLD."""
    bot = Bot.objects.filter(pk=1).first()
    if bot is None or bot.data_at is None:
        return Health(is_healthy=False, age=None, reason="no price was seen yet")
    held = set(Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True))
    seen = dict(LastPrice.objects.filter(symbol__in=held).values_list("symbol", "at"))
    oldest = min([("", bot.data_at), *seen.items()], key=lambda item: item[1])
    age = max(now - oldest[1], timedelta(0))
    whose = f"of {oldest[0]}" if oldest[0] else "of any symbol"
    reason = "" if age <= OLD else f"the newest price {whose} is {age // timedelta(minutes=1)} min old"
    return Health(is_healthy=age <= TOO_OLD, age=age, reason=reason)


def watch(*, params: Params, now: datetime) -> None:
    """Tell people once when prices of watched symbols grow old, and once when all are fresh again."""
    bot = Bot.objects.filter(pk=1).first()
    if bot is None or bot.is_replaying:
        return
    held = Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True)
    rows = LastPrice.objects.filter(symbol__in={*params.pairs, *held}, at__lt=now - OLD).order_by("symbol")
    old = sorted(rows.values_list("symbol", flat=True))
    last = Event.objects.filter(kind__in=(STALE, FRESH)).order_by("-pk").values_list("kind", "payload").first()
    told = set(last[1].get("symbols", [])) if last and last[0] == STALE else set()
    if set(old) - told:
        names = ", ".join(old[:5]) + (f" and {len(old) - 5} more" if len(old) > 5 else "")
        minutes = OLD // timedelta(minutes=1)
        text = f"No new price for over {minutes} min: {names}. Nothing is entered there; stops at the venue stay"
        events.emit(STALE, at=now, text=text, payload={"symbols": old})
    elif told and not old:
        events.emit(FRESH, at=now, text="All watched symbols have fresh prices again")
