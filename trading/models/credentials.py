"""Keys of exchanges, what the doctor found about them, and the approvals to trade real money."""

from __future__ import annotations

from django.db import models


class Environment(models.TextChoices):
    LIVE = "live", "live"
    SANDBOX = "sandbox", "sandbox"


class ExchangeKey(models.Model):
    """One key of one exchange. The row is kept when the key is retired; what it sealed is forgotten then."""

    exchange = models.CharField(max_length=30, help_text="As ccxt names it, such as binance.")
    environment = models.CharField(max_length=7, choices=Environment.choices)
    label = models.CharField(max_length=60, blank=True)
    hint = models.CharField(max_length=4, help_text="Last four characters of the key.")
    sealed = models.TextField(blank=True, help_text="Fernet token of the key and its secret; empty once retired.")
    key_id = models.CharField(max_length=16, help_text="Which encryption key sealed it.")
    attestation = models.TextField(
        blank=True, help_text="The operator's statement about withdrawal rights, for a venue that cannot tell."
    )
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["exchange", "environment"],
                condition=models.Q(is_active=True),
                name="one_active_key",
            ),
            models.CheckConstraint(
                condition=models.Q(is_active=False) | ~models.Q(sealed=""), name="active_key_is_sealed"
            ),
            models.CheckConstraint(
                condition=models.Q(environment__in=["live", "sandbox"]), name="key_is_live_or_sandbox"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.exchange} {self.environment} key …{self.hint}"


class DoctorRun(models.Model):
    """One examination before going live; append-only. `checks` lists {name, passed, text} in the order asked."""

    at = models.DateTimeField()
    exchange = models.CharField(max_length=30)
    mode = models.CharField(max_length=7, choices=Environment.choices)
    key = models.ForeignKey(ExchangeKey, null=True, blank=True, on_delete=models.PROTECT, related_name="doctor_runs")
    passed = models.BooleanField()
    checks = models.JSONField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(passed=False) | models.Q(key__isnull=False), name="no_pass_without_key"
            )
        ]

    def __str__(self) -> str:
        return f"doctor {self.exchange} {self.mode} {'passed' if self.passed else 'failed'}"


class LiveApproval(models.Model):
    """A person's word to trade real money; it holds for the key that its doctor run examined, until revoked."""

    exchange = models.CharField(max_length=30)
    at = models.DateTimeField()
    approved_by = models.CharField(max_length=150)
    reason = models.TextField()
    phrase = models.CharField(max_length=100, help_text="What the person typed.")
    doctor = models.ForeignKey(DoctorRun, on_delete=models.PROTECT, related_name="approvals")
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"live approval {self.exchange} by {self.approved_by}"
