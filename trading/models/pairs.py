"""Which pairs are traded: the watch list with its history, switches, the blacklist and locks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from trading.models.scans import Scan


class WatchSource(models.TextChoices):
    SCAN = "scan", "the scan"
    HAND = "hand", "a person"


class WatchedPair(models.Model):
    """A pair on the watch list, from `since` to `until`; the listed pairs themselves are a parameter and have no rows."""

    symbol = models.CharField(max_length=30)
    source = models.CharField(max_length=4, choices=WatchSource.choices)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150, blank=True, help_text="Empty: Julaba itself.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol"], condition=Q(until=None), name="one_place_on_the_watch_list")
        ]
        permissions = [("manage_pairs", "Can watch, switch, lock and blacklist pairs")]

    def __str__(self) -> str:
        return f"{self.symbol} by {self.get_source_display()}"


class PairSwitch(models.Model):
    """One pair that replaced another on the watch list, or that was refused to, with the reason."""

    at = models.DateTimeField()
    scan = models.ForeignKey(Scan, on_delete=models.SET_NULL, null=True, blank=True)
    out_symbol = models.CharField(max_length=30)
    in_symbol = models.CharField(max_length=30)
    out_score = models.FloatField(null=True, blank=True)
    in_score = models.FloatField(null=True, blank=True)
    is_made = models.BooleanField()
    refused_by = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=300)
    verdicts = models.JSONField(default=list)
    by = models.CharField(max_length=150, blank=True, help_text="Empty: Julaba itself.")

    class Meta:
        indexes = [models.Index(fields=["at"], name="pair_switch_at")]

    def __str__(self) -> str:
        return f"{self.out_symbol} -> {self.in_symbol} {'made' if self.is_made else 'refused'}"


class BlacklistEntry(models.Model):
    """A pair that nobody may enter, until a person takes it off the list."""

    symbol = models.CharField(max_length=30)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol"], condition=Q(removed_at=None), name="one_blacklist_entry")
        ]

    def __str__(self) -> str:
        return self.symbol


class PairLock(models.Model):
    """A pair that nothing enters until a moment; a person or a guard sets it, a person lifts it early."""

    symbol = models.CharField(max_length=30)
    until = models.DateTimeField()
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150, blank=True, help_text="Empty: a guard of Julaba's.")
    at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [models.Index(fields=["symbol", "until"], name="pair_lock_symbol_until")]

    def __str__(self) -> str:
        return f"{self.symbol} until {self.until:%Y-%m-%d %H:%M}"
