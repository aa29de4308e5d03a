"""What people write about a trade: notes, which stay, and tags, by which trades are found again."""

from __future__ import annotations

from django.db import models

from trading.models.trades import Trade


class TradeNote(models.Model):
    """One note by a person; append-only."""

    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="notes")
    text = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(text=""), name="trade_note_says_something")]

    def __str__(self) -> str:
        return f"note of {self.by} on trade {self.trade_id}"


class TradeTag(models.Model):
    """One word that a person put on a trade; it may be taken off again."""

    trade = models.ForeignKey(Trade, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=30, help_text="Lower case letters, digits and hyphens.")
    by = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trade", "name"], name="one_tag_of_a_name_per_trade")]
        indexes = [models.Index(fields=["name"], name="trade_tag_name")]

    def __str__(self) -> str:
        return f"{self.name} on trade {self.trade_id}"
