"""Follows refused setups as the trades that they would have been; what became of them feeds scorecards and samples.

A row is opened for each refused signal, not for an expired one: that was not judged, only late. Every step is decided by
bars that have closed, so a pass that is repeated or comes days late writes the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db import transaction

from mlops import shadow_trade, upkeep
from mlops.models import ShadowOutcome, ShadowState
from mlops.shadow_trade import Held, NotTradable, Part
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.core.position import ExitRules, Position
from trading.core.types import Market, Side
from trading.models import Bot, EquityPoint
from trading.models.fields import stored
from trading.services import advising, exits, parameters

logger = logging.getLogger(__name__)

BATCH = 500
"""So many rows are held in memory at once."""
BARS = 2_000
"""So many bars of one series are."""
ROUNDS = 40
"""Batches of one pass; what is left is done by the next one."""
RETRY = timedelta(minutes=5)
PATIENCE = timedelta(days=2)
"""Bars that have not come after so long are missing for good."""
_CHUNK = 100
"""Rows written in one transaction, so that the tick never waits long."""


def run(*, market_data: MarketData, now: datetime) -> int:
    """Open what was refused, follow what is open as far as bars go, and return how many ended."""
    ended = 0
    for _ in range(ROUNDS):
        opened = _open()
        due = list(upkeep.due(now).select_related("signal__revision").order_by("due_at")[:BATCH])
        if not due and not opened:
            break
        ended += _follow(due, market_data, now)
    return ended


def _open() -> int:
    rows = []
    for signal in upkeep.unseen().order_by("decided_at", "pk")[:BATCH]:
        span = timeframes.length(signal.timeframe)
        first = signal.bar_at + span
        rows.append(ShadowOutcome(signal=signal, refused_by=signal.refused_by, next_bar_at=first, due_at=first + span))
    # Another process may have been faster; the unique key says so.
    ShadowOutcome.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _follow(due: Sequence[ShadowOutcome], market_data: MarketData, now: datetime) -> int:
    ended, markets = 0, _markets(market_data) if due else {}
    if markets is None:
        _later(due, now)
        return 0
    ordered = sorted(due, key=lambda row: (row.signal.symbol, row.signal.timeframe, row.next_bar_at))
    for (symbol, timeframe), members in groupby(ordered, key=lambda row: (row.signal.symbol, row.signal.timeframe)):
        rows = list(members)
        since, span = rows[0].next_bar_at, timeframes.length(timeframe)
        until = min(timeframes.bar_open(now, timeframe), since + BARS * span)
        try:
            candles = market_data.candles(symbol, timeframe, now=until, limit=max(1, (until - since) // span))
        except (MarketDataUnavailable, UnknownSymbol) as error:
            logger.warning("refused setups of %s are followed later: %s", symbol, error)
            _later(rows, now)
            continue
        before = [row.next_bar_at for row in rows if row.next_bar_at < until]
        moved = rows[: len(before)]  # what comes after these bars is for another batch
        for row in moved:
            _step(row, candles, markets.get(symbol), now)
        _write(moved, before)
        ended += sum(row.state == ShadowState.CLOSED for row in moved)
    return ended


def _markets(market_data: MarketData) -> Mapping[str, Market] | None:
    try:
        return market_data.markets()
    except MarketDataUnavailable as error:
        logger.warning("refused setups are followed later: %s", error)
        return None


def _step(row: ShadowOutcome, candles: Candles, market: Market | None, now: datetime) -> None:
    """Move a row over the bars."""
    span = timeframes.length(row.signal.timeframe)
    place = (row.next_bar_at - candles.opened_at(0)) // span if len(candles) else -1
    if not 0 <= place < len(candles):
        _without_bars(row, row.next_bar_at + span, now)
        return
    try:
        held, place = (held_of(row), place) if row.plan else _entered(row, candles, place, market)
    except NotTradable as reason:
        _void(row, str(reason), now)
        return
    _keep(row, shadow_trade.follow(held, candles, place))
    row.next_bar_at = candles.closed_at(len(candles) - 1)
    row.due_at = row.next_bar_at + span


def _without_bars(row: ShadowOutcome, expected_at: datetime, now: datetime) -> None:
    was_asked_before = row.due_at > expected_at
    if was_asked_before and now - expected_at > PATIENCE:
        _void(row, f"the bar of {row.next_bar_at:%Y-%m-%d %H:%M} UTC is missing", now)
    else:
        row.due_at = now + RETRY


def _entered(row: ShadowOutcome, candles: Candles, place: int, market: Market | None) -> tuple[Held, int]:
    signal = row.signal
    if market is None:
        raise NotTradable(f"{signal.symbol} is not traded here any more")
    params = parameters.params_of(signal.revision)
    equity = _equity(candles.opened_at(place))
    row.opened_at = candles.opened_at(place)
    return shadow_trade.enter(
        advising.setup_of(signal), candles=candles, index=place, equity=equity, params=params, market=market
    )


def _equity(at: datetime) -> Decimal:
    """Return what the account was worth at a moment, else what it began with."""
    point = EquityPoint.objects.filter(at__lte=at).order_by("-at").first()
    if point is not None:
        return point.equity
    bot = Bot.objects.filter(pk=1).first()
    if bot is None:
        raise NotTradable("there is no account that it could be sized for")
    return bot.initial_balance


def _void(row: ShadowOutcome, reason: str, now: datetime) -> None:
    row.state, row.reason, row.ended_at = ShadowState.VOID, reason, now


def _keep(row: ShadowOutcome, held: Held) -> None:
    """Write the trade into its row."""
    if not row.plan:
        row.plan = plan_as_json(held)
        row.entry = held.entry
    row.position = list(held.position)
    row.exits = [{name: str(value) for name, value in asdict(part).items()} for part in held.parts]
    if not held.has_ended or row.opened_at is None:
        return
    made = shadow_trade.result(held)
    row.state, row.won = ShadowState.CLOSED, made.pnl > 0
    row.pnl, row.r, row.exit = stored(made.pnl), made.r, made.exit
    row.end_reason, row.ended_at = made.reason, made.ended_at
    row.bars = (made.ended_at - row.opened_at) // timeframes.length(row.signal.timeframe)


_COLUMNS = (
    *("state", "reason", "due_at", "next_bar_at", "plan", "position", "exits", "entry", "exit", "pnl", "r", "won"),
    *("bars", "end_reason", "opened_at", "ended_at"),
)


def _write(rows: Sequence[ShadowOutcome], before: Sequence[datetime]) -> None:
    """Write what moved, unless another process has moved it meanwhile; `before` is where each stood."""
    pairs = list(zip(rows, before, strict=True))
    for start in range(0, len(pairs), _CHUNK):
        with transaction.atomic():
            for row, bar_at in pairs[start : start + _CHUNK]:
                as_read = ShadowOutcome.objects.filter(pk=row.pk, state=ShadowState.OPEN, next_bar_at=bar_at)
                as_read.update(**{name: getattr(row, name) for name in _COLUMNS})


def _later(rows: Sequence[ShadowOutcome], now: datetime) -> None:
    waiting = ShadowOutcome.objects.filter(pk__in=[row.pk for row in rows], state=ShadowState.OPEN)
    waiting.update(due_at=now + RETRY)


def plan_as_json(held: Held) -> dict[str, Any]:
    """Return what was decided at entry, with the grid and the costs of that day."""
    market = held.market
    return {
        "side": held.side.value,
        "quantity": str(held.quantity),
        "entry": str(held.entry),
        "stop": held.stop,
        "rules": exits.rules_as_json(held.rules),
        "slippage": held.slippage,
        "fee_rate": str(market.fee_rate),
        "price_step": str(market.price_step),
        "quantity_step": str(market.quantity_step),
    }


def held_of(row: ShadowOutcome) -> Held:
    """Return the trade of a row that was entered."""
    plan = row.plan
    rules: dict[str, Any] = {name: math.nan if value is None else value for name, value in plan["rules"].items()}
    return Held(
        side=Side(plan["side"]),
        market=Market(
            symbol=row.signal.symbol,
            price_step=Decimal(plan["price_step"]),
            quantity_step=Decimal(plan["quantity_step"]),
            min_notional=Decimal(0),
            fee_rate=Decimal(plan["fee_rate"]),
        ),
        slippage=plan["slippage"],
        quantity=Decimal(plan["quantity"]),
        entry=Decimal(plan["entry"]),
        stop=plan["stop"],
        rules=ExitRules(**rules),
        position=Position(*row.position),
        parts=tuple(_part(each) for each in row.exits),
    )


def _part(values: Mapping[str, str]) -> Part:
    return Part(
        at=datetime.fromisoformat(values["at"]),
        price=Decimal(values["price"]),
        quantity=Decimal(values["quantity"]),
        reason=values["reason"],
        fee=Decimal(values["fee"]),
    )
