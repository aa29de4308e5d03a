"""The paper venue's own books: what a real exchange would keep on its side."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.models.fields import Quantity


class PaperAccount(models.Model):
    """The venue's cash of the account, in quote."""

    balance = Quantity()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_paper_account")]

    def __str__(self) -> str:
        return f"paper account {self.balance}"


class PaperPosition(models.Model):
    """The venue's net position in one symbol: signed base."""

    symbol = models.CharField(max_length=30, unique=True)
    quantity = Quantity(default=Decimal(0))
    cost = Quantity(default=Decimal(0), help_text="Quote that the open quantity was entered for.")

    def __str__(self) -> str:
        return f"{self.symbol} {self.quantity}"


class PaperOrder(models.Model):
    """An order at the paper venue. A resting stop remembers up to which bar it was matched."""

    client_id = models.CharField(max_length=32, unique=True)
    symbol = models.CharField(max_length=30)
    side = models.CharField(max_length=4)
    kind = models.CharField(max_length=6)
    quantity = Quantity()
    price = Quantity(null=True, blank=True)
    trigger = Quantity(null=True, blank=True)
    reduce_only = models.BooleanField(default=False)
    status = models.CharField(max_length=8)
    placed_at = models.DateTimeField()
    matched_at = models.DateTimeField(help_text="Open time up to which (exclusive) closed bars were matched.")

    class Meta:
        indexes = [models.Index(fields=["symbol"], condition=models.Q(status="open"), name="paper_order_open")]

    def __str__(self) -> str:
        return f"{self.client_id} {self.status}"


class PaperFill(models.Model):
    order = models.ForeignKey(PaperOrder, on_delete=models.PROTECT, related_name="fills")
    quantity = Quantity()
    price = Quantity()
    fee = Quantity()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"
