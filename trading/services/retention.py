"""Forgets what nobody asks for any more, so that the tables stay bounded; history that is audited stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from trading.models import (
    BackupRun,
    EquityPoint,
    InvariantRun,
    LastPrice,
    PairSwitch,
    ReconcileRun,
    Scan,
    ScanRow,
    SeriesQuality,
    TickRun,
    VenuePause,
)
from trading.services import parameters, watching

KEEP_TICKS = timedelta(days=1)
KEEP_RUNS = timedelta(days=7)
"""Of comparisons and checks that found nothing; what was found stays."""
KEEP_SCANS = timedelta(days=90)
KEEP_REFUSED, RANKS = timedelta(days=7), 50
"""Of a scan, what was refused, and who ranked below: hundreds of pairs, hundreds of times a day."""
KEEP_BACKUP_RUNS = timedelta(days=90)
KEEP_MINUTES = timedelta(days=35)
"""Of the equity curve; older than that, one point an hour stays."""
KEEP_UNSEEN = timedelta(days=30)
"""Of a symbol that nobody asked for any more."""


def prune(*, now: datetime) -> None:
    TickRun.objects.filter(slot__lt=now - KEEP_TICKS).delete()
    ReconcileRun.objects.filter(at__lt=now - KEEP_RUNS, passed=True).delete()
    InvariantRun.objects.filter(at__lt=now - KEEP_RUNS, violations=[]).delete()
    VenuePause.objects.filter(until__lt=now).delete()
    Scan.objects.filter(at__lt=now - KEEP_SCANS).delete()
    old = ScanRow.objects.filter(scan__at__lt=now - KEEP_REFUSED)
    # What was told of traded pairs is learned from, whatever became of them in the scan.
    traded = watching.symbols_between(now - KEEP_SCANS, now, parameters.in_force(now=now)[1])
    old.filter(~Q(refused_by="") | Q(rank__gt=RANKS)).exclude(symbol__in=traded).delete()
    PairSwitch.objects.filter(at__lt=now - KEEP_SCANS, is_made=False).delete()
    BackupRun.objects.filter(at__lt=now - KEEP_BACKUP_RUNS).delete()
    EquityPoint.objects.filter(at__lt=now - KEEP_MINUTES).exclude(at__minute=0).delete()
    LastPrice.objects.filter(at__lt=now - KEEP_UNSEEN).delete()
    SeriesQuality.objects.filter(at__lt=now - KEEP_UNSEEN).delete()
