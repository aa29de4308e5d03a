"""Alerts: raised once, told once, over when what they tell of is over, and only then armed again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from notifications import rendering
from notifications.kinds import KINDS, cool_down
from notifications.models import Alert, AlertRule, Severity
from notifications.services import push

ESCALATION = timedelta(minutes=15)
"""A critical alert that nobody has acknowledged for so long is told once more."""


def raise_(kind: str, text: str, *, about: str = "", now: datetime, is_told: bool = True) -> Alert | None:
    """Raise an alert unless one of its key stands, or was over only just now; None where nothing is new.

    One that is not told stands all the same, such as a step that was passed together with the next.
    """
    key = f"{kind}:{about}"[:80]
    earlier = Alert.objects.filter(key=key)
    if earlier.filter(cleared_at__isnull=True).exists():
        return None
    if earlier.filter(cleared_at__gt=now - cool_down(kind)).exists():
        return None
    return _raise(kind, key, text, now, is_over=False, is_told=is_told)


def tell(kind: str, text: str, *, about: str, now: datetime) -> Alert | None:
    """Tell of a fact that is over as soon as it happened, once for each `about`."""
    key = f"{kind}:{about}"[:80]
    if Alert.objects.filter(key=key).exists():
        return None
    return _raise(kind, key, text, now, is_over=True, is_told=True)


def clear(kind: str, *, about: str = "", now: datetime) -> bool:
    """Say that it is over, and arm it again; False where no such alert stands."""
    standing = Alert.objects.filter(key=f"{kind}:{about}"[:80], cleared_at__isnull=True).first()
    if standing is None:
        return False
    with transaction.atomic():
        if not Alert.objects.filter(pk=standing.pk, cleared_at__isnull=True).update(cleared_at=now):
            return False
        push.everywhere(
            "over",
            key=f"over:{standing.pk}",
            title=f"Over: {KINDS[kind].text}",
            lines=rendering.text(standing.text),
            now=now,
            severity=Severity.INFO,
        )
    return True


def standing(kind: str) -> list[str]:
    """Return what the standing alerts of a kind are about."""
    keys = Alert.objects.filter(kind=kind, cleared_at__isnull=True).values_list("key", flat=True)
    return [key.partition(":")[2] for key in keys]


def acknowledge(pk: int, *, by: str, now: datetime) -> bool:
    """Note that a person has seen it; False where one had, or there is no such alert."""
    unseen = Alert.objects.filter(pk=pk, acknowledged_at__isnull=True)
    return bool(unseen.update(acknowledged_at=now, acknowledged_by=by))


def escalate(*, now: datetime) -> int:
    """Tell critical alerts that stand unacknowledged for too long once more, and return how many."""
    unseen = Alert.objects.filter(
        severity=Severity.CRITICAL,
        cleared_at__isnull=True,
        acknowledged_at__isnull=True,
        escalated_at__isnull=True,
    )
    rules = AlertRule.objects.filter(escalation_minutes__isnull=False)
    waits = {rule.kind: timedelta(minutes=rule.escalation_minutes or 0) for rule in rules}
    count = 0
    for alert in [each for each in unseen if each.raised_at <= now - waits.get(each.kind, ESCALATION)]:
        with transaction.atomic():
            if Alert.objects.filter(pk=alert.pk, escalated_at__isnull=True).update(escalated_at=now):
                _push(alert, f"escalation:{alert.pk}", "Still so, and nobody has acknowledged it", now)
                count += 1
    return count


def _raise(kind: str, key: str, text: str, now: datetime, *, is_over: bool, is_told: bool) -> Alert | None:
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                kind=kind,
                key=key,
                severity=KINDS[kind].severity,
                text=text,
                raised_at=now,
                cleared_at=now if is_over else None,
            )
            if is_told:
                _push(alert, f"alert:{alert.pk}", KINDS[kind].text, now)
    except IntegrityError:
        return None  # another process was first
    return alert


def _push(alert: Alert, key: str, title: str, now: datetime) -> None:
    mark = f"{alert.severity.upper()}: " if alert.severity != Severity.INFO else ""
    push.everywhere(
        alert.kind,
        key=key,
        title=f"{mark}{title}",
        lines=rendering.text(alert.text),
        now=now,
        severity=Severity(alert.severity),
        buttons=[[("Acknowledge", f"k|{alert.pk}")]] if alert.severity != Severity.INFO else (),
    )
