"""Answers what waits outside the tick: each signal that wants an opinion is asked about once and the answer kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from trading.core.advice import Adviser
from trading.core.advising import no_opinion
from trading.core.ports import MarketData, MarketDataUnavailable, UnknownSymbol
from trading.models import Signal
from trading.services import advising, lease

logger = logging.getLogger(__name__)


def answer_all(*, advisers: Sequence[Adviser], market_data: MarketData, clock: Callable[[], datetime]) -> int:
    """Let every slow adviser answer what waits for it, and return how many answers were kept.

    `clock` is asked anew before each: an answer may take as long as the signal's time.
    """
    kept = 0
    for adviser in advisers:
        if adviser.is_slow:
            for signal in advising.wanting(source=adviser.name, now=clock()):
                kept += _answer(adviser, signal, market_data, clock)
    return kept


def _answer(adviser: Adviser, signal: Signal, market_data: MarketData, clock: Callable[[], datetime]) -> bool:
    if signal.advice_due_at is None or clock() >= signal.advice_due_at:
        return False  # the answers before took its time
    try:
        question = advising.question(signal, market_data=market_data)
    except (MarketDataUnavailable, UnknownSymbol) as error:
        logger.warning("signal %s: %s cannot be asked now: %s", signal.pk, adviser.name, error)
        return False
    if not _claim(adviser.name, signal, clock()):
        return False
    given = (
        advising.answer(adviser, question) if question else no_opinion(adviser.name, "the bars are not stored any more")
    )
    return advising.keep(signal.pk, given, now=clock())


def _claim(name: str, signal: Signal, now: datetime) -> bool:
    """Return whether this process asks: asking costs money, and a hint and a sweep may find the same signal at once."""
    # A name may be longer than the column of the job has room for.
    job = f"{signal.pk}:{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return lease.claim_slot(job=job, slot=signal.bar_at, owner=lease.process_name(), now=now)
