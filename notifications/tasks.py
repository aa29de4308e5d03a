"""Celery tasks of the queue `notify`. Imports are inside, so that sending a task costs no process more than this file."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

PERIOD_S = 5
"""Seconds between two sweeps."""


@shared_task
def receive(*, update_id: int) -> None:
    """Handle what came in and send the answer."""
    from notifications.services import inbox, outbox

    inbox.handle(update_id, now=timezone.now())
    outbox.deliver(now=timezone.now())


@shared_task
def sweep() -> None:
    """Do everything that is due and that nobody has done: hints may be lost, rows are not."""
    from notifications.services import following, inbox, journal, outbox

    for update_id in inbox.waiting(now=timezone.now()):
        inbox.handle(update_id, now=timezone.now())
    journal.relay(now=timezone.now())
    following.refresh(now=timezone.now())
    outbox.deliver(now=timezone.now())


@shared_task
def watch() -> None:
    """Look at what must not go on unnoticed, and write summaries that are due."""
    from django.conf import settings

    from notifications.services import outbox, summaries, watch

    now = timezone.now()
    watch.look(now=now)
    sign = settings.JULABA_DATA_DIR / "run" / "watch.alive"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()  # the supervisor looks in its place where this grows old
    outbox.deliver(now=timezone.now())
    summaries.send_due(now=timezone.now())  # it draws, which takes seconds
    outbox.deliver(now=timezone.now())


@shared_task
def prune() -> None:
    from notifications.services import inbox, outbox

    inbox.prune(now=timezone.now())
    outbox.prune(now=timezone.now())
