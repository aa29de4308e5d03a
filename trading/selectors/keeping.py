"""What the rows say about beat and backups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from trading.models import BackupKind, BackupRun, EquityPoint, TickRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Moments, each None where there was none; `began_at` is the first point of the equity curve."""

    beat_at: datetime | None
    backup_at: datetime | None
    trial: BackupRun | None
    began_at: datetime | None


def keeping() -> Keeping:
    passed = Q(kind=BackupKind.BACKUP, passed=True)
    backup_at = BackupRun.objects.aggregate(at=Max("at", filter=passed))["at"]
    first = None if backup_at else EquityPoint.objects.order_by("at").values_list("at", flat=True).first()
    return Keeping(
        beat_at=TickRun.objects.filter(job="tick").aggregate(at=Max("slot"))["at"],
        backup_at=backup_at,
        trial=BackupRun.objects.filter(kind=BackupKind.TRIAL).order_by("-at").first(),
        began_at=first,
    )
