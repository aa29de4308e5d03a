"""Looks at what must not go on unnoticed, and raises or clears one alert for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from notifications import formats, kinds
from notifications.services import alerts, market_watch, outbox, silence, still, surroundings
from trading import selectors
from trading.models import Bot, DayOpening, InvariantRun, ReconcileRun, Trade, TradeStatus

STEPPED = ("drawdown", "move")
"""Kinds that are told again with each further step."""
BREAKERS = ("daily_loss", "weekly_loss", "cool_down")
Found = Mapping[str, str]
"""What an alert is about -> the sentence for it."""


def look(*, now: datetime, is_guard: bool = False) -> None:
    """Look at everything once; what came up is told, and what is over is armed again.

    `is_guard`: whoever should look is silent, and somebody else looks in its place.
    """
    bot = selectors.bot()
    if bot is None or bot.is_replaying:
        return
    signs = silence.signs(now=now, is_guard=is_guard)
    trades = selectors.open_trades()
    for kind, ask in silence.ASKED.items():
        _settle(kind, ask(signs, _limit(kind), now), now)
    _settle("tick_age", None if signs.is_young else _tick_age(bot, now), now)
    _settle("data_old", None if signs.is_young else _data_old(bot, now), now)
    is_blind = signs.is_young or bool(_tick_age(bot, now))
    _settle("price_old", None if is_blind else still.prices(_limit("price_old"), now), now)
    _settle("bars_old", None if is_blind else still.bars(_limit("bars_old"), now), now)
    _settle("unprotected", _unprotected(now), now)
    _settle("invariant", _invariants(), now)
    _settle("reconcile", _differences(), now)
    _settle("venue_errors", _venue_errors(), now)
    _settle("balance", _balance(bot), now)
    _settle("drawdown", _drawdown(bot), now)
    _settle("daily_loss", _loss(bot, "daily_loss", now), now)
    _settle("weekly_loss", _loss(bot, "weekly_loss", now), now)
    _settle("breaker", _breakers(bot, trades, now), now)
    _settle("move", _moves(trades), now)
    _settle("crash", market_watch.crash(step=_limit("crash"), now=now), now)
    for kind, check in surroundings.ASKED.items():
        _settle(kind, check(_limit(kind), now), now)
    _settle("outbox", _outbox(now), now)
    market_watch.tell_regimes(now=now)
    alerts.escalate(now=now)
    if not is_guard:
        silence.note(now=now)


def _settle(kind: str, found: Found | None, now: datetime) -> None:
    """Raise what was found and clear what stands no more; None: nothing can be said now."""
    if found is None:
        return
    if kinds.threshold(kind) is None:
        found = {}
    standing = alerts.standing(kind)
    # Of steps that were passed together the last is told: it says it all.
    last = {_series(kind, about): about for about in found if about not in standing}
    for about, text in found.items():
        alerts.raise_(kind, text, about=about, now=now, is_told=about in last.values())
    for about in standing:
        if about not in found:
            alerts.clear(kind, about=about, now=now)


def _limit(kind: str) -> float:
    """Return the threshold in force; one that is switched off is looked at all the same and then not raised."""
    set_ = kinds.threshold(kind)
    return kinds.KINDS[kind].threshold or 0.0 if set_ is None else set_


def _tick_age(bot: Bot, now: datetime) -> Found:
    if bot.last_tick_at is None or now - bot.last_tick_at <= timedelta(seconds=_limit("tick_age")):
        return {}
    age = formats.span(now - bot.last_tick_at)
    return {
        "": f"The last tick ran {age} ago: stops at the venue stay, and nothing else is looked after. Is Julaba running?"
    }


def _data_old(bot: Bot, now: datetime) -> Found | None:
    if bot.data_at is None or _tick_age(bot, now):
        return None  # nobody asks for prices, which is an alert of its own
    if now - bot.data_at <= timedelta(seconds=_limit("data_old")):
        return {}
    return {
        "": f"The newest price is {formats.span(now - bot.data_at)} old: nothing is entered until prices come again."
    }


def _unprotected(now: datetime) -> Found:
    since = now - timedelta(seconds=_limit("unprotected"))
    bare = Trade.objects.filter(status=TradeStatus.OPEN, unprotected_at__lte=since)
    return {
        str(trade.pk): f"Trade {trade.pk}, {trade.symbol}, has had no stop since {trade.unprotected_at:%H:%M:%S} UTC."
        for trade in bare
    }


def _invariants() -> Found | None:
    run = InvariantRun.objects.order_by("-at", "-pk").first()
    if run is None:
        return None
    broken: dict[str, str] = {}
    for violation in run.violations:
        broken.setdefault(str(violation["id"]), f"{violation['id']}, {violation['text']}: {violation['found']}")
    return broken


def _differences() -> Found | None:
    run = ReconcileRun.objects.filter(problem="").order_by("-at", "-pk").first()
    if run is None:
        return None
    grave = [row for row in run.differences if row.get("needs_people")]
    return {
        f"{row['kind']} {row['symbol']}": f"{row['kind']}, {row['symbol']}: ours {row['ours']}, theirs {row['theirs']}; {row['action']}."
        for row in grave
    }


def _venue_errors() -> Found:
    count = max(1, int(_limit("venue_errors")))
    runs = list(ReconcileRun.objects.order_by("-at", "-pk")[:count])
    if len(runs) < count or not all(run.problem for run in runs):
        return {}
    return {"": f"The last {count} comparisons with the venue could not be finished: {runs[0].problem}."}


def _balance(bot: Bot) -> Found:
    lost = float(1 - bot.equity / bot.initial_balance) if bot.initial_balance > 0 else 0.0
    if lost < _limit("balance"):
        return {}
    return {
        "": f"Equity is {formats.money(bot.equity)}, {formats.percent(lost)} below the initial {formats.money(bot.initial_balance)}."
    }


def _drawdown(bot: Bot) -> Found:
    """Return one alert for each step below the peak, so that a deeper fall is told again."""
    fall, step = float(1 - bot.equity / bot.peak_equity) if bot.peak_equity > 0 else 0.0, _limit("drawdown")
    return {
        str(
            level
        ): f"Equity has fallen {formats.percent(level * step)} and more below its peak of {formats.money(bot.peak_equity)}."
        for level in _levels(fall, step)
    }


def _loss(bot: Bot, kind: str, now: datetime) -> Found:
    today = now.date()
    since = today if kind == "daily_loss" else today - timedelta(days=today.weekday())
    opening = DayOpening.objects.filter(date__gte=since).order_by("date").first()
    if opening is None or opening.equity <= 0:
        return {}
    lost, limit = float(1 - bot.equity / opening.equity), getattr(selectors.params(), kind)
    warned_from = _limit(kind) * limit
    if lost < warned_from:
        return {}
    span = "today" if kind == "daily_loss" else "this week"
    reached = "nothing is entered any more" if lost >= limit else "it is near"
    return {str(since): f"{formats.percent(lost)} were lost {span}, the limit is {formats.percent(limit)}: {reached}."}


def _moves(trades: Iterable[selectors.OpenTrade]) -> Found:
    found, step = {}, _limit("move")
    for position in trades:
        trade = position.trade
        if position.mark is None or trade.status != TradeStatus.OPEN or not trade.entry_price:
            continue
        moved = float(Decimal(str(position.mark.price)) / trade.entry_price - 1)
        for level in _levels(abs(moved), step):
            sign = "+" if moved > 0 else "-"
            found[f"{trade.pk} {sign}{level}"] = (
                f"{trade.symbol} {trade.side}: the price has moved {formats.signed_percent(moved)} since the entry, to {formats.price(position.mark.price)}."
            )
    return found


def _breakers(bot: Bot, trades: list[selectors.OpenTrade], now: datetime) -> Found:
    limits = selectors.limits(bot=bot, params=selectors.params(), trades=trades, now=now)
    return {
        limit.name: f"{formats.words(limit.name).capitalize()} has reached its limit: {limit.effect}. Exits go on."
        for limit in limits
        if limit.is_reached and limit.name in BREAKERS
    }


def _outbox(now: datetime) -> Found:
    late = outbox.overdue(now=now)
    if late <= timedelta(seconds=_limit("outbox")):
        return {}
    return {"": f"A message has been waiting for {formats.span(late)}: look at the deliveries in the admin."}


def _series(kind: str, about: str) -> str:
    """Return what the steps of one fall or one move have in common; everything else is a series of its own."""
    return about.rstrip("0123456789") if kind in STEPPED else about


def _levels(part: float, step: float) -> range:
    return range(1, min(int(part / step + 1e-9), 50) + 1) if step > 0 else range(0)
