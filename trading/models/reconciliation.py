"""What the comparison with the venue found, and what lies there that is not ours."""

from __future__ import annotations

from django.db import models

from trading.models.fields import Quantity


class ReconcileKind(models.TextChoices):
    START = "start", "before trading"
    RUNNING = "running", "in operation"


class ReconcileRun(models.Model):
    """One comparison of our books with the venue's; `differences` are {kind, symbol, ours, theirs, action}."""

    kind = models.CharField(max_length=8, choices=ReconcileKind.choices)
    epoch = models.PositiveBigIntegerField(help_text="Lease epoch of whoever compared.")
    at = models.DateTimeField()
    passed = models.BooleanField(help_text="Every question was answered and nothing is left that needs people.")
    problem = models.TextField(blank=True, help_text="Which question failed, where one did.")
    orders = models.PositiveIntegerField(default=0)
    fills = models.PositiveIntegerField(default=0)
    positions = models.PositiveIntegerField(default=0)
    differences = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-at"], name="reconcile_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S} {'passed' if self.passed else 'failed'}"


class InvariantRun(models.Model):
    """One look at everything that must hold; `violations` are {id, level, text, found}."""

    at = models.DateTimeField()
    checked = models.PositiveSmallIntegerField(help_text="How many invariants were checked.")
    violations = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-at"], name="invariants_newest")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {len(self.violations)} of {self.checked} broken"


class ExternalOrder(models.Model):
    """An order of the account that is not ours: shown, never touched."""

    venue_order_id = models.CharField(max_length=64)
    symbol = models.CharField(max_length=30)
    side = models.CharField(max_length=4)
    quantity = Quantity()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["symbol", "venue_order_id"], name="one_external_order")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol}"


class ExternalHolding(models.Model):
    """What the account holds of a symbol besides our positions: declared at the first comparison, signed, in base."""

    symbol = models.CharField(max_length=30, unique=True)
    quantity = Quantity()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.quantity} {self.symbol}"
