"""Celery tasks of the mlops app: load, call once. Imports are inside, so that sending a task costs no process numba."""

from __future__ import annotations

import logging

from celery import Task, shared_task
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

logger = logging.getLogger(__name__)


@shared_task
def follow_refused() -> None:
    """Follow refused setups over the bars that have closed, then bring the scorecards up to date."""
    from mlops import upkeep

    now = timezone.now()
    if upkeep.is_due(now=now):
        from mlops import shadow
        from trading import wiring

        try:
            source = wiring.market_data()
        except ImproperlyConfigured as refusal:
            logger.error("refused setups are not followed: %s", refusal)  # noqa: TRY400 - it says what to do
            return
        shadow.run(market_data=source, now=now)
    if upkeep.is_stale(now=now):
        from mlops import bypass, scorecards

        bypass.judge(scorecards.refresh(now=now), now=now)


@shared_task
def advise() -> int:
    """Let those who answer outside the tick answer the signals that wait for them."""
    from trading import selectors

    if not selectors.is_advice_wanted(now=timezone.now()):
        return 0
    from mlops import answering
    from trading import wiring

    try:
        return answering.answer_all(advisers=wiring.advisers(), market_data=wiring.market_data(), clock=timezone.now)
    except ImproperlyConfigured as refusal:
        logger.error("nobody answers: %s", refusal)  # noqa: TRY400 - it says what to do
        return 0


@shared_task
def answer(*, message_id: int) -> bool:
    """Let Gemini answer a question in words."""
    from mlops import chat

    return chat.answer(message_id, now=timezone.now())


@shared_task
def propose() -> None:
    """Look for a proposal while nothing is open, and comment on the market where that is due."""
    from mlops import chat
    from mlops.gemini import client

    now = timezone.now()
    chat.settle_late(now=now)
    if not client.is_configured():
        return
    if chat.is_comment_due(now=now):
        chat.comment(now=now)
    from mlops.gemini import search
    from trading import wiring

    try:
        search.search(market_data=wiring.market_data(), strategies=wiring.strategy_list(), now=now)
    except ImproperlyConfigured as refusal:
        logger.error("nothing is proposed: %s", refusal)  # noqa: TRY400 - it says what to do


@shared_task
def prune_chat() -> None:
    from mlops import chat

    chat.prune(now=timezone.now())


@shared_task(bind=True)
def train(self: Task[..., None]) -> None:
    """Ask for the trainings that are due, and make one that waits, where the machine has a place for heavy work."""
    from django.conf import settings

    from mlops import registry, runs, training_desk
    from trading.services import heavy, lease

    training_desk.ask(now=timezone.now())
    if runs.is_idle():
        return
    with heavy.place(settings.JULABA_DATA_DIR / "run", places=settings.HEAVY_PLACES) as is_ours:
        if not is_ours:
            return
        if not self.request.is_eager:
            heavy.step_back()  # this process is replaced after the run, for it has grown
        from mlops import pipeline

        held = runs.claim(owner=lease.process_name(), clock=timezone.now)
        if held is not None:
            pipeline.perform(held)
    runs.prune(now=timezone.now())
    registry.prune(now=timezone.now())


@shared_task
def watch_models() -> None:
    """Look after the AI and the champions: drift, calibration, what they were right in, and what challengers say."""
    from mlops import candour, training_desk

    candour.watch(now=timezone.now())
    if not training_desk.is_watch_due():
        return
    from mlops import drift

    drift.watch(now=timezone.now())
