"""Pair scans: how the watched pairs ranked at one moment."""

from __future__ import annotations

from django.db import models


class Scan(models.Model):
    at = models.DateTimeField(unique=True)
    timeframe = models.CharField(max_length=5)

    def __str__(self) -> str:
        return f"scan {self.at:%Y-%m-%d %H:%M}"


class ScanRow(models.Model):
    """One pair of a scan; `parts` breaks its score (0 to 100) down."""

    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="rows")
    rank = models.PositiveSmallIntegerField()
    symbol = models.CharField(max_length=30)
    score = models.FloatField()
    price = models.FloatField()
    regime = models.CharField(max_length=12)
    parts = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scan", "symbol"], name="one_row_per_scan_and_symbol")]

    def __str__(self) -> str:
        return f"{self.rank}. {self.symbol} {self.score:.1f}"
