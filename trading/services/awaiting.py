"""Signals that wait for advice: each tick decides those whose answers are in or whose time is over."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction

from trading.core.decision import Decision
from trading.core.types import Verdict
from trading.models import Bot, Order, Signal, SignalStatus
from trading.services import advising, entries, hot_sql, lease
from trading.services.advising import Counsel
from trading.services.context import Context

GRACE = timedelta(seconds=30)
"""A signal whose time is over waits so long for the books to be sure, and not longer."""

logger = logging.getLogger(__name__)


def attend(bot: Bot, context: Context, *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Decide every signal that needs to wait no longer, with the price and the account of now."""
    if not hot_sql.is_any_signal_awaiting():
        return
    waiting = list(Signal.objects.filter(status=SignalStatus.AWAITING).order_by("pk"))
    answered, expected = advising.answered(waiting), set(advising.awaited(context))
    for signal in waiting:
        is_over = signal.advice_due_at is None or context.moment() >= signal.advice_due_at
        if is_over or expected <= answered[signal.pk]:
            order = _decide(signal, bot, context)
            if order is not None:
                entries.send(order, context)
            meanwhile()


def give_up(context: Context) -> None:
    """Let signals expire whose time was over while nothing might be entered, since an order was in doubt."""
    if not hot_sql.is_any_signal_awaiting():
        return
    overdue = Signal.objects.filter(status=SignalStatus.AWAITING, advice_due_at__lt=context.moment() - GRACE)
    for signal in list(overdue.order_by("pk")):
        with transaction.atomic():
            lease.check(context.lease)
            if _claim(signal, context):
                entries.conclude(
                    signal, _expired("an order or a position was in doubt until its time was over"), context
                )


def _decide(signal: Signal, bot: Bot, context: Context) -> Order | None:
    """Write the decision, with trade and entry order where nothing refuses: all of it or nothing, and once."""
    bypassed = frozenset(context.ports.bypassed())
    with transaction.atomic():
        lease.check(context.lease)
        if not _claim(signal, context):
            logger.info("signal %s was decided by another process", signal.pk)
            return None
        if signal.symbol not in context.markets:
            entries.conclude(signal, _expired(f"the venue has no market {signal.symbol} any more"), context)
            return None
        counsel = Counsel(
            asked=tuple(adviser.name for adviser in advising.advisers(context)),
            advices=advising.answers(signal),
            bypassed=bypassed,
        )
        made = entries.judged(advising.setup_of(signal), _by_bars(signal), counsel, bot=bot, context=context)
        entries.conclude(signal, made, context)
        return entries.enter(signal, made.plan, bot, context) if made.plan else None


def _claim(signal: Signal, context: Context) -> bool:
    """Take hold of the signal until the transaction ends; an answer that comes from now on is late."""
    waits = Signal.objects.filter(pk=signal.pk, status=SignalStatus.AWAITING)
    return bool(waits.update(decided_at=context.now))


def _by_bars(signal: Signal) -> tuple[Verdict, ...]:
    """Return the verdicts that were written with the signal: those of its filters, which closed bars cannot change."""
    return tuple(
        Verdict(
            name=row.name,
            passed=row.passed,
            value=math.nan if row.value is None else row.value,
            limit=math.nan if row.limit is None else row.limit,
            reason=row.reason,
        )
        for row in signal.verdicts.order_by("position")
    )


def _expired(reason: str) -> Decision:
    """Return the end of a signal that was not judged bad: its time ran out."""
    verdict = Verdict(name=entries.STALE[0], passed=False, value=math.nan, limit=math.nan, reason=reason)
    return Decision(verdicts=(verdict,), plan=None, refused_by=verdict.name, reason=reason)
