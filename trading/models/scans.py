"""Pair scans: how the pairs ranked at one moment, and which were refused why."""

from __future__ import annotations

from django.db import models


class Scan(models.Model):
    """One scan. Its rows come in parts, by as many workers as there are, and are ranked once all are there."""

    at = models.DateTimeField(unique=True)
    timeframe = models.CharField(max_length=5)
    symbols = models.JSONField(default=list, help_text="What is scanned.")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When it was ranked; null: rows are missing.")
    correlations = models.JSONField(
        default=dict, help_text="symbols, rows of correlations of returns, and clusters of places in symbols."
    )

    def __str__(self) -> str:
        return f"scan {self.at:%Y-%m-%d %H:%M}"


class ScanRow(models.Model):
    """One pair of a scan; `parts` breaks its score (0 to 100) down. Those that were refused rank after all others."""

    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="rows")
    rank = models.PositiveSmallIntegerField(default=0, help_text="0: not ranked yet.")
    symbol = models.CharField(max_length=30)
    score = models.FloatField()
    price = models.FloatField(null=True, blank=True, help_text="Quote per base; null where there are no bars.")
    regime = models.CharField(max_length=12)
    parts = models.JSONField()
    refused_by = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    verdicts = models.JSONField(default=list, help_text="Each pair filter's answer with value, limit and reason.")
    volume = models.FloatField(null=True, blank=True, help_text="Quote, of the last 24 hours.")
    measures = models.JSONField(
        default=dict, help_text="Timeframes, BTC and volume profile, by name; null where one has no value."
    )
    book = models.JSONField(
        default=dict, help_text="Spread, order-book imbalance, funding rate and open interest, where the venue tells."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scan", "symbol"], name="one_row_per_scan_and_symbol")]

    def __str__(self) -> str:
        return f"{self.rank}. {self.symbol} {self.score:.1f}"
