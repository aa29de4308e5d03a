"""Forgets what nobody asks for any more, so that the tables stay bounded; history that is audited stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.models import Scan, TickRun

KEEP_TICKS = timedelta(days=1)
KEEP_SCANS = timedelta(days=90)


def prune(*, now: datetime) -> None:
    TickRun.objects.filter(slot__lt=now - KEEP_TICKS).delete()
    Scan.objects.filter(at__lt=now - KEEP_SCANS).delete()
