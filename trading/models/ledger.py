"""The ledger: every change of the balance, append-only."""

from __future__ import annotations

from django.db import models

from trading.models.fields import Quantity
from trading.models.orders import Fill


class LedgerKind(models.TextChoices):
    DEPOSIT = "deposit", "deposit"
    REALISED = "realised", "realised PnL"
    FEE = "fee", "fee"
    DUST = "dust", "rest too small to sell"
    TRANSFER = "transfer", "transfer"


class LedgerEntry(models.Model):
    """One amount in quote; the balance is the sum of all."""

    kind = models.CharField(max_length=8, choices=LedgerKind.choices)
    amount = Quantity()
    fill = models.ForeignKey(Fill, null=True, blank=True, on_delete=models.PROTECT, related_name="ledger")
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["fill", "kind"], name="one_entry_per_fill_and_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
