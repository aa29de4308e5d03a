"""Celery tasks of the dashboard. Imports are inside, so that sending a task costs no process more than this file."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone


@shared_task
def prune() -> None:
    """Delete sessions that are over, and tries, limits and kept answers that count no more."""
    from dashboard import idempotency, limits, lockout, sessions

    now = timezone.now()
    for part in (sessions, lockout, limits, idempotency):
        part.prune(now=now)


@shared_task
def check_tallies() -> None:
    """Add up what has settled, before somebody asks, and compare some of what was added up with its rows."""
    from dashboard import results, tallies

    now = timezone.now()
    for what in tallies.EVERY:
        tallies.counted(what, now=now)
    results.sums(since=now, now=now)
    tallies.check(now=now, others={results.NAME: results.anew})
